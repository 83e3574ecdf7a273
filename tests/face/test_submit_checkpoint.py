# SPDX-License-Identifier: Apache-2.0
"""From Airflow 3.3 on, the checkpoint has the submitted batches, and whether the task has its result."""

from contextlib import suppress
from types import SimpleNamespace

import pytest
from face.modes import fire
from face.submits import PERSON, Store, TaskInstance, make, submits

from airflow_provider_bulkjobs._airflow import AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from airflow_provider_bulkjobs.exceptions import AuthenticationError, BulkJobError, JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.operators import checkpoint_store as checkpoints
from airflow_provider_bulkjobs.operators.checkpoint_store import PART, STATE, TaskCheckpointStore
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError

both_waits = pytest.mark.parametrize("wait", [True, False])
both_modes = pytest.mark.parametrize("deferrable", [True, False])


@pytest.fixture
def waits(monkeypatch):
    """Return the waits between the attempts to write, which then take no time."""
    waits = []
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(sleep=waits.append))
    return waits


def run(context, conn_id="activecampaign_default", **arguments):
    """Run a task to its end, with another process for what comes after a deferral."""
    try:
        return make(conn_id, **arguments).execute(context)
    except TaskDeferred as deferred:
        kwargs = {**deferred.kwargs, "event": fire(deferred.trigger)}
        return make(conn_id, **arguments).resume_execution(deferred.method_name, kwargs, context)


def accepted(value):
    return isinstance(value, dict) and value["accepted"] == 1 and not value["in_flight"]


DOWN = RuntimeError("API_SERVER_ERROR 503")


def failing(times, when=accepted, error=DOWN):
    """Fail the first writes of some values."""
    left = iter(range(times))

    def fails(value):
        if when(value) and next(left, None) is not None:
            raise error

    return fails


# A retry after the verdict, and a clear.


@both_modes
@both_waits
def test_lost_success_is_not_submitted_again(wait, deferrable, sim, account, tmp_path):
    source = tmp_path / "people.jsonl"
    source.write_text('{"email": "a@example.com"}\n{"email": "nobody"}\n')
    arguments = {"conn_id": account("activecampaign"), "wait_for_completion": wait, "deferrable": deferrable}
    arguments |= {"records": str(source), "skip_invalid": True, "results_path": str(tmp_path / "rejected.jsonl")}
    store = Store()
    first = run({"ti": TaskInstance(1, max_tries=2), "task_state_store": store}, **arguments)
    source.unlink()
    for number in (2, 3):
        ti = TaskInstance(number, max_tries=2)
        assert run({"ti": ti, "task_state_store": store}, **arguments) == first
        assert ti.xcom["job_ids"] == sim_jobs(sim)
    assert submits(sim) == 1


def sim_jobs(sim):
    return [job["job_id"] for job in sim.state()["activecampaign"]["jobs"]]


@both_modes
@both_waits
def test_clear_after_the_result_submits_again(wait, deferrable, sim, account):
    arguments = {"conn_id": account("activecampaign"), "wait_for_completion": wait, "deferrable": deferrable}
    store = Store()
    for number in (1, 2, 3):
        for try_number in (number, number + 1):  # the second one has the same max_tries: a retry
            run({"ti": TaskInstance(try_number, max_tries=number), "task_state_store": store}, **arguments)
        assert submits(sim) == number


@both_modes
@pytest.mark.parametrize("flags", [{}, {"soft_fail": True}], ids=str)
def test_failed_job_is_submitted_again_only_after_a_clear(flags, deferrable, sim, account):
    arguments = {"conn_id": account("acquia"), "operation": "create", "records": [{"email": "nobody"}], **flags}
    store = Store()
    for max_tries, number in ((1, 1), (1, 1), (2, 2)):
        context = {"ti": TaskInstance(max_tries=max_tries), "task_state_store": store}
        with pytest.raises(AirflowSkipException if flags else JobFailedError):
            run(context, deferrable=deferrable, **arguments)
        assert submits(sim, "acquia") == number


