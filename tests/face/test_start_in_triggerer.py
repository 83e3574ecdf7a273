# SPDX-License-Identifier: Apache-2.0
"""Which waits start in the triggerer, with which arguments, and what happens if the start fails."""

import asyncio
import gc
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from face.modes import FirstTry, fire, make, run, starting_trigger

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER, TaskDeferred
from airflow_provider_bulkjobs.exceptions import BadArgumentError, BadConnectionError
from airflow_provider_bulkjobs.sensors import starting
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.triggers import starting as triggers
from airflow_provider_bulkjobs.waiting import deadline

if not STARTS_IN_TRIGGER:
    pytest.skip("Airflow starts tasks on a worker only", allow_module_level=True)

from airflow.sdk import DAG, task, task_group
from airflow.serialization.serialized_objects import DagSerialization


class Subclass(BulkJobSensor):
    """A sensor of a user."""


class Instance(FirstTry):
    """A task instance in the triggerer, with the output of an upstream task."""

    def __init__(self, output=None, delay=0.0):
        self.output, self.delay, self.pulled = output, delay, []

    async def axcom_pull(self, **arguments):
        self.pulled.append(arguments)
        await asyncio.sleep(self.delay)
        if isinstance(self.output, Exception):
            raise self.output
        return self.output


def sensor(cls=BulkJobSensor, **arguments):
    return cls(**{"task_id": "gate", "conn_id": "sendgrid_default", "job_id": "a", "deferrable": True, **arguments})


@pytest.fixture
def dag():
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


@task
def submit():
    return "a"


@pytest.mark.parametrize("job_id", ["a", 17, ["a", 17], "Ä-1"])
def test_literal_starts_in_the_triggerer(job_id):
    plan = sensor(job_id=job_id).start_trigger_args.trigger_kwargs["plan"]
    assert plan["job_ids"] == [str(each) for each in (job_id if isinstance(job_id, list) else [job_id])]
    assert plan["output"] is None


@pytest.mark.parametrize("key", ["return_value", "job"])
def test_plain_output_starts_in_the_triggerer(key, dag):
    output = submit()
    one = sensor(job_id=output if key == "return_value" else output[key])
    plan = one.start_trigger_args.trigger_kwargs["plan"]
    assert one.start_from_trigger is True
    assert (plan["job_ids"], plan["output"]) == (None, {"task_id": "submit", "key": key})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"deferrable": False}, "deferrable"),
        ({"cls": Subclass}, "subclass"),
        ({"execution_timeout": timedelta(hours=1)}, "execution_timeout"),
        ({"pool": "vendors"}, "pool"),
        ({"max_active_tis_per_dag": 1}, "max_active_tis_per_dag "),
        ({"max_active_tis_per_dagrun": 1}, "max_active_tis_per_dagrun"),
        ({"pre_execute": print}, "pre_execute"),
        ({"on_execute_callback": print}, "on_execute_callback"),
        ({"job_id": "{{ run_id }}"}, "job_id"),
        ({"job_id": "a{# comment #}"}, "job_id"),
        ({"job_id": ["a", "{{ run_id }}"]}, "job_id"),
        ({"conn_id": "{{ params.conn }}"}, "conn_id"),
        ({"allowed_failures": "{{ params.allowed }}"}, "allowed_failures"),
        ({"expected_items": "{{ params.items }}"}, "expected_items"),
    ],
)
def test_others_start_on_a_worker_and_say_why(arguments, reason):
    one = sensor(**arguments, start_from_trigger=True)
    assert one.start_trigger_args is None
    assert one.start_from_trigger is False
    assert reason in starting.needs_worker(one)


def test_never_without_consent():
    one = sensor(start_from_trigger=False)
    assert (one.start_from_trigger, one.start_trigger_args) == (False, None)


@pytest.mark.parametrize("setting", ["xcom_backend", "queues"])
def test_settings_of_airflow_need_a_worker(setting, monkeypatch):
    name = {"xcom_backend": "has_custom_xcom_backend", "queues": "uses_trigger_queues"}[setting]
    monkeypatch.setattr(starting, name, lambda: True)
    assert sensor().start_trigger_args is None


def test_outputs_of_mapped_tasks_need_a_worker(dag):
    @task
    def one_of(number):
        return number

    @task_group
    def group(number):
        output = one_of.override(task_id="inner")(number)
        sensor(task_id="inside", job_id="a")
        return output

    sensor(task_id="mapped", job_id=one_of.expand(number=[1, 2]))
    sensor(task_id="grouped", job_id=group.expand(number=[1, 2]))
    sensor(task_id="listed", job_id=[submit()])
    for name in ("mapped", "grouped", "listed", "group.inside"):
        assert dag.get_task(name).start_trigger_args is None, name


