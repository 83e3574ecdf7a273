# SPDX-License-Identifier: Apache-2.0
"""What a submitting task returns fits whatever comes after it: nothing, one list, or the lists of a mapped task."""

import pytest
from face.modes import MODES, FirstTry, make, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowSkipException
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobCancelOperator, BulkJobResultsOperator

every_mode = pytest.mark.parametrize("mode", MODES)
NOTHING = pytest.mark.parametrize("output", [[], [[]], [[], None], ()], ids=repr)


def rendered(task, output):
    """Set what a template renders when the task runs; the literals are checked when the DAG is parsed."""
    task.job_id = output
    return task


@every_mode
def test_a_sensor_waits_for_the_jobs_of_a_mapped_task(mode, sim, account):
    ids = [sim.job("sendgrid", "contacts", states=["pending", "completed"], items=2) for _ in range(3)]
    result = run(mode, conn_id=account("sendgrid"), job_id=[ids[:2], [], None, ids[2:]])
    assert (result["job_count"], result["total"]) == (3, 6)


def test_the_results_of_a_mapped_tasks_jobs_are_one_file(sim, account, tmp_path):
    ids = [sim.job("acquia", "contacts", states=["completed"], items=1) for _ in range(2)]
    arguments = {"conn_id": account("acquia"), "path": str(tmp_path / "rows.jsonl")}
    one, nested = (
        BulkJobResultsOperator(task_id="results", job_id=job_id, **arguments).execute({})
        for job_id in (ids, [[ids[0]], [ids[1]]])
    )
    assert one == nested


def test_the_jobs_of_a_mapped_task_are_canceled(sim, account):
    ids = [sim.job("acquia", "contacts", states=["in_progress"], items=1) for _ in range(3)]
    cancel = BulkJobCancelOperator(task_id="cancel", conn_id=account("acquia"), job_id=[ids[:2], ids[2:]])
    assert cancel.execute({}) == {"canceled": 3, "finished": 0, "gone": 0}


@every_mode
@NOTHING
@pytest.mark.parametrize("flag", [None, "soft_fail", "never_fail", "silent_fail"])
def test_a_sensor_skips_where_nothing_was_submitted(mode, output, flag):
    sensor = rendered(make(mode, conn_id="nowhere", job_id="{{ x }}", **({flag: True} if flag else {})), output)
    with pytest.raises(AirflowSkipException, match="nothing was submitted"):
        sensor.execute({"ti": FirstTry()})


@every_mode
def test_a_sensor_fails_where_the_submitting_task_returned_none(mode, account):
    sensor = rendered(make(mode, conn_id=account("sendgrid"), job_id="{{ x }}"), None)
    with pytest.raises(errors.BadArgumentError, match="None"):
        sensor.execute({"ti": FirstTry()})


@NOTHING
def test_nothing_submitted_has_no_results(output, tmp_path):
    task = BulkJobResultsOperator(task_id="r", conn_id="nowhere", job_id="{{ x }}", path=str(tmp_path / "a.jsonl"))
    with pytest.raises(AirflowSkipException, match="nothing was submitted"):
        rendered(task, output).execute({})


@NOTHING
def test_nothing_submitted_needs_no_cancel(output):
    task = BulkJobCancelOperator(task_id="cancel", conn_id="nowhere", job_id="{{ x }}")
    assert rendered(task, output).execute({}) == {"canceled": 0, "finished": 0, "gone": 0}