@pytest.mark.parametrize("ending", ["timeout", "outage", "execution_timeout", "on_kill"])
@pytest.mark.parametrize("flags", [{}, {"soft_fail": True}, {"never_fail": True}, {"cancel_on_kill": True}], ids=str)
def test_jobs_without_a_result_are_never_submitted_again(flags, ending, sim, account, monkeypatch):
    sim.settings(job_seconds=60)
    arguments = {"conn_id": account("acquia"), "operation": "create", "timeout": 0.1, **flags}
    store = Store()
    error = {"outage": BulkJobError("down"), "execution_timeout": AirflowTaskTimeout()}.get(ending)
    for max_tries in (1, 1, 2):
        operator = make(**arguments)
        if error:
            monkeypatch.setattr(operator, "_start", lambda _context, e=error: (_ for _ in ()).throw(e))
        with suppress(Exception, AirflowTaskTimeout):  # how it ends is tested elsewhere
            operator.execute({"ti": TaskInstance(max_tries=max_tries), "task_state_store": store})
        if ending == "on_kill":
            operator.on_kill()
        assert sum(request.method == "POST" for request in sim.requests("acquia")) == 1


def test_a_failing_mark_of_the_end_does_not_fail_the_task(sim, account, caplog):
    store = Store(failing(99, when=lambda value: isinstance(value, dict) and value["finished"]))
    context = {"ti": TaskInstance(), "task_state_store": store}
    assert run(context, account("activecampaign"))["state"] == "succeeded"
    assert "could not be written to the task state" in caplog.text
    run(context)
    assert submits(sim) == 1


# Writing the checkpoint.


def test_write_after_acceptance_is_retried(waits, sim, account):
    ti, seen = TaskInstance(), []
    fail = failing(3)

    def fails(value):
        seen.append(list(ti.xcom["job_ids"]))
        fail(value)

    store = Store(fails)
    job_ids = run({"ti": ti, "task_state_store": store}, account("activecampaign"), wait_for_completion=False)
    assert waits == [1, 2, 4]
    assert job_ids in seen, "XCom has the ids before the first wait"
    assert store.get(STATE)["accepted"] == 1


def test_write_that_never_succeeds_names_the_job_and_ends_the_task(waits, sim, account, capsys):
    ti, store = TaskInstance(max_tries=1), Store(failing(99))
    with pytest.raises(PartialSubmitError, match=r"checkpoint could not be written.*1 of 1 batches accepted") as caught:
        run({"ti": ti, "task_state_store": store}, account("activecampaign"))
    [job_id] = sim_jobs(sim)
    assert job_id in str(caught.value)
    assert f"accepted (line 1): job {job_id}" in capsys.readouterr().out
    assert ti.xcom["job_ids"] == [job_id]
    assert 240 <= sum(waits) <= 360
    with pytest.raises(PartialSubmitError, match="outcome unknown"):
        run({"ti": TaskInstance(2, max_tries=1), "task_state_store": store})
    assert submits(sim) == 1


def test_write_is_not_retried_once_the_task_runs_elsewhere(waits, account):
    refusal = RuntimeError("gone")
    refusal.error = SimpleNamespace(detail={"status_code": 410})
    with pytest.raises(PartialSubmitError, match="gone"):
        run({"ti": TaskInstance(), "task_state_store": Store(failing(99, error=refusal))}, account("activecampaign"))
    assert waits == []


def test_interrupted_write_does_not_lose_the_job_id(waits, sim, account, capsys, monkeypatch):
    def interrupt(_seconds):
        raise AirflowTaskTimeout

    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(sleep=interrupt))
    ti = TaskInstance()
    with pytest.raises(AirflowTaskTimeout):
        run({"ti": ti, "task_state_store": Store(failing(99))}, account("activecampaign"))
    assert ti.xcom["job_ids"] == sim_jobs(sim)
    assert f"job {sim_jobs(sim)[0]}" in capsys.readouterr().out


def test_nothing_is_sent_before_the_checkpoint_is_written(waits, sim, account):
    store = Store(failing(99, when=lambda value: value["in_flight"]))
    with pytest.raises(CheckpointError, match=r"0 of 1 batches accepted\. Batch 1 \(line 1\): not accepted"):
        run({"ti": TaskInstance(), "task_state_store": store}, account("activecampaign"))
    assert submits(sim) == 0


