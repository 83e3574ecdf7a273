# SPDX-License-Identifier: Apache-2.0
"""An Airflow home of our own, and an environment that tells nothing about proxies and certificates."""

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress

import pytest

# Before airflow is imported for the first time: it reads both while it is imported.
HOME = tempfile.mkdtemp(prefix="bulkjobs-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

# Airflow warns about itself while it is imported. It is imported only once, so here is the place to look away.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import airflow_provider_bulkjobs.hooks.bulk_job
    import airflow_provider_bulkjobs.sensors.bulk_job
    import airflow_provider_bulkjobs.triggers.bulk_job

    with suppress(ImportError):  # up to Airflow 3.2
        import flask_appbuilder.fieldwidgets  # noqa: F401

    # Some of it is imported only when the first connection is read.
    os.environ["AIRFLOW_CONN_FIRST"] = "http://example.com"
    airflow_provider_bulkjobs.hooks.bulk_job.BaseHook.get_connection("first")
    del os.environ["AIRFLOW_CONN_FIRST"]

from airflow_provider_bulkjobs.http import engine  # noqa: E402  (after Airflow, as everything else)
from airflow_provider_bulkjobs.http.retry import RetryPolicy  # noqa: E402
from airflow_provider_bulkjobs.simulator import Simulator  # noqa: E402

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def no_proxies_nor_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.lower, PROXIES), *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Airflow 2 a sensor in reschedule mode asks the database when it was first rescheduled: never yet."""
    from airflow.sensors import base

    if hasattr(base, "_orig_start_date"):
        monkeypatch.setattr(base, "_orig_start_date", lambda **_: None)


@pytest.fixture
def sim(running_simulator: Simulator) -> Iterator[Simulator]:
    """The simulator, knowing nothing; how fast its jobs are is for ``running_simulator`` beside the tests to say."""
    running_simulator.reset()
    yield running_simulator
    running_simulator.reset()


@pytest.fixture
def impatient(quick_retries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a wait give up after a moment without a usable response instead of an hour: shorter than any poke."""
    monkeypatch.setenv("AIRFLOW__BULKJOBS__MAX_OUTAGE", "0.001")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten failures in a row, also of token requests, take a moment instead of minutes."""
    monkeypatch.setattr(engine, "DEFAULT_PAUSE", 0.01)
    original = RetryPolicy.__init__
    monkeypatch.setattr(
        RetryPolicy,
        "__init__",
        lambda self, **kwargs: original(self, **{**kwargs, "initial_delay": 0.001, "max_delay": 0.002}),
    )
