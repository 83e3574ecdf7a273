# SPDX-License-Identifier: Apache-2.0
"""The sensor's exceptions, whether Airflow retries them, and the fail flags: the same in every mode."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from face.modes import MODES, Store, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError
from airflow_provider_bulkjobs.waiting import tracker as wait

# What ends a task for good in every Airflow. Airflow retries anything else.
FINAL = (AirflowFailException, AirflowSensorTimeout)


@dataclass(frozen=True)
class World:
    """What a row may need to make its case."""

    sim: Any
    account: Callable[..., str]
    monkeypatch: pytest.MonkeyPatch

    def job(self, *states: str, vendor: str = "sendgrid", **values: Any) -> dict[str, Any]:
        job_id = self.sim.job(vendor, "contacts", states=list(states), **{"items": 10, **values})
        return {"conn_id": self.account(vendor), "job_id": job_id}


def gone(world: World) -> dict[str, Any]:
    arguments = world.job("in_progress", vendor="acquia")
    note = wait.JobTracker.note

    def note_and_expire(self: wait.JobTracker, job: Any, now: float) -> Any:
        has_finished = note(self, job, now)
        world.sim.expire(arguments["job_id"])
        return has_finished

    world.monkeypatch.setattr(wait.JobTracker, "note", note_and_expire)
    return arguments


def never_seen(world: World) -> dict[str, Any]:
    world.monkeypatch.setattr(wait, "GRACE", 0.2)
    return {"conn_id": world.account("sendgrid"), "job_id": "no-such-job"}


def refused(world: World) -> dict[str, Any]:
    world.sim.fault("sendgrid", "server_error", status=400)
    return world.job("completed")


def forbidden(world: World) -> dict[str, Any]:
    world.sim.fault("sendgrid", "server_error", status=403)
    return world.job("completed")


def down(world: World) -> dict[str, Any]:
    world.sim.fault("sendgrid", "outage")
    return world.job("completed")


def throttled(world: World) -> dict[str, Any]:
    world.sim.fault("sendgrid", "rate_limit", retry_after=0)
    return world.job("completed")


def invalid_response(world: World) -> dict[str, Any]:
    world.sim.fault("sendgrid", "not_json")
    return world.job("completed")


@dataclass(frozen=True)
class Row:
    """One row of the table.

    :param make: brings the case about, and returns the sensor's arguments.
    :param skipped: whether ``soft_fail`` makes a skip of it.
    """

    make: Callable[[World], dict[str, Any]]
    error: type[Exception]
    retried: bool
    skipped: bool


ROWS = {
    "the job failed": Row(lambda world: world.job("pending", "failed"), JobFailedError, retried=False, skipped=True),
    "the job was canceled": Row(
        lambda world: {
            "conn_id": world.account("intercom"),
            "job_kind": "export",
            "job_id": world.sim.job("intercom", "export", states=["pending", "canceled"]),
        },
        JobFailedError,
        retried=False,
        skipped=True,
    ),
    "too many items failed": Row(
        lambda world: world.job("pending", "errored", failed=3), JobFailedError, retried=False, skipped=True
    ),
    "not finished in time": Row(
        lambda world: {**world.job("pending"), "timeout": 0.2}, AirflowSensorTimeout, retried=False, skipped=True
    ),
    "the job is gone": Row(gone, JobExpiredError, retried=False, skipped=True),
    "the job was never seen": Row(never_seen, errors.JobNotFoundError, retried=True, skipped=False),
    "a bad key": Row(
        lambda world: {**world.job("completed"), "conn_id": world.account("sendgrid", password="SG.wrong")},
        errors.AuthenticationError,
        retried=True,
        skipped=False,
    ),
    "forbidden": Row(forbidden, errors.PermissionDeniedError, retried=True, skipped=False),
    "a bad connection": Row(
        lambda world: {**world.job("completed"), "conn_id": world.account("sendgrid", password="")},
        errors.BadConnectionError,
        retried=True,
        skipped=False,
    ),
    "a bad argument": Row(
        lambda world: {**world.job("completed"), "job_kind": "leads"},
        errors.BadArgumentError,
        retried=True,
        skipped=False,
    ),
    "the vendor refused": Row(refused, errors.VendorAPIError, retried=True, skipped=False),
    "an undocumented state": Row(
        lambda world: world.job("pending", "wobbling"), errors.UnknownStateError, retried=True, skipped=False
    ),
    "the vendor is down": Row(down, errors.VendorUnavailableError, retried=True, skipped=False),
    "the vendor is throttled": Row(throttled, errors.VendorUnavailableError, retried=True, skipped=False),
    "the response is not JSON": Row(invalid_response, errors.VendorUnavailableError, retried=True, skipped=False),
}


@pytest.fixture
def world(sim: Any, account: Callable[..., str], impatient: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(sim, account, monkeypatch)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("flag", [None, "soft_fail", "never_fail"])
@pytest.mark.parametrize("name", ROWS)
def test_error_retry_and_skip(name: str, flag: str | None, mode: str, world: World) -> None:
    row = ROWS[name]
    expected = AirflowSkipException if flag == "never_fail" or (flag and row.skipped) else row.error
    with pytest.raises(expected) as caught:
        run(mode, store=Store(), **row.make(world), **({flag: True} if flag else {}))
    assert type(caught.value) is expected
    if flag is None:
        assert isinstance(caught.value, FINAL) is not row.retried
