# SPDX-License-Identifier: Apache-2.0
"""How long a wait goes on while the vendor is down: it counts time, and in reschedule mode over all pokes."""

import json
import time
from contextlib import nullcontext

import pytest
from face.modes import FirstTry, Store, make, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowRescheduleException
from airflow_provider_bulkjobs.sensors.memory import KEY


def test_an_outage_of_several_pokes_does_not_end_a_wait(sim, account, quick_retries):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    sim.fault("sendgrid", "outage", count=7)  # of which a poke notices three
    assert run("reschedule", conn_id=account("sendgrid"), job_id=job_id)["state"] == "succeeded"


@pytest.mark.parametrize(("hours", "gives_up"), [(0.5, False), (2, True)])
def test_time_of_an_outage_counts_over_the_pokes(hours, gives_up, sim, account, quick_retries):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    sim.fault("sendgrid", "outage", count=5)  # of which a poke notices three
    store = Store()
    store.values[KEY] = json.dumps(
        {"try_number": 1, "known_jobs": [], "missing": [], "failing_since": time.time() - hours * 3600}
    )
    with pytest.raises(errors.VendorUnavailableError) if gives_up else nullcontext():
        assert run("reschedule", conn_id=account("sendgrid"), job_id=job_id, store=store)["state"] == "succeeded"


def test_an_answer_ends_an_outage_over_the_pokes(sim, account, quick_retries):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "pending", "completed"], items=1)
    sim.fault("sendgrid", "outage", count=4)
    store = Store()
    assert run("reschedule", conn_id=account("sendgrid"), job_id=job_id, store=store)["state"] == "succeeded"
    assert json.loads(store.values[KEY])["failing_since"] is None


def test_a_requested_pause_ends_an_outage_over_the_pokes(sim, account):
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    sim.fault("sendgrid", "rate_limit", retry_after=7200)
    store = Store()
    since = {"failing_since": time.time() - 1800}
    store.values[KEY] = json.dumps({"try_number": 1, "known_jobs": [], "missing": [], **since})
    sensor = make("reschedule", conn_id=account("sendgrid"), job_id=job_id, timeout=86400)
    with pytest.raises(AirflowRescheduleException):
        sensor.execute({"ti": FirstTry(), "task_state_store": store})
    assert json.loads(store.values[KEY])["failing_since"] is None


@pytest.mark.parametrize("flags", [{}, {"never_fail": True}, {"silent_fail": True}], ids=str)
def test_next_poke_comes_after_the_pause(flags, sim, account):
    """It is another process, which does not know of the pause."""
    sim.settings(limits={"sendgrid": {"requests": 1, "per_seconds": 1e10}})
    arguments = {"conn_id": account("sendgrid"), "job_id": sim.job("sendgrid", states=["pending"]), **flags}
    day = 24 * 3600
    # The first poke is told that no request remains, the second one gets a 429. The deadline counts as well.
    for timeout, expected in ((2 * day, day), (2 * day, day), (3600, 3600)):
        began = time.time()
        with pytest.raises(AirflowRescheduleException) as planned:
            make("reschedule", **arguments, timeout=timeout).execute({"ti": FirstTry()})
        assert planned.value.reschedule_date.timestamp() - began == pytest.approx(expected, abs=60)


@pytest.mark.parametrize("value", ["soon", "-1", "nan"])
def test_invalid_time_of_an_outage_is_an_error(value, sim, account, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BULKJOBS__MAX_OUTAGE", value)
    with pytest.raises(errors.BadArgumentError, match="max_outage"):
        run("poke", conn_id=account("sendgrid"), job_id=sim.job("sendgrid", states=["completed"]))
