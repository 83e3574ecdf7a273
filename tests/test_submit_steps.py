# SPDX-License-Identifier: Apache-2.0
"""A submit of several steps: a killed worker neither repeats nor forgets a step."""

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from submit_world import LOST, RECORDS, UNSENT, Killed, Store, World, operation, send, submission, submit

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
    OutputWriteError,
    TransientError,
    UnknownOutcomeError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http import retry
from airflow_provider_bulkjobs.protocol.flow import Request, Response, SaveProgress
from airflow_provider_bulkjobs.submitting.checkpoint import CheckpointError

ONCE = operation()  # the operation creates a job each time, and so does each repeated request
HARMLESS = operation(partial(submit, empty_is_harmless=True))  # an empty job that is never started does no harm
REFUSED = Response(400, {}, b'{"message": "no"}')
DOWN = Response(503, {}, b"{}")


@pytest.fixture(autouse=True)
def _few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.RetryPolicy.__init__, "__defaults__", (2, *retry.RetryPolicy.__init__.__defaults__[1:]))


def killed(world: World, store: Store, of: Any) -> None:
    with pytest.raises(Killed):
        send(world, store, of)


# --- killed, with a store


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_kill_during_a_step_starts_exactly_one_job(number: int, executed: bool) -> None:
    world, store = World({number: Killed()}, {number} if executed else set()), Store()
    killed(world, store, HARMLESS)
    [job_id] = send(world, store, HARMLESS)
    assert world.started == [job_id]
    if number > 1:
        assert list(world.jobs) == [job_id]


@pytest.mark.parametrize(
    ("of", "write"), [*((ONCE, write) for write in (1, 2, 3, 4)), *((HARMLESS, n) for n in (1, 2, 3))]
)
def test_kill_after_a_write_starts_exactly_one_job(of: Any, write: int) -> None:
    world, store = World(), Store(dies_after=write)
    killed(world, store, of)
    if of is ONCE and write == 1:  # reserved, and nothing sent
        with pytest.raises(UnknownOutcomeError, match="in flight"):
            send(world, store, of)
        assert not world.jobs
    else:
        [job_id] = send(world, store, of)
        assert world.started == list(world.jobs) == [job_id]


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
def test_kill_while_a_job_is_created_is_never_repeated(executed: bool) -> None:
    world, store = World({1: Killed()}, {1} if executed else set()), Store()
    killed(world, store, ONCE)
    with pytest.raises(UnknownOutcomeError, match=r"in flight.*Batch 1 \(lines 1-2\): outcome unknown"):
        send(world, store, ONCE)
    assert len(world.requests) == 1


@pytest.mark.parametrize("number", [2, 3])
def test_resume_skips_the_steps_that_are_done(number: int) -> None:
    world, store = World({number: Killed()}, {number}), Store()
    killed(world, store, ONCE)
    send(world, store, ONCE)
    paths = [request.path for request in world.requests]
    assert paths.count("/jobs") == 1
    assert paths.count("/jobs/job-1/data") == (2 if number == 2 else 1)


def test_accepted_batch_has_no_progress_left() -> None:
    world, store = World(), Store()
    batches = replace(ONCE, max_items=1)
    assert send(world, store, batches) == ["job-1", "job-2"]
    checkpoint = store.load()
    assert checkpoint is not None
    assert (checkpoint.accepted, checkpoint.in_flight, checkpoint.progress) == (2, False, {})


def test_progress_of_other_records_is_not_used() -> None:
    world, store = World({2: Killed()}), Store()
    killed(world, store, ONCE)
    with pytest.raises(BulkJobError, match=r"Cannot resume: .* one begun \(job_id job-1\)"):
        send(world, store, ONCE, RECORDS[:1])
    assert len(world.requests) == 2


# --- errors