def test_refusal_is_reported_where_the_checkpoint_cannot_be_reset(waits, sim, account):
    sim.fault("activecampaign", "unauthorized", count=1)
    store = Store(failing(99, when=lambda value: not value["in_flight"]))
    context = {"ti": TaskInstance(), "task_state_store": store}
    with pytest.raises(AuthenticationError):
        run(context, account("activecampaign"))
    with pytest.raises(PartialSubmitError, match="outcome unknown"):
        run(context)


def test_one_write_follows_a_request_and_no_more():
    """The outcome of the request is unknown to the next try until that write, so each further one would add doubt."""
    written = []
    store = TaskCheckpointStore({"task_state_store": Store(written.append)})
    checkpoint = Checkpoint("fingerprint")
    for number in range(2 * PART + 2):
        checkpoint.in_flight = True
        store.save(checkpoint)
        written.clear()
        checkpoint.accept(f"job-{number}", 1)
        store.save(checkpoint)
        assert [value["accepted"] for value in written] == [number + 1]
    assert TaskCheckpointStore({"task_state_store": store._state}).load() == checkpoint


def test_submit_after_a_clear_forgets_the_ids_of_the_earlier_one():
    state = Store()
    store = TaskCheckpointStore({"task_state_store": state, "ti": TaskInstance()})
    store.save(Checkpoint("first", accepted=PART, job_ids=[str(number) for number in range(PART)]))
    store.finish(PART, 0)
    store = TaskCheckpointStore({"task_state_store": state, "ti": TaskInstance(max_tries=1)})
    assert store.load() is None
    again = Checkpoint("second", accepted=1, job_ids=["new"])
    store.save(again)
    assert TaskCheckpointStore({"task_state_store": state}).load() == again


def test_read_is_retried_before_anything_is_sent(waits, sim, account, monkeypatch):
    answers = iter([DOWN, DOWN, None])

    def get(store, key, default=None):
        if error := next(answers, None):
            raise error
        return default

    monkeypatch.setattr(Store, "get", get)
    run({"ti": TaskInstance(), "task_state_store": Store()}, account("activecampaign"), wait_for_completion=False)
    assert waits == [1, 2]
    assert submits(sim) == 1


def test_checkpoint_that_is_never_read_sends_nothing(waits, sim, account, monkeypatch):
    def get(store, key, default=None):
        raise DOWN

    monkeypatch.setattr(Store, "get", get)
    with pytest.raises(CheckpointError, match=r"503\); nothing was sent\. Check Airflow's API server"):
        run({"ti": TaskInstance(), "task_state_store": Store()}, account("activecampaign"))
    assert sim.requests("activecampaign") == []


@pytest.mark.parametrize("damage", ["null", '{"job_ids": 1}', '{"fingerprint": "", "accepted": 1, "job_ids": 600}'])
def test_unreadable_checkpoint_sends_nothing(damage, sim, account):
    store = Store()
    store.values[STATE] = damage
    with pytest.raises(CheckpointError, match="nothing was sent"):
        run({"ti": TaskInstance(), "task_state_store": store}, account("activecampaign"))
    assert sim.requests("activecampaign") == []


# XCom.


@pytest.mark.parametrize("durable", [True, False])
def test_failed_push_of_job_ids_is_retried_by_the_next(durable, sim, account, caplog):
    sim.settings(job_seconds=60)

    def fails(key):
        if key == "job_ids" and submits(sim, "intercom") == 1:
            raise DOWN

    ti = TaskInstance(fails=fails)
    context = {"ti": ti} | ({"task_state_store": Store()} if durable else {})
    records = [{"ticket_type_id": "1", "contacts": [{"id": str(number)}]} for number in range(2)]
    job_ids = run(context, account("intercom"), job_kind="job", records=records, wait_for_completion=False)
    assert len(job_ids) == 2
    assert ti.xcom["job_ids"] == job_ids
    assert job_ids[0] in caplog.text


def test_last_push_of_job_ids_is_tried_once_more(account):
    pushes = iter([None, DOWN, None])  # at the start, after the request, at the end

    def fails(key):
        if key == "job_ids" and (error := next(pushes)):
            raise error

    ti = TaskInstance(fails=fails)
    job_ids = run({"ti": ti}, account("activecampaign"), wait_for_completion=False, records=[PERSON])
    assert ti.xcom["job_ids"] == job_ids