@pytest.mark.parametrize("choice", [None, True, False])
def test_mapped_sensor_starts_on_a_worker(choice, dag):
    BulkJobSensor.partial(
        task_id="gate", conn_id="sendgrid_default", deferrable=True, start_from_trigger=choice
    ).expand(job_id=["a", "b"])
    serialized = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag)))).get_task("gate")
    assert serialized.start_trigger_args is None


@pytest.mark.parametrize(
    "change", [{"pool": "vendors"}, {"execution_timeout": timedelta(1)}, {"job_id": "b"}, {"poke_interval": 7}], ids=str
)
def test_changes_after_the_constructor_count(change):
    one = sensor(job_id="a", poke_interval=5)
    for name, value in change.items():  # as a cluster policy does
        setattr(one, name, value)
    start = one.start_trigger_args
    if change.keys() & {"pool", "execution_timeout"}:
        assert start is None
    else:
        plan = start.trigger_kwargs["plan"]
        assert (plan["job_ids"], plan["poke_interval"]) == ([change.get("job_id", "a")], change.get("poke_interval", 5))


@pytest.mark.parametrize("job_id", [None, [], ["a", "a"]])
def test_invalid_id_that_is_set_later_does_not_break_the_dag(job_id):
    one = sensor()
    one.job_id = job_id
    assert one.start_trigger_args is None


@pytest.mark.parametrize(("gates", "starts"), [(30, True), (300, False)])
def test_large_dags_start_on_workers(gates, starts, dag):
    """Airflow would decode the whole DAG in the triggerer for each of its waits."""
    for number in range(gates):
        sensor(task_id=f"gate_{number}")
    assert {each.start_from_trigger for each in dag.tasks} == {starts}


def test_serialized_dag_has_the_plan(dag):
    one = sensor(job_id=["Ä", 2], poke_interval=2.5, exponential_backoff=True, max_wait=timedelta(minutes=5))
    first, second = (json.dumps(DagSerialization.to_dict(dag), sort_keys=True) for _ in range(2))
    assert first == second  # or each parse would be another version of the DAG
    serialized = DagSerialization.from_dict(json.loads(first)).get_task("gate")
    plan = one.start_trigger_args.trigger_kwargs["plan"]
    assert serialized.start_from_trigger is True
    assert serialized.start_trigger_args.trigger_kwargs["__var"]["plan"]["__var"] == plan
    assert plan["max_wait"] == 300.0
    assert plan["job_kind"] is None
    assert starting_trigger(one).plan == plan


def test_airflow_renders_nothing_in_the_triggerer(dag):
    one = sensor(job_id=submit())
    assert not set(one.start_trigger_args.trigger_kwargs) & set(one.template_fields)
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("gate")
    instance = Instance()
    instance.task = serialized
    trigger = starting_trigger(one)
    trigger.task_instance = instance
    assert trigger.template_fields == ()


@pytest.mark.parametrize("ids", ["one", "several"])
def test_output_is_resolved_as_on_a_worker(ids, sim, account, dag):
    jobs = [sim.job("sendgrid", states=["pending", "completed"], items=2) for _ in range(1 if ids == "one" else 3)]
    instance = Instance(jobs[0] if ids == "one" else jobs)
    one = sensor(job_id=submit(), conn_id=account("sendgrid"), poke_interval=0.05)
    event = fire(starting_trigger(one, instance))
    assert event["status"] == "finished"
    assert event["result"]["total"] == 2 * len(jobs)
    assert instance.pulled == [{"task_ids": "submit", "key": "return_value", "map_indexes": None}]


@pytest.mark.parametrize(
    ("output", "reason"),
    [(None, "job_id is None"), ([], "empty list"), (TypeError("token=secret"), "TypeError"), ("late", "TimeoutError")],
)
def test_failed_start_goes_to_a_worker(output, reason, account, dag, monkeypatch):
    monkeypatch.setattr(triggers, "START_LIMIT", 0.2)
    instance = Instance(output, delay=5 if output == "late" else 0)
    one = sensor(job_id=submit(), conn_id=account("sendgrid"), timeout=60)
    event = fire(starting_trigger(one, instance))
    assert (event["status"], reason in event["reason"]) == ("start_on_worker", True)
    assert "secret" not in str(event)
    assert event["started_at"] == pytest.approx(time.time(), abs=5)


def test_worker_continues_with_the_same_deadline(sim, account):
    arguments = {"conn_id": account("sendgrid"), "job_id": sim.job("sendgrid", states=["pending"]), "timeout": 600}
    event = {"status": "start_on_worker", "reason": "TimeoutError", "started_at": time.time() - 100}
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", **arguments).execute_complete({}, event)
    assert deferred.value.trigger.deadline == pytest.approx(time.time() + 500, abs=5)


