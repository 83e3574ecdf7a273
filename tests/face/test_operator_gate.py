# SPDX-License-Identifier: Apache-2.0
"""The gate after a submit, and tasks that are killed."""

import json

import pytest
from face.modes import fire
from face.submit_cases import CREATE, Store, TaskInstance, WorkerDiedError, both_modes, make, person, run, sent, submit

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs._airflow import (
    AirflowSensorTimeout,
    TaskDeferred,
)
from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor


@both_modes
@pytest.mark.parametrize(
    ("allowed", "expected", "passes"),
    [(0.05, None, True), (0.04, None, False), (0.04, 200, True), (0.05, 50, False), (5, None, True), (4, None, False)],
)
def test_a_share_is_one_of_what_was_submitted(mode, allowed, expected, passes, sim, account):
    # ActiveCampaign does not report the total, and rejects addresses only after it has accepted the request.
    records = [person(n) for n in range(95)] + [{"email": f"bad-{n}@example.invalid"} for n in range(5)]
    arguments = {"conn_id": account("activecampaign"), "records": records, "expected_items": expected}
    if passes:
        assert run(mode, allowed_failures=allowed, **arguments)["failed"] == 5
    else:
        with pytest.raises(JobFailedError, match=r"5 (of [0-9]+ )?items failed"):
            run(mode, allowed_failures=allowed, **arguments)


@both_modes
def test_rejected_import_is_not_to_be_cleared(mode, sim, account):
    bad = [{"email": "bad-1@example.invalid"}]
    with pytest.raises(JobFailedError, match="Do not clear this task, because that submits every record again"):
        run(mode, conn_id=account("activecampaign"), records=bad)


@both_modes
def test_the_numbers_are_those_of_all_jobs(mode, sim, account):
    records = [*CREATE.arguments(10_100)["records"], {"email": "nobody"}]
    arguments = {"conn_id": account("acquia"), "operation": "create", "records": records}
    result = run(mode, allowed_failures=1, **arguments)
    assert [result[name] for name in ("job_count", "total", "failed", "created")] == [2, 10_101, 1, 10_100]


def test_counts_survive_a_resume_with_the_event_only(sim, account):
    """As in ``dag.test()`` of Airflow 3, which passes none of the deferral's kwargs."""
    arguments = {"conn_id": account("activecampaign"), "records": [person(1), person(2)], "allowed_failures": 0.5}
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", **arguments).execute({})
    event = fire(deferred.value.trigger)
    result = make("deferrable", **arguments).execute_complete({}, json.loads(json.dumps(event)))
    assert (result["submitted"], result["rejected"]) == (2, 0)


def deleted(sim):
    return [request.path_qs.rpartition("/")[2] for request in sim.requests("acquia") if request.method == "DELETE"]


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_kill_during_the_submit_stops_what_was_submitted(cancel_on_kill, sim, account, long_jobs):
    operator = make(
        conn_id=account("acquia"), cancel_on_kill=cancel_on_kill, wait_for_completion=False, **CREATE.arguments()
    )
    task_instance = TaskInstance(on_id=operator.on_kill)
    with pytest.raises(PartialSubmitError, match=r"terminated the task.*1 of 3 batches accepted"):
        operator.execute({"ti": task_instance})
    assert deleted(sim) == (task_instance.pushed[-1] if cancel_on_kill else [])
    assert [request.method for request in sent(sim, "acquia")] == ["POST", *["DELETE"] * cancel_on_kill]


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_kill_during_the_wait_stops_what_is_not_over(cancel_on_kill, sim, account, long_jobs):
    class Killed(BulkJobOperator):
        def poke(self, context):
            answer = super().poke(context)
            self.on_kill()
            return answer

    task_instance = TaskInstance()
    operator = Killed(
        task_id="import",
        conn_id=account("acquia"),
        cancel_on_kill=cancel_on_kill,
        poke_interval=0.05,
        timeout=0.3,
        deferrable=False,
        **CREATE.arguments(),
    )
    with pytest.raises(JobExpiredError if cancel_on_kill else AirflowSensorTimeout):
        operator.execute({"ti": task_instance})
    assert deleted(sim) == (task_instance.pushed[-1] if cancel_on_kill else [])


def test_a_kill_between_the_submit_and_the_wait_stops_what_was_submitted(sim, account, long_jobs):
    class Killed(BulkJobOperator):
        def _start(self, context):
            self.on_kill()
            raise WorkerDiedError

    task_instance = TaskInstance()
    operator = Killed(task_id="i", conn_id=account("acquia"), cancel_on_kill=True, **CREATE.arguments(1))
    with pytest.raises(PartialSubmitError):
        operator.execute({"ti": task_instance})
    assert deleted(sim) == task_instance.pushed[-1]


