# SPDX-License-Identifier: Apache-2.0
"""From Airflow 3.3 on, a poke in reschedule mode knows what the pokes before it have found out."""

import logging
from datetime import timedelta

import pytest
from face.modes import FirstTry, Store, make, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowRescheduleException


class BrokenStore(Store):
    """A store whose server is away."""

    def get(self, key, default=None):
        raise RuntimeError("postgres://bot:hunter2@db is away")

    def set(self, key, value, *, retention=None):
        raise RuntimeError("postgres://bot:hunter2@db is away")


def poke(store, try_number=1, **arguments):
    """Poke once, in a process of its own; return whether another poke is to follow."""
    task_instance = FirstTry()
    task_instance.try_number = try_number
    try:
        make("reschedule", **arguments).execute({"ti": task_instance, "task_state_store": store})
    except AirflowRescheduleException:
        return True
    return False


def asked(sim, job_id):
    return sum(job_id in request.path_qs for request in sim.requests("sendgrid"))


def test_finished_job_is_not_polled_again(sim, account):
    done = sim.job("sendgrid", "contacts", states=["completed"], items=3)
    other = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=2)
    arguments, store = {"conn_id": account("sendgrid"), "job_id": [done, other]}, Store()
    assert poke(store, **arguments)
    sim.expire(done)
    assert not poke(store, **arguments)
    assert asked(sim, done) == 1


def test_another_try_polls_all_jobs(sim, account):
    done = sim.job("sendgrid", "contacts", states=["completed"], items=3)
    other = sim.job("sendgrid", "contacts", states=["pending"], items=2)
    arguments, store = {"conn_id": account("sendgrid"), "job_id": [done, other]}, Store()
    assert poke(store, **arguments)
    assert poke(store, try_number=2, **arguments)
    assert asked(sim, done) == 2


def test_only_changes_are_stored(sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["pending"] * 5 + ["completed"], items=2)
    store = Store()
    run("reschedule", store=store, conn_id=account("sendgrid"), job_id=job_id)
    assert store.writes == 1


def test_stored_jobs_survive_the_wait(sim, account, monkeypatch):
    kept = []
    monkeypatch.setattr(Store, "set", lambda _self, _key, _value, retention: kept.append(retention))
    job_id = sim.job("sendgrid", "contacts", states=["pending"], items=2)
    for timeout in (60 * 86400, 1e12):
        poke(Store(), conn_id=account("sendgrid"), job_id=job_id, timeout=timeout)
    assert kept[0] > timedelta(days=60)


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_other_modes_write_nothing(mode, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=2)
    store = Store()
    run(mode, store=store, conn_id=account("sendgrid"), job_id=job_id)
    assert store.writes == 0


@pytest.mark.parametrize("store", [None, BrokenStore()], ids=["none", "broken"])
def test_without_a_store_all_jobs_are_polled(store, sim, account, caplog, capsys):
    caplog.set_level(logging.INFO)
    done = sim.job("sendgrid", "contacts", states=["completed"], items=3)
    other = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=2)
    result = run("reschedule", store=store, conn_id=account("sendgrid"), job_id=[done, other])
    assert (result["total"], asked(sim, done)) == (5, 2)
    printed = capsys.readouterr()
    log = caplog.text + printed.out + printed.err
    assert ("could not be written (RuntimeError)" in log) == bool(store)
    assert "hunter2" not in log


def test_without_a_store_a_job_that_expires_between_pokes_was_never_seen(sim, account, monkeypatch):
    from airflow_provider_bulkjobs.waiting import tracker as wait

    monkeypatch.setattr(wait, "GRACE", -1)
    job_id = sim.job("sendgrid", "contacts", states=["pending"], items=1)
    arguments = {"conn_id": account("sendgrid"), "job_id": job_id}
    assert poke(None, **arguments)
    sim.expire(job_id)
    with pytest.raises(errors.JobNotFoundError):
        poke(None, **arguments)


@pytest.mark.parametrize("value", ["text", [], {}, {"try_number": 1, "known_jobs": "x", "missing": []}])
def test_invalid_stored_jobs_are_ignored(value, sim, account):
    store = Store()
    store.set("bulkjobs_wait", value, retention=timedelta(1))
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    assert not poke(store, conn_id=account("sendgrid"), job_id=job_id)