@pytest.mark.parametrize("flag", [None, "soft_fail"])
def test_error_of_the_start_is_raised_by_the_worker(flag, account):
    flags = {flag: True} if flag else {}
    with pytest.raises(BadConnectionError):
        run("triggerer", conn_id="no_such_connection", job_id="a", **flags)
    with pytest.raises(BadArgumentError, match="leads"):
        run("triggerer", conn_id=account("sendgrid"), job_id="a", job_kind="leads", **flags)


def test_deadline_is_the_one_that_airflow_has_stored():
    for timeout in (5.0, 604800.0, deadline.MAX_TIMEOUT * 2):
        now = datetime.now(UTC)
        assert deadline.started_at(now + deadline.airflow_timeout(timeout), timeout) == pytest.approx(now.timestamp())
    assert deadline.started_at(datetime(2026, 1, 1, 0, 10), 300) == 1767225600  # noqa: DTZ001  (SQLite has no zones)


async def test_first_polls_are_spread_over_the_interval(sim, account):
    conn_id = account("sendgrid")
    job_id = sim.job("sendgrid", states=["pending"])
    starts = {}
    for interval, limit in ((20, 20), (3600, 60)):
        one = sensor(conn_id=conn_id, job_id=job_id, poke_interval=interval)
        waits = await asyncio.gather(*(starting_trigger(one)._start() for _ in range(50)))
        starts[interval] = [wait.first_poll_at - time.time() for wait in waits]
        assert max(starts[interval]) < limit
        assert max(starts[interval]) - min(starts[interval]) > limit / 2


@pytest.fixture
def no_garbage_collection():
    """A full collection takes 0.4 s here, because of Airflow and what other tests have left."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
async def test_300_starts_do_not_hold_the_event_loop(sim, account):
    one = sensor(conn_id=account("sendgrid"), job_id=sim.job("sendgrid", states=["pending"]), poke_interval=60)
    await starting_trigger(one)._start()  # imports
    passes, done = [], asyncio.Event()

    async def measure():
        """Measure the CPU time of each pass of the event loop: the machine may be busy."""
        while not done.is_set():
            before = time.thread_time()
            await asyncio.sleep(0)
            passes.append(time.thread_time() - before)

    meter = asyncio.ensure_future(measure())
    waits = [asyncio.ensure_future(anext(starting_trigger(one).run())) for _ in range(300)]
    await asyncio.sleep(1.5)
    done.set()
    await meter
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    assert max(passes) < 0.05


@pytest.mark.parametrize("when", ["before the start", "in the wait"])
async def test_kill_cancels_the_jobs(when, sim, account):
    job_id = sim.job("acquia", "contacts", states=["in_progress"])
    one = sensor(conn_id=account("acquia"), job_id=job_id, cancel_on_kill=True, poke_interval=60)
    trigger = starting_trigger(one)
    if when == "in the wait":
        trigger._wait = await trigger._start()
    await trigger.on_kill()
    assert job_id not in {job["job_id"] for job in sim.state()["acquia"]["jobs"] if job["state"] == "in_progress"}


async def test_kill_without_consent_cancels_nothing(sim, account):
    job_id = sim.job("acquia", "contacts", states=["in_progress"])
    before = len(sim.requests("acquia"))
    await starting_trigger(sensor(conn_id=account("acquia"), job_id=job_id)).on_kill()
    assert len(sim.requests("acquia")) == before


class Supervisor:
    """The supervisor of a worker, and of the triggerer."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(("worker", type(message).__name__, message.key))

    async def asend(self, message):
        self.sent.append(("triggerer", type(message).__name__, message.key))


@pytest.fixture
def supervisor(monkeypatch):
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


@pytest.mark.parametrize("try_number", [1, 2])
def test_result_of_an_earlier_try_is_deleted(try_number, sim, account, supervisor):
    instance = Instance()
    instance.try_number = try_number
    arguments = {"conn_id": account("sendgrid"), "job_id": sim.job("sendgrid", states=["completed"])}
    event = fire(starting_trigger(make("deferrable", **arguments), instance))
    make("deferrable", **arguments).resume_execution("execute_complete", {"event": event}, {"ti": instance})
    deleted = [place for place, message, key in supervisor.sent if (message, key) == ("DeleteXCom", "return_value")]
    assert deleted == (["triggerer", "worker"] if try_number > 1 else [])


def test_trigger_pushes_the_link(sim, account, supervisor):
    arguments = {"conn_id": account("sendgrid"), "job_id": sim.job("sendgrid", states=["completed"])}
    fire(starting_trigger(make("deferrable", **arguments), Instance()))
    pushed = [key for _, message, key in supervisor.sent if message == "SetXCom"]
    assert pushed == ["vendor_page"]
