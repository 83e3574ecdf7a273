# SPDX-License-Identifier: Apache-2.0
import json
import logging
import re
import time
from datetime import timedelta

import pytest
from face.modes import MODES, FirstTry, make, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import (
    STARTS_IN_TRIGGER,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    PokeReturnValue,
    TaskDeferred,
)
from airflow_provider_bulkjobs.exceptions import JobFailedError
from airflow_provider_bulkjobs.sensors import base as waiting
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.waiting import tracker as wait

every_mode = pytest.mark.parametrize("mode", MODES)

RESULT_KEYS = [
    *("vendor", "conn_id", "job_kind", "state", "total", "succeeded", "failed", "created", "updated", "deleted"),
    *("created_at", "started_at", "finished_at", "job_count", "jobs"),
]


@every_mode
@pytest.mark.parametrize(
    ("vendor", "kind", "states", "state", "total"),
    [
        ("intercom", "contacts", ["pending", "running", "completed"], "succeeded", 4),
        ("intercom", "companies", ["pending", "completed"], "succeeded", 4),
        ("intercom", "job", ["pending", "success"], "succeeded", None),
        ("intercom", "export", ["pending", "in_progress", "complete"], "succeeded", None),
        ("sendgrid", "contacts", ["pending", "pending", "completed"], "succeeded", 4),
        ("sendgrid", "export", ["pending", "ready"], "succeeded", 4),
        ("activecampaign", "contacts", [False, "waiting", "claimed", "active", "completed"], "succeeded", None),
        ("acquia", "contacts", ["queued", "in_progress", "completed"], "succeeded", 4),
    ],
)
def test_waits_for_every_vendor_and_kind(mode, vendor, kind, states, state, total, sim, account):
    job_id = sim.job(vendor, kind, states=states, items=4)
    result = run(mode, conn_id=account(vendor), job_id=job_id, job_kind=kind)
    assert list(result) == RESULT_KEYS
    assert (result["state"], result["total"], result["job_kind"]) == (state, total, kind)
    assert [job["job_id"] for job in result["jobs"]] == [job_id]


@every_mode
def test_result_is_the_same_in_every_mode(mode, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "errored"], items=100, failed=3)
    result = run(mode, conn_id=account("sendgrid"), job_id=job_id, allowed_failures=0.05)
    assert result["jobs"] == [
        {"job_id": job_id, "state": "partially_failed", "vendor_state": "errored", "total": 100, "failed": 3}
    ]
    assert (result["state"], result["total"], result["succeeded"], result["failed"]) == ("partially_failed", 100, 97, 3)
    assert result["finished_at"].endswith("+00:00")


@every_mode
@pytest.mark.parametrize(
    ("allowed", "passes"),
    [(0, False), (2, False), (3, True), (0.02, False), (0.03, True), (None, True), ("3", True), ("0.02", False)],
)
def test_gate(mode, allowed, passes, sim, account):
    job_id = sim.job("acquia", "contacts", states=["completed"], items=100, failed=3)
    arguments = {"conn_id": account("acquia"), "job_id": job_id, "allowed_failures": allowed}
    if passes:
        assert run(mode, **arguments)["failed"] == 3
    else:
        with pytest.raises(JobFailedError, match=r"3 (of 100 )?items failed") as caught:
            run(mode, **arguments)
        assert isinstance(caught.value, AirflowFailException)
        assert "increase allowed_failures (None: any number) and clear this task" in str(caught.value)


@every_mode
@pytest.mark.parametrize(
    ("vendor", "kind", "word"),
    [
        ("sendgrid", "contacts", "failed"),
        ("activecampaign", "contacts", "interrupted"),
        ("intercom", "job", "failed"),
        ("intercom", "export", "canceled"),
    ],
)
def test_a_failed_job_never_passes(mode, vendor, kind, word, sim, account):
    job_id = sim.job(vendor, kind, states=[word], items=2, failed=2)
    with pytest.raises(JobFailedError, match=word):
        run(mode, conn_id=account(vendor), job_id=job_id, job_kind=kind, allowed_failures=None)


@every_mode
def test_unknown_number_of_failures_names_the_remedy(mode, sim, account):
    job_id = sim.job("intercom", "contacts", states=["completed_with_errors"], items=5, failed=1)
    with pytest.raises(JobFailedError, match="allowed_failures=None"):
        run(mode, conn_id=account("intercom"), job_id=job_id, allowed_failures=3)
    assert run(mode, conn_id=account("intercom"), job_id=job_id, allowed_failures=None)["failed"] is None


