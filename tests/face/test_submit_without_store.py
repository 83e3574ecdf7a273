# SPDX-License-Identifier: Apache-2.0
"""Before Airflow 3.3 a retry does not know what was submitted: an error during the wait fails the task permanently."""

from types import SimpleNamespace
from typing import Any

import pytest
from face.submits import Store, TaskInstance, make, submits

from airflow_provider_bulkjobs._airflow import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_bulkjobs.exceptions import BadConnectionError, JobFailedError, PartialSubmitError

FLAGS = pytest.mark.parametrize("flags", [{}, {"soft_fail": True}, {"never_fail": True}], ids=str)
TRIGGER_FAILED = {"error": "Trigger failure", "traceback": ["ModuleNotFoundError"]}
TRIGGER_TIMEOUT = {"error": "Trigger timeout"}
GONE_WRONG = {"status": "error", "error": "VendorUnavailableError", "message": "down ten times in a row"}
RESUMES = {
    "trigger failed": ("__fail__", TRIGGER_FAILED),
    "trigger timed out": ("__fail__", TRIGGER_TIMEOUT),
    "failed for an unknown reason": ("__fail__", None),
    "error event": ("execute_complete", {"event": GONE_WRONG}),
    "odd event": ("execute_complete", {"event": {"status": "?"}}),
    "no event": ("execute_complete", {"event": None}),
    "unknown argument": ("execute_complete", {"event": GONE_WRONG, "unknown": 1}),
}


class Terminated(BaseException):
    """As Airflow 2 raises at SIGTERM."""


@pytest.fixture(autouse=True)
def long_jobs(sim):
    sim.settings(job_seconds=60)


def defer(ti, conn_id, **arguments):
    """Submit, and return what a resume is called with."""
    with pytest.raises(TaskDeferred) as deferred:
        make(conn_id, deferrable=True, **arguments).execute({"ti": ti})
    return dict(deferred.value.kwargs)


@FLAGS
@pytest.mark.parametrize("resume", RESUMES)
def test_resume_without_result_ends_the_task(resume, flags, sim, account):
    ti, (method, kwargs) = TaskInstance(), RESUMES[resume]
    known = defer(ti, account("activecampaign"), **flags)
    kwargs = {**known, **kwargs} if method == "execute_complete" else kwargs
    with pytest.raises(PartialSubmitError, match=r"Not retried.*Use a BulkJobSensor") as caught:
        make("activecampaign_default", deferrable=True, **flags).resume_execution(method, kwargs, {"ti": ti})
    assert ti.xcom["job_ids"][0] in str(caught.value)
    assert isinstance(caught.value, AirflowFailException)
    assert submits(sim) == 1


@FLAGS
def test_error_while_judging_ends_the_task(flags, account):
    ti = TaskInstance()
    kwargs = defer(ti, account("activecampaign"), **flags)
    result = {"state": "partially_failed", "total": 1, "failed": 1, "jobs": [], "job_count": 1}  # without a vendor
    kwargs["event"] = {"status": "finished", "result": result}
    with pytest.raises(PartialSubmitError, match="KeyError"):
        make("activecampaign_default", **flags).resume_execution("execute_complete", kwargs, {"ti": ti})


def test_resume_without_readable_xcom_ends_the_task(account):
    kwargs = defer(TaskInstance(), account("activecampaign"))
    with pytest.raises(PartialSubmitError, match="no job ids"):
        make("activecampaign_default").resume_execution("execute_complete", {**kwargs, "event": GONE_WRONG}, {})


def test_resume_without_connection_ends_the_task(account, monkeypatch):
    ti = TaskInstance()
    defer(ti, account("activecampaign"))
    monkeypatch.delenv("AIRFLOW_CONN_ACTIVECAMPAIGN_DEFAULT")
    with pytest.raises(PartialSubmitError):
        make("activecampaign_default").resume_execution("__fail__", TRIGGER_FAILED, {"ti": ti})


def test_idempotent_operation_is_retried_after_trigger_failure(account):
    arguments = {"operation": "upsert"}
    ti = TaskInstance()
    defer(ti, account("sendgrid"), **arguments)
    with pytest.raises(Exception, match="Trigger failure") as caught:
        make("sendgrid_default", **arguments).resume_execution("__fail__", TRIGGER_FAILED, {"ti": ti})
    assert not isinstance(caught.value, AirflowFailException)


