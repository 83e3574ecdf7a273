# SPDX-License-Identifier: Apache-2.0
"""Acme Mail against its simulated side. The package has to be installed."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow_provider_acme_mail.simulated import SimulatedAcmeMail
from airflow_provider_acme_mail.vendor import STATUS

from airflow_provider_bulkjobs.exceptions import JobFailedError, UnknownStateError
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.operators.cancel import BulkJobCancelOperator
from airflow_provider_bulkjobs.operators.results import BulkJobResultsOperator
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account

CONN_ID = "acme_mail_default"
WAIT = {"conn_id": CONN_ID, "poke_interval": 0.1, "timeout": 30}


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(job_seconds=0.2, vendors=[SimulatedAcmeMail]) as sim:
        monkeypatch.setenv("AIRFLOW_CONN_ACME_MAIL_DEFAULT", json.dumps(sim.connection("acme_mail")))
        yield sim


def test_reads_a_status_without_a_network():
    flow = STATUS(Account(CONN_ID, {}), "a/b")
    assert next(flow).path == "/v1/imports/a%2Fb"
    with pytest.raises(StopIteration) as finished:
        flow.send(Response(200, {}, b'{"state": "done", "total": 3, "failed": 1}'))
    job = finished.value.value
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIALLY_FAILED, 2, 1)


def test_the_connection_test_names_the_account(sim: Simulator):
    expected = "Connected to Acme Mail as 'Example Ltd' (id 7)."
    assert hook_for(CONN_ID).test_connection() == (True, expected)


def test_the_connection_test_explains_a_rejected_key(sim: Simulator, monkeypatch: pytest.MonkeyPatch):
    connection = sim.connection("acme_mail") | {"password": "old-key"}
    monkeypatch.setenv("AIRFLOW_CONN_ACME_MAIL_DEFAULT", json.dumps(connection))
    succeeded, message = hook_for(CONN_ID).test_connection()
    assert not succeeded
    assert "API key: In Acme Mail: Settings > API keys." in message


def test_submits_and_waits(sim: Simulator):
    records = [{"email": f"person-{n}@example.com"} for n in range(501)]
    result = BulkJobOperator(task_id="submit", records=records, deferrable=False, **WAIT).execute({})
    assert (result["state"], result["job_count"], result["total"]) == ("succeeded", 2, 501)
    assert len(sim.contacts("acme_mail")) == 501


@pytest.mark.parametrize("deferrable", [False, True])
def test_waits(sim: Simulator, *, deferrable: bool):
    job_id = sim.job("acme_mail", states=["queued", "running", "done"], items=5)
    sensor = BulkJobSensor(task_id="wait", job_id=job_id, deferrable=deferrable, **WAIT)
    assert execute(sensor)["succeeded"] == 5


def test_an_outage_is_retried(sim: Simulator):
    job_id = sim.job("acme_mail", states=["done"])
    sim.fault("acme_mail", "server_error", count=1)
    sensor = BulkJobSensor(task_id="wait", job_id=job_id, deferrable=False, **WAIT)
    assert sensor.execute({})["succeeded"] == 1


@pytest.mark.parametrize("body", [{"state": "paused"}, {"state": ["done"]}, {"state": "Done"}])
def test_an_undocumented_state_is_an_error(sim: Simulator, body: dict[str, Any]):
    job_id = sim.job("acme_mail", body=body)
    with pytest.raises(UnknownStateError, match=r"Acme Mail.*https://developers\.acme-mail\.example"):
        hook_for(CONN_ID).get_job(job_id)


def test_failed_items_fail_the_task(sim: Simulator):
    job_id = sim.job("acme_mail", states=["done"], items=5, failed=2)
    with pytest.raises(JobFailedError, match="2 items failed"):
        BulkJobSensor(task_id="wait", job_id=job_id, deferrable=False, **WAIT).execute({})


def test_writes_the_results(sim: Simulator, tmp_path: Path):
    job_id = sim.job("acme_mail", states=["done"], items=5, failed=1)
    path = tmp_path / "results.jsonl"
    BulkJobResultsOperator(task_id="results", conn_id=CONN_ID, job_id=job_id, path=str(path)).execute({})
    [line] = path.read_text().splitlines()
    assert json.loads(line)["error"] == "A valid email is required."


def test_cancels(sim: Simulator):
    job_ids = [sim.job("acme_mail", states=[state]) for state in ("running", "done")]
    BulkJobCancelOperator(task_id="cancel", conn_id=CONN_ID, job_id=job_ids).execute({})
    hook = hook_for(CONN_ID)
    assert [hook.get_job(job_id).state for job_id in job_ids] == [JobState.CANCELED, JobState.SUCCEEDED]
    hook.transport.close()


def execute(sensor: BulkJobSensor) -> Any:
    """Run a sensor as a worker would, and its trigger as a triggerer would."""
    try:
        return sensor.execute({})
    except TaskDeferred as deferred:
        deferred.trigger.first_poll_at = time.time()  # it would be in 10 seconds
        event = asyncio.run(first_event(deferred.trigger))
        return sensor.execute_complete({}, event)


async def first_event(trigger: Any) -> dict[str, Any]:
    events = trigger.run()
    try:
        return (await anext(events)).payload
    finally:
        await events.aclose()
