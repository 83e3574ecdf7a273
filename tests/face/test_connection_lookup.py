# SPDX-License-Identifier: Apache-2.0
"""A lookup of the connection that fails is retried like a lost poll; a connection that is not there is certain."""

import gc
import time

import pytest
from face.firing import fire, make_trigger
from face.modes import MODES, run

from airflow_provider_bulkjobs import _airflow
from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowNotFoundException, BaseHook
from airflow_provider_bulkjobs.hooks import bulk_job, connection_lookup
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.triggers import bulk_job as triggers

every_mode = pytest.mark.parametrize("mode", MODES)
FAILURES = [RuntimeError("API_SERVER_ERROR: 503"), OSError("reset"), TimeoutError(), ValueError("half a response")]
SECRET = "postgres://bot:hunter2@db"


# These tests raise thousands of errors, so that the garbage collector runs in them. On Airflow 2.11 it then finds event
# loops that the runner of other tests has left open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True, scope="module")
def garbage():
    yield
    gc.collect()  # here, where a loop that is left open is no failure


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(connection_lookup, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(connection_lookup, "MAX_DELAY", 0.02)


class Lookups:
    """Stands in front of Airflow's lookups, in the triggerer and on a worker; the first of them fail."""

    def __init__(self, monkeypatch, failures):
        self.failures, self.count = list(failures), 0
        self.is_async = False
        real_async, real = bulk_job.get_connection_async, BaseHook.get_connection

        async def lookup_async(conn_id):
            self.fail()
            self.is_async = True  # before Airflow 3.3 it calls the other one
            try:
                return await real_async(conn_id)
            finally:
                self.is_async = False

        def lookup(conn_id):
            if not self.is_async:
                self.fail()
            return real(conn_id)

        monkeypatch.setattr(bulk_job, "get_connection_async", lookup_async)
        monkeypatch.setattr(BaseHook, "get_connection", lookup)

    def fail(self):
        self.count += 1
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def failing(monkeypatch):
    return lambda *failures: Lookups(monkeypatch, failures)


@pytest.mark.parametrize("error", FAILURES, ids=type)
async def test_wait_survives_failed_lookups_at_its_start(error, failing, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    lookups = failing(error, error, error)
    event = await fire(make_trigger(account("sendgrid"), job_ids=[job_id]))
    assert (event["status"], lookups.count) == ("finished", 4)


async def test_wait_survives_a_failed_lookup_after_a_rejected_key(sim, account, monkeypatch):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    real, lookups = bulk_job.get_connection_async, []

    async def lookup(conn_id):
        lookups.append(conn_id)
        if len(lookups) == 2:
            account("sendgrid")  # renewed
            raise OSError(SECRET)
        return await real(conn_id)

    monkeypatch.setattr(bulk_job, "get_connection_async", lookup)
    event = await fire(make_trigger(account("sendgrid", password="SG.old"), job_ids=[job_id]))
    assert (event["status"], len(lookups)) == ("finished", 3)


async def test_final_poll_survives_a_failed_lookup(failing, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    failing(OSError())
    event = await fire(make_trigger(account("sendgrid"), job_ids=[job_id], deadline=time.time() - 1))
    assert event["status"] == "finished"


async def test_cancel_on_kill_survives_a_failed_lookup(failing, sim, account):
    job_id = sim.job("acquia", "contacts", states=["in_progress"], items=1)
    conn_id = account("acquia")
    failing(OSError())
    await make_trigger(conn_id, "AcquiaCampaignStudioHook", job_ids=[job_id], cancel_on_kill=True).on_kill()
    assert [request.method for request in sim.requests("acquia")] == ["DELETE"]


async def test_lookups_that_fail_for_too_long_end_the_wait_and_name_the_jobs(failing, account, monkeypatch):
    monkeypatch.setattr(triggers, "LOOKUP_LIMIT", 0.1)
    lookups = failing(*[RuntimeError(SECRET)] * 100)
    event = await fire(make_trigger(account("sendgrid"), job_ids=["a", "b"]))
    assert event["error"] == "ConnectionLookupError"
    assert "'sendgrid_default' could not be read (RuntimeError)" in event["message"]
    assert "job_id=['a', 'b']" in event["message"]
    assert "hunter2" not in event["message"]
    assert 1 < lookups.count < 30, "each is followed by a wait"


async def test_lookups_that_fail_until_the_deadline_are_a_timeout(failing, account):
    failing(*[OSError()] * 10_000)
    trigger = make_trigger(account("sendgrid"), job_ids=["a"], deadline=time.time() + 0.2)
    event = await fire(trigger)
    assert event["status"] == "timeout"
    assert "could not be read" in event["message"]


@pytest.mark.parametrize("failed", [1, 3])
@every_mode
def test_worker_retries_failed_lookups(mode, failed, failing, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    conn_id = account("sendgrid")
    lookups = failing(*[OSError()] * failed)
    assert run(mode, conn_id=conn_id, job_id=job_id)["state"] == "succeeded"
    assert lookups.count > failed


def test_worker_retries_a_failed_lookup_after_a_rejected_key(failing, sim, account):
    account("sendgrid", password="SG.old")
    hook = hook_for("sendgrid_default")
    assert hook.transport
    account("sendgrid")
    failing(OSError())
    assert hook.reload_connection()


def test_a_worker_gives_up_after_a_while(failing, account, monkeypatch):
    monkeypatch.setattr(connection_lookup, "WORKER_LIMIT", 0.1)
    lookups = failing(*[OSError(SECRET)] * 100)
    with pytest.raises(errors.ConnectionLookupError, match="Check Airflow's API server") as raised:
        hook_for(account("sendgrid"))
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None
    assert 1 < lookups.count < 30


@pytest.mark.parametrize("error", [AirflowNotFoundException("isn't defined"), PermissionError("denied")], ids=type)
@every_mode
def test_missing_or_invalid_connection_is_not_retried(mode, error, failing, account):
    account("sendgrid")
    lookups = failing(*[error] * 10)
    with pytest.raises(errors.BadConnectionError):
        run(mode, conn_id="sendgrid_default", job_id="a")
    assert lookups.count == (2 if mode == "triggerer" else 1)  # a worker raises the error


@pytest.mark.parametrize("error", [AirflowNotFoundException("isn't defined"), PermissionError("denied")], ids=type)
async def test_missing_or_invalid_connection_is_not_retried_in_the_triggerer(error, failing, account):
    lookups = failing(*[error] * 10)
    event = await fire(make_trigger(account("sendgrid"), job_ids=["a"], first_poll_at=time.time()))
    assert (event["error"], lookups.count) == ("BadConnectionError", 1)


class Backend:
    """A secrets backend."""

    def __init__(self, outcome):
        self.outcome = outcome

    def get_connection(self, conn_id):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("outcomes", "failure"),
    [
        ([], None),
        ([None, None], None),
        ([None, RuntimeError("throttled")], RuntimeError),
        ([OSError("reset")], OSError),
        ([ValueError("not a URI")], None),
        ([KeyError("host")], None),
        ([object()], ConnectionError),
    ],
)
def test_a_connection_reported_as_not_defined_may_hide_a_failure(outcomes, failure, monkeypatch):
    monkeypatch.setattr(_airflow, "_secrets_backends", lambda: [Backend(outcome) for outcome in outcomes])
    assert type(_airflow.lookup_failure("mine")) is (failure or type(None))


async def test_a_hidden_failure_is_retried(failing, sim, account, monkeypatch):
    backend = Backend(RuntimeError("throttled"))
    monkeypatch.setattr(_airflow, "_secrets_backends", lambda: [backend])
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    failing(*[AirflowNotFoundException("isn't defined")] * 3)
    assert (await fire(make_trigger(account("sendgrid"), job_ids=[job_id])))["status"] == "finished"


@pytest.mark.skipif(not hasattr(_airflow.Connection, "aextra_dejson"), reason="as Airflow 3.3 talks to its API server")
@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("CONNECTION_NOT_FOUND", None),
        ("API_SERVER_ERROR", "AirflowRuntimeError"),
        ("GENERIC_ERROR", "AirflowRuntimeError"),
    ],
)
def test_error_of_the_api_server_is_retried(kind, failure, monkeypatch):
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse

    class Comms:
        def send(self, message):
            assert message.conn_id == "mine"
            return ErrorResponse(error=ErrorType[kind])

    monkeypatch.setattr(_airflow, "_secrets_backends", list)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(), raising=False)
    found = _airflow.lookup_failure("mine")
    assert (type(found).__name__ if found else None) == failure


def test_the_waits_between_attempts_grow_to_a_minute(monkeypatch):
    monkeypatch.undo()
    reports = []
    for jitter in (0, 1):
        monkeypatch.setattr(connection_lookup.random, "uniform", lambda *bounds, at=jitter: bounds[at])
        attempts = connection_lookup._Attempts(3600, reports.append)
        waits = [attempts.delay_after(errors.ConnectionLookupError("no.")) for _ in range(8)]
        assert waits == [wait * (1 if jitter else 0.5) for wait in (1, 2, 4, 8, 16, 32, 60, 60)]
    assert reports[1] == "no. Attempt 2 failed, retrying in 1.0 s."