@pytest.mark.parametrize("of", [ONCE, HARMLESS], ids=["create once", "create again"])
@pytest.mark.parametrize(
    ("number", "progress"), [(2, "job_id job-1"), (3, "job_id job-1, uploaded 1")], ids=["upload", "start"]
)
def test_rejected_step_names_what_was_saved_and_a_retry_continues(number: int, progress: str, of: Any) -> None:
    world, store = World(answers={number: REFUSED}), Store()
    with pytest.raises(VendorAPIError, match=rf"lines 1-2\): begun \({progress}\), not completed"):
        send(world, store, of)
    assert send(world, store, of) == ["job-1"]
    assert world.started == list(world.jobs) == ["job-1"]


@pytest.mark.parametrize("fault", [LOST, UNSENT], ids=["lost", "not sent"])
@pytest.mark.parametrize("number", [2, 3])
def test_lost_response_of_a_repeatable_step_is_retried(number: int, fault: Exception) -> None:
    world, store = World({number: fault}, {number} if fault is LOST else set()), Store()
    assert send(world, store, ONCE) == ["job-1"]
    assert world.started == list(world.jobs) == ["job-1"]
    assert len(world.requests) == 4


def test_step_that_stays_down_names_what_was_saved() -> None:
    world, store = World(answers={2: DOWN, 3: DOWN}), Store()
    with pytest.raises(VendorUnavailableError, match=r"begun \(job_id job-1\), not completed"):
        send(world, store, ONCE)
    assert send(world, store, ONCE) == ["job-1"]
    assert world.started == list(world.jobs) == ["job-1"]


def test_lost_response_of_the_first_step_is_unknown_unless_it_is_harmless() -> None:
    for of, jobs in ((ONCE, 1), (HARMLESS, 2)):
        world, store = World({1: LOST}, {1}), Store()
        if of is ONCE:
            with pytest.raises(UnknownOutcomeError, match="outcome unknown"):
                send(world, store, of)
        else:
            assert send(world, store, of) == ["job-2"]
            assert world.started == ["job-2"]
        assert len(world.jobs) == jobs


def test_progress_that_cannot_be_stored_is_in_the_error() -> None:
    world, store = World(), Store(fails=lambda checkpoint: bool(checkpoint.progress))
    with pytest.raises(UnknownOutcomeError, match=r"could not be written.*begun \(job_id job-1\)"):
        send(world, store, ONCE)
    with pytest.raises(UnknownOutcomeError, match="in flight"):  # the store does not know more
        send(world, store, ONCE)
    assert len(world.requests) == 1


def test_progress_of_a_harmless_step_that_cannot_be_stored_is_in_the_error() -> None:
    world, store = World(), Store(fails=lambda checkpoint: bool(checkpoint.progress))
    with pytest.raises(CheckpointError, match=r"could not be written.*begun \(job_id job-1\)"):
        send(world, store, HARMLESS)


def test_error_of_another_kind_has_the_saved_ids_in_a_note() -> None:
    world = World({2: KeyError("a defect")})
    with submission(world, ONCE) as made, pytest.raises(KeyError) as caught:
        made.send(Store())
    assert "begun (job_id job-1), not completed" in caught.value.__notes__[0]
    assert made.has_sent


def test_saved_ids_are_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        send(World(), Store(), ONCE)
    assert "Batch 1 of 1 (lines 1-2): job_id job-1" in caplog.text


# --- without SaveProgress


def test_later_step_that_is_rejected_leaves_the_outcome_unknown() -> None:
    def flow(_context: Any) -> Any:
        yield Request("POST", "/jobs")
        yield Request("PUT", "/jobs/job-1/data", body=b"x", idempotent=True)
        return "job-1"

    for answers in ({2: REFUSED}, {2: DOWN, 3: DOWN}):
        world, store = World(answers=answers), Store()
        with pytest.raises(UnknownOutcomeError):
            send(world, store, operation(flow))
        checkpoint = store.load()
        assert checkpoint is not None
        assert checkpoint.in_flight


