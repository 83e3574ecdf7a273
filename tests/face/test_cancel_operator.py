# SPDX-License-Identifier: Apache-2.0
"""Cancelling jobs over real HTTP."""

import re

import pytest

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowSkipException
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobCancelOperator
from airflow_provider_bulkjobs.simulator import Simulator

STOPPABLE = [("acquia", "contacts", "DELETE"), ("intercom", "export", "POST")]
FINISHED = {"acquia": "completed", "intercom": "completed"}
RUNNING = {"acquia": "in_progress", "intercom": "in_progress"}
NOT_STOPPABLE = [
    ("intercom", "contacts"),
    ("intercom", "companies"),
    ("intercom", "job"),
    ("sendgrid", "contacts"),
    ("sendgrid", "export"),
    ("activecampaign", "contacts"),
]

stoppable = pytest.mark.parametrize(("vendor", "kind", "method"), STOPPABLE)


def cancel(**arguments):
    return BulkJobCancelOperator(task_id="cancel", **arguments).execute({})


def stops(sim: Simulator, vendor: str) -> list[tuple[str, str]]:
    return [
        (each.method, each.path_qs.rpartition("/")[2])
        for each in sim.requests(vendor)
        if each.method in {"DELETE", "POST"}
    ]


@stoppable
@pytest.mark.parametrize("step", [0, 1])
def test_unfinished_job_is_canceled(vendor, kind, method, step, sim, account):
    words = {"acquia": ["queued", "in_progress"], "intercom": ["pending", "in_progress"]}[vendor]
    job_id = sim.job(vendor, kind, states=[words[step]])
    counts = cancel(conn_id=account(vendor), job_id=job_id, job_kind=kind)
    assert counts == {"canceled": 1, "finished": 0, "gone": 0}
    assert stops(sim, vendor) == [(method, job_id)]


@stoppable
def test_finished_job_is_not_canceled(vendor, kind, method, sim, account):
    job_id = sim.job(vendor, kind, states=[FINISHED[vendor]], items=3, failed=1)
    conn_id = account(vendor)
    assert cancel(conn_id=conn_id, job_id=job_id, job_kind=kind) == {"canceled": 0, "finished": 1, "gone": 0}
    assert stops(sim, vendor) == []
    assert hook_for(conn_id).get_job(job_id, kind).state.is_finished


def test_details_of_a_finished_job_are_kept(sim, account):
    job_id = sim.job("acquia", states=["completed"], items=250, failed=2)
    conn_id = account("acquia")
    cancel(conn_id=conn_id, job_id=job_id)
    job = hook_for(conn_id).get_job(job_id)
    assert (job.total, job.failed) == (250, 2)


@stoppable
def test_deleted_job_is_no_error(vendor, kind, method, sim, account):
    job_id = sim.job(vendor, kind)
    sim.expire(job_id)
    counts = cancel(conn_id=account(vendor), job_id=[job_id, "never-was"], job_kind=kind)
    assert counts == {"canceled": 0, "finished": 0, "gone": 2}
    assert stops(sim, vendor) == []


@stoppable
def test_job_that_finishes_before_the_cancel_is_no_error(vendor, kind, method, sim, account, monkeypatch):
    job_id = sim.job(vendor, kind, states=[RUNNING[vendor]])
    conn_id = account(vendor)
    hook_class = type(hook_for(conn_id))
    original = hook_class.get_job

    def get_job(self, *args):
        job = original(self, *args)
        sim.expire(job_id)
        return job

    monkeypatch.setattr(hook_class, "get_job", get_job)
    assert cancel(conn_id=conn_id, job_id=job_id, job_kind=kind) == {"canceled": 0, "finished": 1, "gone": 0}
    assert stops(sim, vendor) == [(method, job_id)]


@stoppable
def test_many_jobs_each_by_its_own_state(vendor, kind, method, sim, account):
    running = [sim.job(vendor, kind, states=[RUNNING[vendor]]) for _ in range(3)]
    over = [sim.job(vendor, kind, states=[FINISHED[vendor]]) for _ in range(2)]
    job_ids = (running[0], over[0], "never-was", *running[1:], over[1])
    counts = cancel(conn_id=account(vendor), job_id=job_ids, job_kind=kind)
    assert counts == {"canceled": 3, "finished": 2, "gone": 1}
    assert stops(sim, vendor) == [(method, job_id) for job_id in running]


@pytest.mark.parametrize(("vendor", "kind"), NOT_STOPPABLE)
def test_unsupported_job_kind_sends_no_request(vendor, kind, sim, account):
    with pytest.raises(errors.BadArgumentError, match=f"does not support canceling .*{kind!r}"):
        cancel(conn_id=account(vendor), job_id=sim.job(vendor, kind), job_kind=kind)
    assert sim.requests(vendor) == []


def test_the_first_kind_is_the_default(sim, account):
    assert cancel(conn_id=account("acquia"), job_id=sim.job("acquia"))["canceled"] == 1
    with pytest.raises(errors.BadArgumentError, match="does not support canceling a contact import"):
        cancel(conn_id=account("intercom"), job_id="a")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": ""}, "job_id"),
        ({"job_id": None}, "job_id"),
        ({"job_id": ["a", "a"]}, "more than once"),
        ({"job_id": ".."}, "path"),
        ({"job_id": "['a', 'b']"}, "render_template_as_native_obj"),
        ({"conn_id": " "}, "conn_id"),
    ],
)
def test_bad_arguments_fail_at_parse_time_and_when_rendered(arguments, words, sim, account):
    good = {"conn_id": account("acquia"), "job_id": "a"}
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        BulkJobCancelOperator(task_id="cancel", **{**good, **arguments})
    operator = BulkJobCancelOperator(task_id="cancel", conn_id="{{ conn }}", job_id="{{ job }}")
    for name, value in {**good, **arguments}.items():
        setattr(operator, name, value)
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        operator.execute({})
    assert sim.requests("acquia") == []


def test_authentication_error_fails_the_task(sim, account):
    job_ids = [sim.job("acquia"), sim.job("acquia")]
    with pytest.raises(errors.AuthenticationError) as caught:
        cancel(conn_id=account("acquia", password="wrong-password"), job_id=job_ids)
    assert not isinstance(caught.value, AirflowSkipException)
    assert "wrong-password" not in str(caught.value)
    assert stops(sim, "acquia") == []


def test_second_run_after_an_error_cancels_the_rest(sim, account):
    job_ids = [sim.job("acquia", states=["in_progress"]) for _ in range(3)]
    conn_id = account("acquia")
    sim.fault("acquia", "unauthorized", count=1, path=job_ids[1])
    with pytest.raises(errors.AuthenticationError):
        cancel(conn_id=conn_id, job_id=job_ids)
    assert cancel(conn_id=conn_id, job_id=job_ids) == {"canceled": 2, "finished": 0, "gone": 1}
