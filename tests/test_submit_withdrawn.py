# SPDX-License-Identifier: Apache-2.0
"""Steps of a submit by which nothing was imported: the submit may be repeated, and they are withdrawn."""

from dataclasses import replace
from typing import Any

import pytest
from submit_world import LOST, RECORDS, Killed, Store, World, operation, send, submission

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
    UnknownOutcomeError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http import retry
from airflow_provider_bulkjobs.protocol.flow import Request, Response, SaveProgress

REFUSED = Response(400, {}, b'{"message": "no"}')
DOWN = Response(503, {}, b"{}")
OTHERS = RECORDS[:1]


@pytest.fixture(autouse=True)
def _few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.RetryPolicy.__init__, "__defaults__", (2, *retry.RetryPolicy.__init__.__defaults__[1:]))
    monkeypatch.setattr("airflow_provider_bulkjobs.submitting.submission.WITHDRAW_ATTEMPTS", 2)


def flow(context: Any) -> Any:
    """Create a job, upload the records, and start it, which must not be repeated."""
    job_id = context.progress.get("job_id")
    if job_id is None:
        job_id = (yield Request("POST", "/jobs", idempotent=True)).json["id"]
        yield SaveProgress({"job_id": job_id}, harmless=True)
    yield Request("PUT", f"/jobs/{job_id}/data", body=context.payload.data, idempotent=True)
    yield Request("POST", f"/jobs/{job_id}/start")
    return job_id


def withdraw(_account: Any, progress: Any) -> Any:
    yield Request("POST", f"/jobs/{progress['job_id']}/abort")


KEPT = operation(flow)
WITHDRAWN = replace(KEPT, withdraw=withdraw)


def failed(world: World, store: Store, of: Any, error: type[BaseException] = VendorAPIError) -> bool:
    """Submit with an error; return whether anything may have been imported."""
    with submission(world, of) as made:
        with pytest.raises(error):
            made.send(store, store.load())
        return made.has_sent


@pytest.mark.parametrize("number", [2, 3], ids=["upload", "start"])
@pytest.mark.parametrize("of", [KEPT, WITHDRAWN], ids=["kept", "withdrawn"])
@pytest.mark.parametrize("records", [RECORDS, OTHERS], ids=["same records", "other records"])
def test_refused_step_may_be_repeated(records: Any, of: Any, number: int) -> None:
    world, store = World(answers={number: REFUSED}), Store()
    assert not failed(world, store, of)
    assert bool(world.open) is (of is KEPT)
    job_ids = send(world, store, of, records)
    assert world.started == job_ids
    assert len(world.jobs) == (1 if of is KEPT and records is RECORDS else 2)


def test_vendor_that_stays_down_may_be_tried_again() -> None:
    world, store = World(answers={2: DOWN, 3: DOWN}), Store()
    assert not failed(world, store, WITHDRAWN, VendorUnavailableError)
    assert not world.open
    assert send(world, store, WITHDRAWN) == world.started == ["job-2"]


def test_error_does_not_name_what_was_withdrawn() -> None:
    with pytest.raises(VendorAPIError, match=r"lines 1-2\): not accepted"):
        send(World(answers={2: REFUSED}), Store(), WITHDRAWN)


@pytest.mark.parametrize("records", [RECORDS, OTHERS], ids=["same records", "other records"])
def test_what_cannot_be_withdrawn_is_found_by_the_next_try(records: Any) -> None:
    world, store = World(answers={2: REFUSED, 3: DOWN, 4: DOWN}), Store()
    with pytest.raises(VendorAPIError, match=r"begun \(job_id job-1\), not completed"):
        send(world, store, WITHDRAWN)
    assert send(world, store, WITHDRAWN, records) == world.started
    assert not world.open


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
def test_start_of_unknown_outcome_stays_unknown(executed: bool) -> None:
    world, store = World({3: LOST}, {3} if executed else set()), Store()
    assert failed(world, store, WITHDRAWN, UnknownOutcomeError)
    for records in (RECORDS, OTHERS):
        with pytest.raises(UnknownOutcomeError):
            send(world, store, WITHDRAWN, records)
    assert len(world.requests) == 3


def test_later_step_that_is_not_harmless_is_kept() -> None:
    def steps(context: Any) -> Any:
        yield SaveProgress({"job_id": "job-1"}, harmless=True)
        yield Request("POST", "/jobs", idempotent=True)
        yield SaveProgress({"uploaded": 1})
        yield Request("POST", "/jobs/job-1/start", idempotent=True)

    world, store = World(answers={2: REFUSED}), Store()
    of = replace(WITHDRAWN, submit=steps)
    assert failed(world, store, of)
    assert world.open == ["job-1"]
    with pytest.raises(BulkJobError, match=r"Cannot resume.*one begun \(job_id job-1, uploaded 1\)"):
        send(world, store, of, OTHERS)


def test_empty_value_removes_a_step() -> None:
    def steps(_context: Any) -> Any:
        yield Request("POST", "/jobs", idempotent=True)
        yield SaveProgress({"job_id": "job-1", "uploaded": 1})
        yield SaveProgress({"job_id": "", "uploaded": ""}, harmless=True)
        raise VendorAPIError("refused")

    world, store = World(), Store()
    assert not failed(world, store, replace(WITHDRAWN, submit=steps))
    assert len(world.requests) == 1
    checkpoint = store.load()
    assert checkpoint is not None
    assert not checkpoint.progress


def test_accepted_batches_are_kept() -> None:
    world, store = World(answers={5: REFUSED}), Store()
    of = replace(WITHDRAWN, max_items=1)
    assert failed(world, store, of)
    with pytest.raises(BulkJobError, match="Cannot resume"):
        send(world, store, of, OTHERS)
    assert send(world, store, of) == world.started == ["job-1", "job-3"]


def test_killed_worker_leaves_a_job_that_the_next_try_withdraws() -> None:
    world, store = World({2: Killed()}), Store()
    assert not failed(world, store, WITHDRAWN, Killed)
    assert send(world, store, WITHDRAWN, OTHERS) == world.started == ["job-2"]
    assert not world.open


def test_nothing_is_withdrawn_for_another_operation() -> None:
    """Its connection may be another one, in which the same id is that of somebody else's job."""
    world, store = World({2: Killed()}), Store()
    assert not failed(world, store, WITHDRAWN, Killed)
    assert send(world, store, replace(WITHDRAWN, name="update"), OTHERS) == world.started == ["job-2"]
    assert world.open == ["job-1"]


def test_nothing_is_withdrawn_after_a_stop() -> None:
    world = World()
    with submission(world, WITHDRAWN) as made:
        handle = world.handle

        def stop(request: Any) -> Any:
            made.stop()
            return handle(request)

        world.handle = stop  # type: ignore[method-assign]
        with pytest.raises(BulkJobError, match="terminated"):
            made.send(Store())
    assert [request.path for request in world.requests] == ["/jobs", "/jobs/job-1/data"]