@pytest.mark.parametrize("error", [TransientError("no id"), UntrustedResponseError("too complex")])
def test_submit_never_restarts_after_a_request_that_must_not_be_repeated(error: Exception) -> None:
    def flow(_context: Any) -> Any:
        yield Request("POST", "/jobs")
        raise error

    world = World()
    with pytest.raises(UnknownOutcomeError):
        send(world, Store(), operation(flow))
    assert len(world.requests) == 1


def test_request_that_is_sent_once_repeats_no_earlier_one() -> None:
    def flow(_context: Any) -> Any:
        yield Request("POST", "/jobs")
        yield Request("PUT", "/jobs/job-1/data", body=b"x", idempotent=True, once=True)
        return "job-1"

    world = World(answers={2: DOWN})
    with pytest.raises(UnknownOutcomeError):
        send(world, Store(), operation(flow))
    assert len(world.jobs) == 1


def test_flow_that_fails_after_a_rejected_step_is_not_restarted() -> None:
    def flow(_context: Any) -> Any:
        yield Request("POST", "/jobs")
        try:
            yield Request("PUT", "/jobs/job-1/data", body=b"x", idempotent=True)
        except VendorAPIError as error:
            raise TransientError("try again") from error
        return "job-1"

    world = World(answers={2: REFUSED})
    with pytest.raises(UnknownOutcomeError):
        send(world, Store(), operation(flow))
    assert len(world.jobs) == 1


def test_rejection_in_the_body_stays_a_rejection() -> None:
    def flow(_context: Any) -> Any:
        yield Request("POST", "/jobs")
        raise VendorAPIError("refused")

    store = Store()
    with pytest.raises(VendorAPIError, match=r"refused.*not accepted"):
        send(World(), store, operation(flow))
    checkpoint = store.load()
    assert checkpoint is not None
    assert not checkpoint.in_flight


def test_restarted_flow_receives_the_progress() -> None:
    seen = []

    def flow(context: Any) -> Any:
        seen.append(dict(context.progress))
        if not context.progress:
            yield Request("POST", "/jobs")
            yield SaveProgress({"job_id": "job-1"})
            raise TransientError("half a response")
        return "job-1"

    assert send(World(), Store(), operation(flow)) == ["job-1"]
    assert seen[1:] == [{}, {"job_id": "job-1"}]  # the first one is for the size of a request


def test_request_overrides_an_idempotent_operation() -> None:
    def flow(_context: Any) -> Any:
        yield Request("POST", "/jobs", idempotent=False)
        return "job-1"

    with pytest.raises(UnknownOutcomeError):
        send(World({1: LOST}, {1}), Store(), operation(flow, idempotent=True))


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
@pytest.mark.parametrize("lost", [LOST, UNSENT, DOWN], ids=["lost", "unsent", "503"])
def test_request_that_is_sent_once_is_replaced_by_the_flow(lost: Any, executed: bool) -> None:
    def flow(context: Any) -> Any:
        job_id = (yield Request("POST", "/jobs", idempotent=True)).json["id"]
        yield SaveProgress({"job_id": job_id})
        yield Request("PUT", f"/jobs/{job_id}/data", body=context.payload.data, idempotent=True, once=True)
        yield Request("POST", f"/jobs/{job_id}/start", idempotent=True)
        return job_id

    answers, faults = ({2: lost}, {}) if lost is DOWN else ({}, {2: lost})
    world = World(faults, {2} if executed else set(), answers)
    assert send(world, Store(), operation(flow)) == ["job-2"]
    assert [request.path for request in world.requests if request.once] == ["/jobs/job-1/data", "/jobs/job-2/data"]
    assert world.started == ["job-2"]


def test_request_whose_body_cannot_be_opened_was_not_sent() -> None:
    """A large body is copied to a temporary file, for which there may be no space."""
    world, store = World(faults={1: OutputWriteError("no temporary file can be written in /full")}), Store()
    with pytest.raises(OutputWriteError, match=r"in /full.*Batch 1.*: not accepted"):
        send(world, store, operation())
    assert send(world, store, operation()) == world.started
