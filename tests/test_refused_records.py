# SPDX-License-Identifier: Apache-2.0
"""Records for which the vendor refuses a batch are left out, and the others are sent, if skip_invalid allows it."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from vendors.scripted import SECRET, Script, ScriptedHandler, make_account, serving

from airflow_provider_bulkjobs.exceptions import UnknownOutcomeError, VendorAPIError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.submitting import submission as limits
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
WRONG = "Field 'email' incorrect format"
ACCEPTED = {"status": 200, "body": {"job_id": "j-1", "batchId": "j-1", "data": {"id": "j-1"}}}
PEOPLE = [{"email": f"person-{number}@example.com"} for number in range(8)]


class KilledError(BaseException):
    """The worker is gone."""


class Store:
    """A checkpoint store; it survives the worker, which dies after a number of writes."""

    def __init__(self, dies_after: int = 0) -> None:
        self.saved: list[Checkpoint] = []
        self.dies_after = dies_after

    def save(self, checkpoint: Checkpoint) -> None:
        self.saved.append(Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json()))))
        if len(self.saved) == self.dies_after:
            raise KilledError

    def publish(self, checkpoint: Checkpoint) -> None:
        """Nobody reads them."""


@pytest.fixture
def script() -> Iterator[Script]:
    with serving(ScriptedHandler) as script:
        yield script


def activecampaign(*items: int, **more: Any) -> dict[str, Any]:
    reasons = [{"contact": index, "failureReason": WRONG} for index in items]
    return {"status": 400, "body": {"success": 0, "message": "not valid", "failureReasons": reasons}, **more}


def sendgrid(*items: int) -> dict[str, Any]:
    errors = [{"message": WRONG, "field": f"contacts[{index}].email"} for index in items]
    return {"status": 400, "body": {"errors": errors}}


def klaviyo(*items: int) -> dict[str, Any]:
    pointer = "/data/attributes/profiles/data/{}/attributes/email"
    return {
        "status": 400,
        "body": {"errors": [{"detail": WRONG, "source": {"pointer": pointer.format(n)}} for n in items]},
    }


REFUSALS = {"activecampaign": activecampaign, "sendgrid": sendgrid, "klaviyo": klaviyo}


class Submit:
    """One try of a task."""

    def __init__(self, script: Script, *answers: Any, conn_type: str = "activecampaign", size: int = 250) -> None:
        self.hook = HOOK_OF[conn_type]("mine")
        self.hook.account = make_account(self.hook.vendor, script.url())
        self.script = script
        self.operation = replace(self.hook.vendor.kinds[0].operations[0], max_items=size)
        self.rejected: list[Row] = []
        self.store = Store()
        self.report = ""
        script.seen.clear()
        script.play(answers)

    def __call__(
        self, records: Any = PEOPLE, earlier: Checkpoint | None = None, *, skip: bool = True, dies_after: int = 0
    ) -> Submission:
        self.store = Store(dies_after)
        try:
            with Submission(self.hook, "contacts", self.operation, {}, logging.getLogger("tests")) as submission:
                rows = (Row(number, record) for number, record in enumerate(records, 1))
                submission.prepare(rows, self.rejected.append if skip else None)
                submission.send(self.store, earlier)
                self.report = submission.report
                return submission
        finally:
            self.hook.transport.close()

    @property
    def sent(self) -> list[list[int]]:
        """The numbers of the people in each request."""
        bodies = [seen.body for seen in self.script.seen]
        return [[n for n in range(len(PEOPLE)) if f"person-{n}@" in body] for body in bodies]


@pytest.mark.parametrize("conn_type", REFUSALS)
def test_refused_records_are_left_out_and_the_others_are_sent(script: Script, conn_type: str) -> None:
    submit = Submit(script, REFUSALS[conn_type](1, 6), ACCEPTED, conn_type=conn_type)
    submission = submit()
    assert submit.sent == [[*range(8)], [0, 2, 3, 4, 5, 7]]
    assert (submission.submitted, submission.rejected, submission.job_ids) == (6, 2, ["j-1"])
    assert [(row.line, row.record) for row in submit.rejected] == [(2, PEOPLE[1]), (7, PEOPLE[6])]
    field = "" if conn_type == "activecampaign" else ", field 'email'"
    assert {row.problem for row in submit.rejected} == {f"was refused by {submit.hook.vendor.label}{field}: {WRONG}"}


def test_positions_count_the_records_that_were_sent(script: Script) -> None:
    submit = Submit(script, activecampaign(0), activecampaign(0, 2), ACCEPTED)
    submit()
    assert submit.sent[1:] == [[1, 2, 3, 4, 5, 6, 7], [2, 4, 5, 6, 7]]
    assert [row.line for row in submit.rejected] == [1, 2, 4]


def test_positions_count_from_the_start_of_the_batch(script: Script) -> None:
    submit = Submit(script, ACCEPTED, activecampaign(1), ACCEPTED, ACCEPTED, size=3)
    submit()
    assert submit.sent == [[0, 1, 2], [3, 4, 5], [3, 5], [6, 7]]
    assert submit.report.startswith("3 of 3 batches accepted (lines 1-8; ")


def test_batch_without_valid_records_is_not_sent(script: Script) -> None:
    submit = Submit(script, activecampaign(0, 1), ACCEPTED, size=2)
    submission = submit(PEOPLE[:4])
    assert submit.sent == [[0, 1], [2, 3]]
    assert (submission.submitted, submission.job_ids) == (2, ["j-1"])


def test_without_skip_invalid_the_refusal_is_an_error(script: Script) -> None:
    submit = Submit(script, activecampaign(1))
    with pytest.raises(VendorAPIError, match="Rejected records: line 2"):
        submit(skip=False)


def test_rounds_are_limited(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ROUNDS", 2)
    submit = Submit(script, *[activecampaign(0)] * 3)
    with pytest.raises(VendorAPIError, match="Rejected records: line 3"):
        submit()
    assert len(submit.sent) == 3


def test_number_of_refused_records_is_limited(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REFUSED", 2)
    submit = Submit(script, activecampaign(0, 1, 2))
    with pytest.raises(VendorAPIError, match=r"line 1: .*line 3"):
        submit()
    assert submit.rejected == []


@pytest.mark.parametrize("positions", [(), (8,)], ids=["none", "outside the batch"])
def test_refusal_that_names_no_record_is_an_error(script: Script, positions: tuple[int, ...]) -> None:
    with pytest.raises(VendorAPIError):
        Submit(script, activecampaign(*positions))()


def test_unknown_outcome_leaves_nothing_out(script: Script) -> None:
    submit = Submit(script, activecampaign(1, status=500))
    with pytest.raises(UnknownOutcomeError):
        submit()
    assert (len(submit.sent), submit.rejected) == (1, [])


def test_secret_is_not_in_the_file(script: Script) -> None:
    refusal = json.loads(json.dumps(activecampaign(1)).replace(WRONG, f"bad {SECRET}"))
    submit = Submit(script, refusal, ACCEPTED)
    submit()
    assert SECRET not in str(submit.rejected)


def test_log_has_no_values(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tests"):
        Submit(script, activecampaign(1), ACCEPTED)()
    assert "refused it because of 1 records" in caplog.text
    assert "person-" not in caplog.text


@pytest.mark.parametrize("write", range(1, 8))
def test_retry_leaves_out_the_same_records(script: Script, write: int) -> None:
    """The worker dies after each write of the checkpoint in turn."""
    answers = [ACCEPTED, activecampaign(1), ACCEPTED, ACCEPTED]
    first = Submit(script, *answers, size=3)
    with pytest.raises(KilledError):
        first(dies_after=write)
    checkpoint = first.store.saved[-1]
    done = checkpoint.accepted + len(checkpoint.refused)  # requests with an answer that was saved
    again = Submit(script, *answers[done:], size=3)
    if checkpoint.in_flight:  # a request that is not idempotent: nobody knows whether it was sent
        with pytest.raises(UnknownOutcomeError):
            again(earlier=checkpoint)
        return
    submission = again(earlier=checkpoint)
    assert again.sent == [[0, 1, 2], [3, 4, 5], [3, 5], [6, 7]][done:]
    assert (submission.submitted, submission.rejected) == (7, 1)
    assert [(row.line, row.record) for row in again.rejected] == [(5, PEOPLE[4])]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_decoded_record_is_the_encoded_one(vendor: Any) -> None:
    record = {"id": "7 é/", "email": "a@example.com", "name": None}
    for operation in (operation for kind in vendor.kinds for operation in kind.operations if operation.max_items):
        if operation.decode is json.loads and not vendor.errors.invalid_items:
            continue  # it has its own encoding, and none of its records is ever decoded
        assert operation.decode(operation.encode(record)).items() <= record.items(), operation.name
