# SPDX-License-Identifier: Apache-2.0
"""A second try of a submit resumes, or refuses to."""

import json

import pytest
from face.modes import fire
from face.submit_cases import (
    CREATE,
    IMPORT,
    UPSERT,
    Store,
    TaskInstance,
    WorkerDiedError,
    books,
    both_modes,
    each_once,
    idempotent,
    in_pieces,
    make,
    once_only,
    person,
    run,
    sent,
    submit,
)

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import (
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.http import requests_transport as requests_driver
from airflow_provider_bulkjobs.operators.checkpoint_store import PART, STATE, TaskCheckpointStore
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint


@in_pieces
def test_retry_resumes_with_the_first_batch_that_was_not_accepted(case, sim, account, long_jobs):
    conn_id, store = account(case.vendor), Store()
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "unauthorized", count=1))
    with pytest.raises(errors.AuthenticationError, match=r"1 of 3 batches accepted.*Batch 2 \(.*\): not accepted\."):
        submit({"ti": first, "task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert len(sent(sim, case.vendor)) == 2

    second = TaskInstance()
    job_ids = submit({"ti": second, "task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert len(sent(sim, case.vendor)) == 4
    assert job_ids == [job["job_id"] for job in sim.state()[case.vendor]["jobs"]]
    assert second.pushed[0] == first.pushed[-1], "Airflow empties the XCom between two tries"
    assert second.pushed[-1] == job_ids


@both_modes
def test_a_retry_waits_for_the_jobs_of_both_tries(mode, sim, account):
    conn_id, store = account("activecampaign"), Store()
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "unauthorized", count=1))
    with pytest.raises(errors.AuthenticationError):
        run(mode, {"ti": first, "task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())
    result = run(mode, {"task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())
    assert (result["job_count"], result["created"]) == (3, 600)


@in_pieces
def test_worker_killed_between_two_requests_loses_and_repeats_nothing(case, sim, account, long_jobs):
    def die():
        raise WorkerDiedError

    conn_id, store = account(case.vendor), Store()
    with pytest.raises(WorkerDiedError):
        submit({"ti": TaskInstance(die), "task_state_store": store}, conn_id=conn_id, **case.arguments())
    submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert len(sent(sim, case.vendor)) == 3


@once_only
@pytest.mark.parametrize("answered", [True, False])
def test_worker_killed_during_a_non_idempotent_request_resends_nothing(
    answered, case, sim, account, long_jobs, monkeypatch
):
    def noted_down_in_vain(value):
        return isinstance(value, dict) and value["accepted"] == 1 and not value["in_flight"]

    def die(*_args, **_kwargs):
        raise WorkerDiedError

    conn_id, store = account(case.vendor), Store(noted_down_in_vain if answered else lambda _value: False)
    with monkeypatch.context() as broken:
        if not answered:
            broken.setattr(requests_driver.RequestsTransport, "_send", die)
        with pytest.raises(WorkerDiedError):
            submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    before = len(sim.requests(case.vendor))
    store.dies = lambda _value: False
    for _ in range(2):
        with pytest.raises(PartialSubmitError, match=r"request was in flight.*Batch 1 .*outcome unknown"):
            submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert len(sim.requests(case.vendor)) == before == int(answered)


@idempotent
def test_worker_killed_during_an_idempotent_request_resumes(case, sim, account, long_jobs):
    store = Store(lambda value: isinstance(value, dict) and value["accepted"] == 2)
    conn_id = account(case.vendor)
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    store.dies = lambda _value: False
    submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert len(sent(sim, case.vendor)) == 4
    assert books(sim, case.vendor)["distinct"] == case.number


@pytest.mark.parametrize(
    "changes",
    [
        {"records": [person(n) for n in range(600)]},
        {"records": [{**person(n), "first_name": "A"} for n in range(1, 601)]},
        {"records": [person(n) for n in range(1, 600)]},
        {"records": [person(n) for n in range(600, 0, -1)]},
        {"options": {"exclude_automations": True}},
        {"options": {"callback": {"url": "https://example.com/done"}}},
        {"conn_id": "another"},
    ],
    ids=["others", "more fields", "fewer", "another order", "options of records", "options", "connection"],
)
def test_retry_with_other_records_is_refused(changes, sim, account):
    arguments = {"conn_id": account("activecampaign"), **IMPORT.arguments()}
    account("activecampaign", "another")
    store = Store()
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "unauthorized", count=1))
    with pytest.raises(errors.AuthenticationError):
        submit({"ti": first, "task_state_store": store}, **arguments)
    before = len(sim.requests("activecampaign"))
    with pytest.raises(errors.BulkJobError, match=r"from different records or options.*Nothing was sent") as caught:
        submit({"task_state_store": store}, **{**arguments, **changes})
    assert first.pushed[-1][0] in str(caught.value)
    assert len(sim.requests("activecampaign")) == before
    submit({"task_state_store": store}, **arguments)  # with what there was before it still goes on
    assert books(sim, "activecampaign") == each_once(600)


@both_modes
@pytest.mark.parametrize("ending", ["passed", "failed", "skipped", "not waited for"])
def test_run_after_the_result_submits_again(mode, ending, sim, account):
    arguments = {"conn_id": account("sendgrid"), "operation": "upsert", "records": [person(1), {"email": "nobody"}]}
    arguments |= {"allowed_failures": 1} if ending == "passed" else {}
    arguments |= {"soft_fail": True} if ending == "skipped" else {}
    arguments |= {"wait_for_completion": False} if ending == "not waited for" else {}
    outcome = {"failed": JobFailedError, "skipped": AirflowSkipException}.get(ending)
    store = Store()
    for runs in (1, 2):
        cleared = TaskInstance()
        cleared.max_tries = runs  # a clear raises it
        context = {"ti": cleared, "task_state_store": store}
        if outcome:
            with pytest.raises(outcome):
                run(mode, context, **arguments)
        else:
            run(mode, context, **arguments)
        assert len(sent(sim, "sendgrid")) == runs


@both_modes
def test_expired_job_is_submitted_again(mode, sim, account):
    arguments = {"conn_id": account("acquia"), "timeout": 5, **CREATE.arguments(1)}
    store = Store()
    sim.settings(job_seconds=60)
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", **arguments).execute({"task_state_store": store})
    assert STATE in store.values
    [job] = sim.state()["acquia"]["jobs"]
    sim.expire(job["job_id"])
    with pytest.raises(JobExpiredError):
        make(**arguments).execute_complete({"task_state_store": store}, fire(deferred.value.trigger))
    sim.settings(job_seconds=0)
    cleared = TaskInstance()
    cleared.max_tries = 1
    run(mode, {"ti": cleared, "task_state_store": store}, **arguments)
    assert len(sent(sim, "acquia")) == 2


@both_modes
def test_retry_of_the_wait_submits_nothing(mode, sim, account, impatient):
    arguments, store = {"conn_id": account("activecampaign"), **IMPORT.arguments(250)}, Store()
    sim.fault("activecampaign", "server_error", path="/import/info")
    with pytest.raises(errors.VendorUnavailableError):
        run(mode, {"task_state_store": store}, **arguments)
    sim.clear_faults()
    again = TaskInstance()
    result = run(mode, {"ti": again, "task_state_store": store}, **arguments)
    assert (result["created"], len(sent(sim, "activecampaign"))) == (250, 1)
    assert again.pushed[-1:] == [[result["jobs"][0]["job_id"]]]


def test_timeout_keeps_the_checkpoint(sim, account, long_jobs):
    arguments, store = {"conn_id": account("sendgrid"), **UPSERT.arguments(1)}, Store()
    for timeout in (0.1, 0.2):
        with pytest.raises(AirflowSensorTimeout):
            run("poke", {"task_state_store": store}, timeout=timeout, **arguments)
    assert len(sent(sim, "sendgrid")) == 1


@pytest.mark.parametrize("number", [1, PART, PART + 1, 3 * PART])
def test_job_ids_are_stored_in_parts(number):
    sizes = []
    store = Store(lambda value: sizes.append(len(json.dumps(value))))
    checkpoints, progress = TaskCheckpointStore({"task_state_store": store}), Checkpoint("fingerprint")
    for count in range(1, number + 1):
        progress.accepted = count
        progress.job_ids.append(f"job-{count:036}")
        checkpoints.save(progress)
    assert TaskCheckpointStore({"task_state_store": store}).load() == progress
    assert max(sizes) < 50 * PART
