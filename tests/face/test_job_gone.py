# SPDX-License-Identifier: Apache-2.0
"""A job that no longer exists at the vendor: a 404 or an empty record."""

import pytest
from face.modes import MODES, Store, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowSkipException
from airflow_provider_bulkjobs.exceptions import JobExpiredError
from airflow_provider_bulkjobs.waiting import tracker as wait

every_mode = pytest.mark.parametrize("mode", MODES)
SEEN = {"sendgrid": "pending", "acquia": "in_progress", "intercom": "running", "activecampaign": "active"}


def after_first_poll(monkeypatch, job_id, action):
    """Run an action after the first known state of the job."""
    original, actions = wait.JobTracker.note, [action]

    def note(self, job, now):
        ended = original(self, job, now)
        if job.job_id == job_id and job.known and actions:
            actions.pop()()
        return ended

    monkeypatch.setattr(wait.JobTracker, "note", note)


@every_mode
@pytest.mark.parametrize("vendor", SEEN)
def test_known_job_that_returns_404_has_expired(vendor, mode, sim, account, monkeypatch):
    job_id = sim.job(vendor, "contacts", states=[SEEN[vendor]], items=1)
    after_first_poll(monkeypatch, job_id, lambda: sim.expire(job_id))
    with pytest.raises(JobExpiredError, match="no longer exists"):
        run(mode, store=Store(), conn_id=account(vendor), job_id=job_id)


@every_mode
@pytest.mark.parametrize(
    ("flag", "error"),
    [(None, JobExpiredError), ("soft_fail", AirflowSkipException), ("never_fail", AirflowSkipException)],
)
def test_empty_record_of_a_known_job_means_expired(flag, error, mode, sim, account):
    job_id = sim.job("activecampaign", "contacts", states=["active", False], items=1)
    flags = {flag: True} if flag else {}
    with pytest.raises(error):
        run(mode, store=Store(), conn_id=account("activecampaign"), job_id=job_id, **flags)


@every_mode
def test_one_empty_record_is_retried(mode, sim, account):
    job_id = sim.job("activecampaign", "contacts", states=["active", False, "active", False, "completed"], items=1)
    assert run(mode, store=Store(), conn_id=account("activecampaign"), job_id=job_id)["state"] == "succeeded"


@every_mode
def test_one_404_is_retried(mode, sim, account, monkeypatch):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    after_first_poll(monkeypatch, job_id, lambda: sim.fault("sendgrid", "not_json", count=1, status=404))
    assert run(mode, store=Store(), conn_id=account("sendgrid"), job_id=job_id)["state"] == "succeeded"


@every_mode
def test_an_empty_record_of_a_job_that_was_never_seen_has_a_grace(mode, sim, account, monkeypatch):
    monkeypatch.setattr(wait, "GRACE", 0.3)
    arguments = {"conn_id": account("activecampaign")}
    new = sim.job("activecampaign", "contacts", states=[False, False, "completed"], items=1)
    assert run(mode, store=Store(), job_id=new, **arguments)["state"] == "succeeded"
    unknown = sim.job("activecampaign", "contacts", states=[False], items=1)
    with pytest.raises(errors.JobNotFoundError, match="job not found at the vendor"):
        run(mode, store=Store(), job_id=unknown, **arguments)


@every_mode
def test_expired_job_ends_the_wait_for_a_list(mode, sim, account, monkeypatch):
    gone, other = (sim.job("sendgrid", "contacts", states=["pending"], items=1) for _ in range(2))
    after_first_poll(monkeypatch, gone, lambda: sim.expire(gone))
    with pytest.raises(JobExpiredError, match=gone):
        run(mode, store=Store(), conn_id=account("sendgrid"), job_id=[other, gone], silent_fail=True)
