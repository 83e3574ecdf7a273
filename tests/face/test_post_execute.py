# SPDX-License-Identifier: Apache-2.0
"""A ``post_execute`` hook that fails makes Airflow retry the task, which must not submit again."""

import pytest
from face.modes import fire
from face.submits import Store, TaskInstance, make

from airflow_provider_bulkjobs._airflow import TaskDeferred
from airflow_provider_bulkjobs.exceptions import PartialSubmitError


def fails(_context, _result=None):
    raise RuntimeError("the hook failed")


def fails_after_yield(_context, _result=None):
    yield "metadata"
    raise RuntimeError("the hook failed")


def run_with_hook(context, conn_id, hook, **arguments):
    """Run a task to its end, and the hook that Airflow calls then."""
    operator = make(conn_id, post_execute=hook, **arguments)
    try:
        result = operator.execute(context)
    except TaskDeferred as deferred:
        kwargs = {**deferred.kwargs, "event": fire(deferred.trigger)}
        operator = make(conn_id, post_execute=hook, **arguments)
        result = operator.resume_execution(deferred.method_name, kwargs, context)
    list(operator._post_execute_hook(context, result) or [])


@pytest.mark.parametrize("hook", [fails, fails_after_yield])
@pytest.mark.parametrize(
    "arguments", [{}, {"wait_for_completion": False}, {"deferrable": True}], ids=["wait", "submit", "deferred"]
)
def test_failed_hook_ends_the_task(hook, arguments, account):
    with pytest.raises(PartialSubmitError, match="the hook failed") as caught:
        run_with_hook({"ti": (ti := TaskInstance())}, account("activecampaign"), hook, **arguments)
    assert ti.xcom["job_ids"][0] in str(caught.value)


def test_failed_hook_is_retried_where_that_is_safe(account):
    with pytest.raises(RuntimeError, match="the hook failed"):
        run_with_hook({"ti": TaskInstance(), "task_state_store": Store()}, account("activecampaign"), fails)
    with pytest.raises(RuntimeError, match="the hook failed"):
        run_with_hook({"ti": TaskInstance()}, account("sendgrid"), fails, operation="upsert")