@FLAGS
@pytest.mark.parametrize(
    "error", [AirflowTaskTimeout("60 s"), Terminated(), SystemExit(1), RuntimeError("x")], ids=type
)
def test_interrupted_wait_ends_the_task(error, flags, sim, account, monkeypatch):
    operator = make(account("activecampaign"), **flags)
    killed = []
    monkeypatch.setattr(operator, "on_kill", lambda: killed.append(True))
    monkeypatch.setattr(operator, "_start", lambda _context: (_ for _ in ()).throw(error))
    with pytest.raises(PartialSubmitError, match=type(error).__name__) as caught:
        operator.execute({"ti": TaskInstance()})
    assert sim.state()["activecampaign"]["jobs"][0]["job_id"] in str(caught.value)
    assert killed == [True] * isinstance(error, AirflowTaskTimeout)  # Airflow calls it for no other error


def test_failing_cancel_at_timeout_still_ends_the_task(account, monkeypatch):
    operator = make(account("activecampaign"))
    monkeypatch.setattr(operator, "on_kill", lambda: (_ for _ in ()).throw(BadConnectionError("gone")))
    monkeypatch.setattr(operator, "_start", lambda _context: (_ for _ in ()).throw(AirflowTaskTimeout()))
    with pytest.raises(PartialSubmitError, match="AirflowTaskTimeout"):
        operator.execute({"ti": TaskInstance()})


def test_state_set_by_a_user_is_not_overwritten(account, monkeypatch):
    ti = SimpleNamespace(xcom_push=lambda **_: None, current_state=lambda: "success", try_number=1, max_tries=0)
    operator = make(account("activecampaign"))
    monkeypatch.setattr(operator, "_start", lambda _context: (_ for _ in ()).throw(Terminated()))
    with pytest.raises(Terminated):
        operator.execute({"ti": ti})


@pytest.mark.parametrize("wait", [True, False])
def test_failed_push_of_the_result_ends_the_task(wait, sim, account):
    def fails(key: str) -> None:
        if key == "return_value":
            raise RuntimeError("API server is down")

    sim.settings(job_seconds=0)
    with pytest.raises(PartialSubmitError, match="API server is down") as caught:
        make(account("activecampaign"), wait_for_completion=wait).execute({"ti": TaskInstance(fails=fails)})
    assert sim.state()["activecampaign"]["jobs"][0]["job_id"] in str(caught.value)


@pytest.mark.parametrize("wait", [True, False])
def test_result_is_pushed_before_the_task_ends(wait, sim, account):
    sim.settings(job_seconds=0)
    ti = TaskInstance()
    result = make(account("activecampaign"), wait_for_completion=wait).execute({"ti": ti})
    assert ti.xcom["return_value"] == result
    silent = TaskInstance()
    make("activecampaign_default", wait_for_completion=wait, do_xcom_push=False).execute({"ti": silent})
    assert "return_value" not in silent.xcom


def test_failing_link_does_not_fail_an_import(account, sim):
    def fails(key: str) -> None:
        if key == "vendor_page":
            raise RuntimeError("API server is down")

    sim.settings(job_seconds=0)
    result = make(account("acquia"), operation="create").execute({"ti": TaskInstance(fails=fails)})
    assert result["state"] == "succeeded"


@pytest.mark.parametrize("fails", ["job", "timeout"])
def test_verdict_and_timeout_are_skipped_by_soft_fail(fails, sim, account):
    if fails == "job":
        sim.settings(job_seconds=0)
        arguments: dict[str, Any] = {"operation": "create", "records": [{"email": "nobody"}]}
    else:
        arguments = {"operation": "create", "timeout": 0.1}
    expected = JobFailedError if fails == "job" else AirflowSensorTimeout
    with pytest.raises(expected):
        make(account("acquia"), **arguments).execute({"ti": TaskInstance()})
    with pytest.raises(AirflowSkipException):
        make("acquia_campaign_studio_default", soft_fail=True, **arguments).execute({"ti": TaskInstance()})


@FLAGS
def test_unplanned_run_sends_nothing(flags, sim, account):
    operator = make(account("activecampaign"), wait_for_completion=False, **flags)
    with pytest.raises(PartialSubmitError, match=r"earlier run was lost.*nothing was sent in this one"):
        operator.execute({"ti": TaskInstance(try_number=2, max_tries=0)})
    assert sim.requests("activecampaign") == []


@pytest.mark.parametrize(
    ("vendor", "tries", "more"),
    [
        ("activecampaign", (1, 0), {}),
        ("activecampaign", (2, 1), {}),  # a retry, or a cleared task without retries
        ("activecampaign", (3, 2), {}),
        ("activecampaign", (2, 0), {"task_state_store": Store()}),
        ("sendgrid", (2, 0), {}),
    ],
)
def test_planned_run_submits(vendor, tries, more, sim, account):
    operation = {"operation": "upsert"} if vendor == "sendgrid" else {}
    operator = make(account(vendor), wait_for_completion=False, **operation)
    operator.execute({"ti": TaskInstance(*tries), **more})
    assert submits(sim, vendor) == 1