@every_mode
def test_share_without_a_total_names_the_remedy(mode, sim, account):
    job_id = sim.job("activecampaign", "contacts", states=["completed"], items=50, failed=1)
    arguments = {"conn_id": account("activecampaign"), "job_id": job_id, "allowed_failures": 0.05}
    with pytest.raises(JobFailedError, match="expected_items"):
        run(mode, **arguments)
    assert run(mode, expected_items="50", **arguments)["total"] is None


@every_mode
def test_many_jobs_in_one_task(mode, sim, account):
    good = [sim.job("sendgrid", "contacts", states=["pending", "completed"], items=10) for _ in range(29)]
    bad = sim.job("sendgrid", "contacts", states=["pending", "pending", "errored"], items=10, failed=4)
    result = run(mode, conn_id=account("sendgrid"), job_id=[*good, bad], allowed_failures=4)
    assert (result["job_count"], result["total"], result["failed"]) == (30, 300, 4)
    assert len(result["jobs"]) == 20
    assert result["jobs"][0]["job_id"] == bad
    assert len(json.dumps(result)) < 4096
    polls = [request for request in sim.requests("sendgrid") if good[0] in request.path_qs]
    if mode != "reschedule":  # which keeps no state between pokes
        assert len(polls) == 2, "a finished job is not asked about again"


@every_mode
def test_job_never_seen(mode, sim, account, monkeypatch):
    monkeypatch.setattr(wait, "GRACE", 0.3)
    started = time.monotonic()
    with pytest.raises(errors.JobNotFoundError, match="region") as caught:
        run(mode, conn_id=account("sendgrid"), job_id="no-such-job")
    assert "no-such-job" in str(caught.value)
    assert time.monotonic() - started >= 0.3
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(("states", "seconds"), [(None, 61), (["pending"], 3600)])
def test_job_never_seen_is_polled_again_after_the_grace(states, seconds, sim, account):
    job_id = sim.job("sendgrid", states=states) if states else "no-such-job"
    arguments = {"conn_id": account("sendgrid"), "job_id": job_id, "poke_interval": 3600, "timeout": 86400}
    now = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", **arguments).execute({})
    with pytest.raises(AirflowRescheduleException) as again:
        make("reschedule", **arguments).execute({"ti": FirstTry()})
    for planned in (deferred.value.trigger.first_poll_at, again.value.reschedule_date.timestamp()):
        assert planned - now == pytest.approx(seconds, rel=0.15)


@every_mode
def test_job_that_is_known_a_moment_later(mode, sim, account, monkeypatch):
    monkeypatch.setattr(wait, "GRACE", 30)
    account("sendgrid")
    sim.fault("sendgrid", "not_json", count=1, status=404, path="/imports/")
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    assert run(mode, conn_id="sendgrid_default", job_id=job_id)["state"] == "succeeded"


@every_mode
@pytest.mark.parametrize("fault", ["server_error", "reset", "half_body", "not_json", "rate_limit"])
def test_a_lost_poll_is_not_a_failed_job(mode, fault, sim, account, quick_retries):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    how = {"retry_after": 0} if fault == "rate_limit" else {}  # that a pause is kept is tested where it is the subject
    # More often than a submit would be retried; each 429 reduces the rate.
    sim.fault("sendgrid", fault, count=4 if fault == "rate_limit" else 12, **how)
    assert run(mode, conn_id=account("sendgrid"), job_id=job_id)["state"] == "succeeded"


@every_mode
def test_vendor_down_for_good(mode, sim, account, impatient):
    job_id = sim.job("sendgrid", "contacts", states=["pending"], items=1)
    sim.fault("sendgrid", "outage")
    with pytest.raises(errors.VendorUnavailableError, match=r"ConnectionResetError.* Retry the task") as caught:
        run(mode, conn_id=account("sendgrid"), job_id=job_id, soft_fail=True)
    assert job_id in str(caught.value)


def test_import_limit_of_activecampaign_is_retried(sim, account, quick_retries):
    job_id = sim.job("activecampaign", "contacts", states=["completed"], items=1)
    sim.fault("activecampaign", "import_limit", count=2)
    assert run("poke", conn_id=account("activecampaign"), job_id=job_id)["state"] == "succeeded"


@every_mode
def test_rate_limit_delay_beyond_the_deadline_is_a_timeout(mode, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["pending"], items=1)
    sim.fault("sendgrid", "rate_limit", retry_after=7200)
    started = time.monotonic()
    with pytest.raises(AirflowSensorTimeout):
        run(mode, conn_id=account("sendgrid"), job_id=job_id, timeout=1)
    assert time.monotonic() - started < 5


