# SPDX-License-Identifier: Apache-2.0
"""A trigger that cannot run is an error; only a verdict and a timeout are skipped by ``soft_fail``."""

import pytest
from face.modes import make

from airflow_provider_bulkjobs._airflow import AirflowException, AirflowSkipException
from airflow_provider_bulkjobs.exceptions import BulkJobError

FAILURES = ({"error": "Trigger failure", "traceback": ["ModuleNotFoundError"]}, {"error": "Trigger exit"}, None)


def resume(kwargs, **flags):
    sensor = make("deferrable", conn_id="a", job_id="b", **flags)
    return sensor.resume_execution("__fail__", kwargs, {})


@pytest.mark.parametrize("kwargs", FAILURES)
def test_trigger_failure_is_not_skipped_by_soft_fail(kwargs):
    with pytest.raises(BulkJobError, match="The trigger failed") as caught:
        resume(kwargs, soft_fail=True)
    assert not isinstance(caught.value, AirflowException)


@pytest.mark.parametrize("kwargs", FAILURES)
def test_trigger_failure_without_flags_is_an_error(kwargs):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (each Airflow has its own)
        resume(kwargs)
    assert not isinstance(caught.value, AirflowSkipException)


def test_trigger_timeout_is_skipped_by_soft_fail():
    with pytest.raises(AirflowSkipException):
        resume({"error": "Trigger timeout"}, soft_fail=True)