def test_a_kill_before_anything_was_submitted_stops_nothing(sim, account):
    make(conn_id=account("acquia"), cancel_on_kill=True, **CREATE.arguments(1)).on_kill()
    assert sim.requests("acquia") == []


def test_trigger_cancels_the_jobs(sim, account, long_jobs):
    with pytest.raises(TaskDeferred) as deferred:
        run_until_deferred(conn_id=account("acquia"), cancel_on_kill=True, **CREATE.arguments(1))
    assert deferred.value.trigger.cancel_on_kill
    arguments = json.dumps([deferred.value.trigger.serialize(), deferred.value.kwargs])
    assert "example.com" not in arguments
    assert simulator.ACQUIA_PASSWORD not in arguments


def run_until_deferred(**arguments):
    make("deferrable", **arguments).execute({})


def finished(**numbers):
    nothing_known = dict.fromkeys(("succeeded", "created", "updated", "deleted"))
    job = {"job_id": "j-1", "state": "succeeded", "vendor_state": "completed", "total": None, "failed": None}
    result = {"vendor": "acquia_campaign_studio", "state": "succeeded", "job_kind": "contacts", "job_count": 1}
    return {"status": "finished", "result": {**result, **nothing_known, "jobs": [job], **numbers}}


@pytest.mark.parametrize("failed", [0, None])
def test_records_missing_from_the_total_count_as_failed(failed, account):
    arguments = {"conn_id": account("acquia"), "operation": "create", "records": []}
    event = finished(total=10, failed=failed)
    with pytest.raises(JobFailedError, match="990 items failed, 0 allowed"):
        make("deferrable", **arguments).execute_complete({}, event, submitted=1000)
    passed = make("deferrable", allowed_failures=None, **arguments).execute_complete({}, event, submitted=1000)
    assert (passed["state"], passed["total"], passed["failed"]) == ("partially_failed", 1000, 990)


@pytest.mark.parametrize(
    ("counts", "missing"),
    [
        ({"succeeded": 3, "failed": 0}, 2),
        ({"succeeded": 3, "failed": None}, 2),
        ({"succeeded": 3, "failed": 1, "state": "partially_failed"}, 1),
        ({"succeeded": 5, "failed": 0}, 0),
    ],
)
def test_without_a_total_the_counts_are_held_against_what_was_submitted(counts, missing, account):
    arguments = {"task_id": "t", "conn_id": account("activecampaign"), "allowed_failures": None}
    results = [
        BulkJobOperator(records=[], **arguments).execute_complete({}, finished(total=None, **counts), submitted=5),
        BulkJobSensor(job_id="j-1", expected_items=5, **arguments).execute_complete({}, finished(total=None, **counts)),
    ]
    for result in results:
        assert result["failed"] == (counts["failed"] or 0) + missing
        assert (result["state"], result["total"]) == (("partially_failed", 5) if missing else ("succeeded", None))


def test_without_counts_the_state_decides(account):
    operator = make("deferrable", conn_id=account("activecampaign"), records=[])
    result = operator.execute_complete({}, finished(total=None, failed=0), submitted=1000)
    assert (result["state"], result["total"], result["failed"]) == ("succeeded", None, 0)


def test_result_says_that_nothing_was_submitted(account):
    instance = TaskInstance()
    with pytest.raises(errors.BadArgumentError, match=r"Check the names of the fields; the first record has 'Email'\."):
        submit({"ti": instance}, conn_id=account("activecampaign"), records=[{"Email": "ada@example.com"}])
    assert instance.pushed == [[]]


@both_modes
def test_result_has_submitted_and_rejected(mode, account, tmp_path):
    arguments = {"conn_id": account("activecampaign"), "records": [person(1), person(2), {"email": "nobody"}]}
    result = run(mode, **arguments, skip_invalid=True, results_path=str(tmp_path / "rejected.jsonl"))
    assert (result["submitted"], result["rejected"], result["failed"]) == (2, 1, 0)


def test_reschedule_mode_is_refused():
    with pytest.raises(errors.BadArgumentError, match="would submit the records again at each poke"):
        make(conn_id="a", records=[], default_args={"mode": "reschedule"})


@both_modes
def test_without_a_store_an_error_of_the_wait_is_not_retried(mode, sim, account, monkeypatch):
    sim.fault("activecampaign", "unauthorized", path="import/info")
    arguments = {"conn_id": account("activecampaign"), "records": [person(1)]}
    with pytest.raises(PartialSubmitError, match="Use a BulkJobSensor"):
        run(mode, **arguments)
    with pytest.raises(errors.AuthenticationError):
        run(mode, {"task_state_store": Store()}, **arguments)