@every_mode
def test_silent_fail_continues(mode, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    sim.fault("sendgrid", "unauthorized", count=2)
    arguments = {"conn_id": account("sendgrid"), "job_id": job_id}
    with pytest.raises(errors.AuthenticationError):
        run(mode, **arguments)
    sim.clear_faults()
    sim.fault("sendgrid", "unauthorized", count=2)
    assert run(mode, silent_fail=True, **arguments)["state"] == "succeeded"


@every_mode
def test_silent_fail_continues_until_the_deadline_whatever_the_error(mode, account):
    arguments = {"conn_id": account("customer_io"), "job_id": "no number", "timeout": 0.5}
    with pytest.raises(errors.BadArgumentError):
        run(mode, **arguments)
    with pytest.raises(AirflowSensorTimeout):
        run(mode, silent_fail=True, **arguments)


def test_first_poll_defers_instead_of_sleeping(sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    sim.fault("sendgrid", "rate_limit", retry_after=90, count=1)
    started = time.monotonic()
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", conn_id=account("sendgrid"), job_id=job_id, timeout=3600).execute({})
    assert time.monotonic() - started < 2
    assert deferred.value.trigger.first_poll_at - time.time() > 80, "what the vendor asked for is obeyed"


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_timeout_that_airflow_notices_first_is_skipped_as_well(mode, flag, monkeypatch):
    monkeypatch.setattr(BulkJobSensor, "poke", lambda *_: PokeReturnValue(is_done=False))
    with pytest.raises(AirflowSkipException):
        make(mode, conn_id="mine", job_id="1", timeout=0, **{flag: True}).execute({"ti": FirstTry()})


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
def test_the_tasks_own_timeout_between_two_pokes_is_left_to_airflow(flag, monkeypatch):
    def timeout(_seconds):
        raise AirflowTaskTimeout

    monkeypatch.setattr(BulkJobSensor, "poke", lambda *_: PokeReturnValue(is_done=False))
    monkeypatch.setattr(time, "sleep", timeout)
    with pytest.raises(AirflowTaskTimeout):
        make("poke", conn_id="mine", job_id="1", **{flag: True}).execute({})


def test_minimum_interval_holds_in_the_triggerer(sim, account, monkeypatch):
    monkeypatch.setattr(waiting, "MIN_INTERVAL", 1.0)
    job_id = sim.job("sendgrid", "contacts", states=["pending"], items=1)
    quick = {"poke_interval": 0, "exponential_backoff": True, "max_wait": timedelta(milliseconds=1)}
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", conn_id=account("sendgrid"), job_id=job_id, **quick).execute({})
    assert min(deferred.value.trigger.schedule.wait_after(polls) for polls in range(2, 50)) >= 1


def test_finished_job_does_not_defer(sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    assert make("deferrable", conn_id=account("sendgrid"), job_id=job_id).execute({})["state"] == "succeeded"


def test_trigger_arguments_are_json_without_secrets(sim, account):
    job_ids = [sim.job("acquia", "contacts", states=["queued"], items=1) for _ in range(3)]
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", conn_id=account("acquia"), job_id=job_ids).execute({})
    arguments = json.dumps(deferred.value.trigger.serialize())
    assert "acquia-password" not in arguments
    assert sim.url not in arguments
    assert deferred.value.timeout.total_seconds() > 20


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "finished",
        {"status": "success"},
        {"status": "finished"},
        {"status": "finished", "result": None},
        {"status": "error"},
        {"status": "error", "error": "SystemExit", "message": "x"},
        {"status": "canceled"},
    ],
)
def test_invalid_events_never_pass(event):
    sensor = make("deferrable", conn_id="sendgrid_default", job_id="1")
    with pytest.raises(errors.BulkJobError):
        sensor.execute_complete({}, event)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": ""}, "job_id"),
        ({"job_id": "  "}, "job_id"),
        ({"job_id": None}, "job_id"),
        ({"job_id": []}, "empty list"),
        ({"job_id": ["a", "a"]}, "more than once"),
        ({"job_id": [1, "1"]}, "more than once"),
        ({"job_id": ".."}, "path"),
        ({"job_id": ["a", "."]}, "path"),
        ({"job_id": "a\nb"}, "control character"),
        ({"job_id": "['a', 'b']"}, "render_template_as_native_obj"),
        ({"job_id": {"job_id": "a"}}, "dict"),
        ({"allowed_failures": 1.5}, "allowed_failures=1.5"),
        ({"allowed_failures": 1.0}, "allowed_failures=1.0"),
        ({"allowed_failures": -1}, "allowed_failures=-1"),
        ({"allowed_failures": True}, "allowed_failures=True"),
        ({"allowed_failures": "many"}, "allowed_failures='many'"),
        ({"expected_items": 0}, "expected_items=0"),
        ({"conn_id": " "}, "conn_id"),
    ],
)
def test_literals_are_checked_when_the_dag_is_parsed(arguments, words):
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        BulkJobSensor(task_id="gate", **{"conn_id": "sendgrid_default", "job_id": "1", **arguments})


