# SPDX-License-Identifier: Apache-2.0
import json
import re
from dataclasses import replace

import pytest

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid
from airflow_provider_bulkjobs.waiting.tracker import GRACE, JobTracker


def make_wait(*job_ids, started_at=1000, **known):
    vendor = SendGrid()
    arguments = {"kind": vendor.kinds[0], "conn_id": "sendgrid_default", "started_at": started_at, **known}
    return JobTracker(vendor=vendor, job_ids=job_ids, **arguments)


def test_finished_jobs_are_not_asked_about_again():
    wait = make_wait("a", "b")
    wait.note(BulkJob("a", JobState.SUCCEEDED, "completed"), 1001)
    wait.note(BulkJob("b", JobState.RUNNING, "pending"), 1001)
    assert wait.unfinished == ["b"]


def test_known_jobs_are_restored_in_another_process():
    wait = make_wait("a", "b", "c")
    wait.note(BulkJob("a", JobState.PARTIALLY_FAILED, "errored", total=10, failed=2), 1001)
    wait.note(BulkJob("b", JobState.PENDING, "pending"), 1001)
    again = make_wait("a", "b", "c", known_jobs=wait.known_jobs)
    assert again.unfinished == ["b", "c"]
    assert again.result == wait.result
    again.record_missing("b", 1002)
    with pytest.raises(errors.JobDisappearedError):
        again.record_missing("b", 1003)


def test_a_missing_job_has_a_grace():
    wait = make_wait("a")
    wait.record_missing("a", 1000 + GRACE)
    with pytest.raises(errors.JobNotFoundError, match="sendgrid_default"):
        wait.record_missing("a", 1000 + GRACE + 1)


def test_a_job_without_a_record_has_a_grace_too():
    wait = make_wait("a")
    nothing_yet = BulkJob("a", JobState.PENDING, "false", known=False)
    wait.note(nothing_yet, 1000 + GRACE)
    with pytest.raises(errors.JobNotFoundError):
        wait.note(nothing_yet, 1000 + GRACE + 1)


def test_a_job_without_a_record_has_not_vanished():
    wait = make_wait("a")
    wait.note(BulkJob("a", JobState.PENDING, "false", known=False), 1001)
    wait.record_missing("a", 1000 + GRACE)
    with pytest.raises(errors.JobNotFoundError):
        wait.record_missing("a", 1000 + GRACE + 1)


def test_a_seen_job_is_gone_when_two_polls_in_a_row_do_not_find_it():
    wait = make_wait("a")
    active = BulkJob("a", JobState.RUNNING, "active")
    unknown = BulkJob("a", JobState.PENDING, "false", known=False)
    for _ in range(3):
        wait.note(active, 1001)
        wait.note(unknown, 9999)
        assert (wait.missing, wait.stoppable, wait.result["state"]) == (["a"], [], "running")
    wait.note(active, 9999)
    assert (wait.missing, wait.stoppable) == ([], ["a"])
    wait.record_missing("a", 9999)
    with pytest.raises(errors.JobDisappearedError, match="last state: active"):
        wait.note(unknown, 9999)


def test_a_miss_goes_on_in_another_process():
    wait = make_wait("a")
    wait.note(BulkJob("a", JobState.RUNNING, "active"), 1001)
    wait.record_missing("a", 1002)
    again = make_wait("a", known_jobs=wait.known_jobs, missing=wait.missing)
    with pytest.raises(errors.JobDisappearedError):
        again.record_missing("a", 1003)


def test_three_different_keys_refused_in_a_row_are_an_error():
    wait, refused = make_wait("a"), errors.AuthenticationError("no")
    for key in ("k1", "k1", "k2"):
        wait.note_refused_key(key, refused)
    wait.note(BulkJob("a", JobState.RUNNING, "active"), 1001)  # a response: the key is valid
    for key in ("k3", "k4"):
        wait.note_refused_key(key, refused)
    for key in ("k5", "k6"):
        with pytest.raises(errors.AuthenticationError, match=r"no.*refused 3"):
            wait.note_refused_key(key, refused)


def test_status_line_only_when_something_changed():
    wait = make_wait("a", "b")
    assert wait.status_change() is None
    wait.note(BulkJob("a", JobState.PENDING, "pending"), 1001)
    expected = "sendgrid contact import of 2 jobs: running, 0 of 2 jobs done (1 pending, 1 no state yet)"
    assert re.fullmatch(rf"{re.escape(expected)}, \d+ s after the wait started", wait.status_change())
    wait.note(BulkJob("a", JobState.PENDING, "pending"), 1002)
    assert wait.status_change() is None
    wait.note(BulkJob("a", JobState.SUCCEEDED, "completed"), 1003)
    assert "1 of 2 jobs done" in wait.status_change()


def test_remark_about_a_state_is_logged_once():
    wait = make_wait("a", "b")
    wait.kind = replace(
        wait.kind, states=replace(wait.kind.states, remarks={"review": "A person decides", "held": "No"})
    )
    lines = []
    for job_id, state in (("a", "pending"), ("a", "review"), ("b", "review"), ("b", "held")):
        wait.note(BulkJob(job_id, JobState.PENDING, state), 1001)
        lines.append(wait.status_change().partition(" s after the wait started")[2])
    assert lines == ["", ". A person decides", "", ". No"]


def test_errors_name_the_job_and_how_to_go_on():
    wait = make_wait(*(str(number) for number in range(30)))
    with pytest.raises(errors.VendorUnavailableError, match=r"'19'\] and 10 more") as caught:
        wait.record_error("7", errors.VendorUnavailableError("down", retry_after=5))
    assert caught.value.retry_after == 5
    with pytest.raises(errors.UnknownStateError, match="contact import 7: wobbling"):
        wait.record_error("7", errors.UnknownStateError("wobbling"))


def test_what_is_handed_on_fits_into_a_small_column_the_finished_first():
    ids = [f"{number:036}" for number in range(400)]
    wait = make_wait(*ids)
    for job_id in ids:
        state = JobState.SUCCEEDED if job_id in ids[-20:] else JobState.RUNNING
        wait.note(BulkJob(job_id, state, state.value, total=10), 1001)
    known_jobs = wait.known_jobs
    assert {job["job_id"] for job in known_jobs} > set(ids[-20:])
    assert 20_000 < len(json.dumps(known_jobs)) < 45_000 - len(json.dumps(ids))
    assert make_wait("a" * 50_000, known_jobs=[]).known_jobs == []
    assert make_wait(*ids, known_jobs=known_jobs).unfinished == ids[:-20]
