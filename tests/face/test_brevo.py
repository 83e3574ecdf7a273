# SPDX-License-Identifier: Apache-2.0
"""Brevo over HTTP: many waits need few requests, and the operators from the submit to the results."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import replace

import pytest
from face.firing import make_trigger
from face.submit_cases import both_modes, run

from airflow_provider_bulkjobs.exceptions import JobFailedError
from airflow_provider_bulkjobs.http.engine import Engine
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.brevo import jobs
from airflow_provider_bulkjobs.vendors.brevo.vendor import HOURLY, Brevo
from airflow_provider_bulkjobs.vendors.spec.throttling import Throttling
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

WAITS = 300
HOUR = 1.5  # seconds, with as many requests as in Brevo's hour
RECORDS = [{"email": "a@example.com", "FNAME": "Ada"}, {"email": "b@example.invalid"}]


def paths(sim):
    return Counter("list" if "?" in request.path_qs else "one" for request in sim.requests("brevo"))


async def run_all(triggers, is_over):
    """Run triggers to their events, or until something happens."""
    waits = [asyncio.ensure_future(anext(one.run())) for one in triggers]
    while not (is_over() or all(wait.done() for wait in waits)):
        await asyncio.sleep(0.01)
    for wait in waits:
        wait.cancel()
    return await asyncio.gather(*waits, return_exceptions=True)


@pytest.fixture
def waits(sim, account, monkeypatch):
    """Run many waits on one account, with Brevo's limit per hour; return their results."""
    sim.settings(limits={"brevo": {"requests": int(HOURLY.requests), "per_seconds": HOUR}})
    throttling = Throttling(Brevo.throttling.headers, limits=(replace(HOURLY, seconds=HOUR),))
    monkeypatch.setattr(Brevo, "throttling", throttling)
    monkeypatch.setattr(jobs, "MAX_AGE", 0.5)
    conn_id = account("brevo", extra={"requests_per_second": 1000})

    def run_waits(states, is_over=lambda: False):
        job_ids = [sim.job("brevo", states=states) for _ in range(WAITS)]
        arguments = {"deadline": time.time() + 60, "poke_interval": 0.5}
        triggers = [make_trigger(conn_id, "BrevoHook", job_ids=[job_id], **arguments) for job_id in job_ids]
        return asyncio.run(run_all(triggers, is_over))

    return run_waits


def test_polls_of_many_waits_are_a_few_lists(waits, sim, monkeypatch):
    rounds, polled, note = [0], set(), JobTracker.note

    def noted(tracker, job, now):
        polled.add(job.job_id)
        if len(polled) == WAITS and rounds[0] < 2:  # only then is a list too old
            rounds[0] += 1
            polled.clear()
        return note(tracker, job, now)

    monkeypatch.setitem(Engine.__init__.__kwdefaults__, "clock", lambda: float(rounds[0]))
    monkeypatch.setattr(JobTracker, "note", noted)
    waits(["queued"], is_over=lambda: rounds[0] == 2 and len(polled) == WAITS)
    assert paths(sim) == {"list": 6 * 3}  # pages of 50 imports, three polls of each wait
    assert {job["polls"] for job in sim.state()["brevo"]["jobs"]} == {3}
    assert set(sim.state()["brevo"]["statuses"]) == {"200"}


def test_many_waits_end_within_the_limit(waits, sim):
    events = waits(["queued", "processing", "completed"])
    assert {event.payload["status"] for event in events} == {"finished"}
    assert paths(sim)["one"] == WAITS
    assert paths(sim)["list"] < WAITS / 3
    assert set(sim.state()["brevo"]["statuses"]) == {"200"}


@both_modes
def test_import_with_failed_rows(mode, sim, account):
    conn_id = account("brevo")
    with pytest.raises(JobFailedError, match="items failed, and the vendor does not report how many"):
        run(mode, conn_id=conn_id, records=RECORDS, options={"listIds": [12]})
    assert run(mode, conn_id=conn_id, records=RECORDS[:1])["state"] == "succeeded"
    assert sim.contacts("brevo")[0]["attributes"] == {"FNAME": "Ada"}


def test_results_are_the_failed_rows(sim, account, tmp_path):
    arguments = {"task_id": "results", "conn_id": account("brevo"), "path": str(tmp_path / "results.jsonl")}
    job_id = sim.job("brevo", states=["completed"], items=3, failed=1)
    assert BulkJobResultsOperator(job_id=job_id, **arguments).execute({})["rows"] == 1
    [row] = map(json.loads, (tmp_path / "results.jsonl").read_text().splitlines())
    assert (row["status"], row["error"], row["item"]) == (
        "failed",
        "invalid_emails",
        {"EMAIL": "contact-3.example.com"},
    )
    report = sim.requests("brevo")[-1]
    assert "api-key" not in {name.lower() for name in report.headers}