@every_mode
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": "['a', 'b']"}, "render_template_as_native_obj"),
        ({"job_id": ""}, "job_id"),
        ({"job_id": "None"}, "job_id"),
        ({"allowed_failures": "None"}, "allowed_failures"),
        ({"expected_items": "0"}, "expected_items"),
        ({"job_kind": "leads"}, "contacts, export"),
        ({"cancel_on_kill": True}, "does not support canceling"),
    ],
)
def test_rendered_values_are_checked_before_any_request(mode, arguments, words, sim, account):
    sensor = make(mode, conn_id="{{ conn }}", job_id="{{ job }}", allowed_failures="{{ allowed }}")
    sensor.conn_id, sensor.job_id, sensor.allowed_failures = account("sendgrid"), "1", "0"
    for name, value in arguments.items():
        setattr(sensor, name, value)
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        sensor.execute({"ti": FirstTry()})
    assert sim.requests("sendgrid") == []


@every_mode
def test_connection_of_another_type(mode, connection):
    conn_id = connection("elsewhere", conn_type="http", host="http://127.0.0.1:1")
    with pytest.raises(errors.BadConnectionError, match=r"'http'.*intercom, sendgrid"):
        run(mode, conn_id=conn_id, job_id="1")


@every_mode
def test_no_such_connection(mode):
    with pytest.raises(errors.BadConnectionError, match="nowhere"):
        run(mode, conn_id="nowhere", job_id="1")


@pytest.mark.parametrize("value", [(1, 2), ["a", 2], range(3)])
def test_ids_of_any_sequence(value):
    make("poke", conn_id="sendgrid_default", job_id=value)


@every_mode
def test_log_has_changes_and_no_secrets(mode, sim, account, caplog, capsys):
    caplog.set_level(logging.INFO)
    good = sim.job("activecampaign", "contacts", states=["waiting", "active", "active", "completed"], items=5)
    bad = sim.job("activecampaign", "contacts", states=["active", "completed"], items=5, failed=2)
    run(mode, conn_id=account("activecampaign"), job_id=[good, bad], allowed_failures=2)
    printed = capsys.readouterr()
    log = caplog.text + printed.out + printed.err
    assert "1 of 2 jobs done" in log
    assert "2 of 2 jobs done" in log
    # Airflow 2 hands each record to two handlers, Airflow 3 prints it.
    logged = {record.created for record in caplog.records if "1 of 2 jobs done" in record.getMessage()}
    assert (len(logged) or printed.out.count("1 of 2 jobs done")) == 1 or mode == "reschedule"
    assert "activecampaign-key" not in log
    assert "@" not in re.sub(r"\S+@\d", "", log)


def test_starts_in_the_triggerer_only_where_airflow_supports_it():
    """The scheduler of Airflow 2.11 and 3.0 would act on the arguments, and fail."""
    sensor = make("deferrable", conn_id="sendgrid_default", job_id="a")
    assert BulkJobSensor.start_trigger_args is None
    assert BulkJobSensor.start_from_trigger is False
    assert (sensor.start_trigger_args is not None) is sensor.start_from_trigger is STARTS_IN_TRIGGER


def test_the_log_says_why_a_wait_started_on_a_worker(sim, account, caplog, capsys):
    job_id = sim.job("sendgrid", states=["completed"])
    arguments = {"conn_id": account("sendgrid"), "job_id": job_id, "pool": "vendors"}
    for choice in (None, True):
        with caplog.at_level(logging.INFO):
            make("deferrable", start_from_trigger=choice, **arguments).execute({})
        output = capsys.readouterr().out + caplog.text  # Airflow 3 writes, Airflow 2 logs
        assert ("Starting on a worker, not in the triggerer: " in output) is bool(choice)
