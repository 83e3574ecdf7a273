# SPDX-License-Identifier: Apache-2.0
"""A task whose submit takes two steps, and ends between them: it names what was accepted, or continues there."""

from dataclasses import replace

import pytest
from face.submits import Store, TaskInstance, make, submits

from airflow_provider_bulkjobs._airflow import AirflowTaskTimeout
from airflow_provider_bulkjobs.exceptions import BulkJobError, PartialSubmitError, VendorUnavailableError
from airflow_provider_bulkjobs.operators.checkpoint_store import TaskCheckpointStore
from airflow_provider_bulkjobs.protocol.flow import Request, SaveProgress
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError
from airflow_provider_bulkjobs.vendors.activecampaign.submits import submit_import
from airflow_provider_bulkjobs.vendors.activecampaign.vendor import ActiveCampaign

ENDINGS = {
    "rejected": None,
    "down": VendorUnavailableError("down"),
    "a defect": KeyError("defect"),
    "timeout of the task": AirflowTaskTimeout(),
}
each_ending = pytest.mark.parametrize("ending", ENDINGS)


@pytest.fixture(autouse=True)
def begun(monkeypatch):
    """Submit to ActiveCampaign in two steps; return the ids of the jobs that were begun."""
    begun = []

    def submit(context, ending=None):
        job_id = context.progress.get("batch")
        if job_id is None:
            job_id = yield from submit_import(context)
            begun.append(job_id)
            yield SaveProgress({"batch": job_id})
        if submit.ending == "rejected":
            yield Request("POST", "/api/3/start", idempotent=True)  # 404
        elif submit.ending is not None:
            raise ENDINGS[submit.ending]
        return job_id

    submit.ending = None
    [kind] = ActiveCampaign.kinds
    operation = replace(kind.operations[0], submit=submit)
    monkeypatch.setattr(ActiveCampaign, "kinds", (replace(kind, operations=(operation,)),))

    def end(ending):
        submit.ending = ending
        return begun

    return end


@each_ending
@pytest.mark.parametrize("flags", [{}, {"soft_fail": True}, {"never_fail": True}], ids=str)
def test_without_a_store_the_task_fails_and_names_the_job(ending, flags, begun, sim, account):
    jobs = begun(ending)
    with pytest.raises(PartialSubmitError, match=r"begun \(batch .*\), not completed.*Not retried") as caught:
        make(account("activecampaign"), **flags).execute({"ti": TaskInstance()})
    assert jobs[0] in str(caught.value)
    assert submits(sim) == 1 + (ending == "rejected")


@each_ending
def test_with_a_store_the_retry_continues(ending, begun, sim, account):
    jobs = begun(ending)
    context = {"ti": TaskInstance(), "task_state_store": Store()}
    expected = type(ENDINGS[ending]) if ENDINGS[ending] else BulkJobError
    with pytest.raises(expected) as caught:
        make(account("activecampaign")).execute(context)
    assert jobs[0] in str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    begun(None)
    ti = TaskInstance(2)
    assert make("activecampaign_default").execute({**context, "ti": ti})["state"] == "succeeded"
    assert ti.xcom["job_ids"] == jobs
    assert len(jobs) == 1


def test_progress_that_cannot_be_written_fails_the_task(begun, sim, account, monkeypatch):
    def fails(value):
        if isinstance(value, dict) and value["progress"]:
            raise TypeError("not stored")

    jobs = begun(None)
    context = {"ti": TaskInstance(), "task_state_store": Store(fails)}
    with pytest.raises(PartialSubmitError, match=r"begun \(batch ") as caught:
        make(account("activecampaign")).execute(context)
    assert jobs[0] in str(caught.value)
    with pytest.raises(PartialSubmitError, match="in flight"):
        make("activecampaign_default").execute(context)
    assert submits(sim) == 1


def test_store_without_the_progress_is_not_durable():
    def fails(value):
        if isinstance(value, dict) and value["progress"]:
            raise TypeError("not stored")

    checkpoints = TaskCheckpointStore({"ti": TaskInstance(), "task_state_store": Store(fails)})
    checkpoints.save(Checkpoint("records"))
    assert checkpoints.is_durable
    with pytest.raises(CheckpointError):
        checkpoints.save(Checkpoint("records", progress={"batch": "1"}))
    assert not checkpoints.is_durable
