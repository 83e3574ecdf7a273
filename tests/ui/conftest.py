# SPDX-License-Identifier: Apache-2.0
"""One web server of a real Airflow, one simulator and one browser for all UI tests, in .ui/ of the checkout."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_airflow import LocalAirflow
from local_simulator import LocalSimulator
from processes import Processes, tail_on_failure

selenium = pytest.importorskip("selenium", reason="selenium is not installed: make ui-test")
from ui.forms import Form, FormOfAirflow2, FormOfAirflow3, chromium  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
HOME = ROOT / ".ui"


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    shutil.rmtree(HOME, ignore_errors=True)
    with Processes(HOME) as processes:
        yield processes


@pytest.fixture(scope="session")
def simulator(processes: Processes) -> LocalSimulator:
    return LocalSimulator(processes, job_seconds=1)


@pytest.fixture(scope="session")
def airflow(processes: Processes) -> LocalAirflow:
    airflow = LocalAirflow(HOME, [], {}, processes, only=("api-server", "webserver"))
    with tail_on_failure(processes):
        airflow.start()
    return airflow


@pytest.fixture(scope="session")
def browser(processes: Processes):
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("chromium or chromedriver not found: install the Debian packages chromium and chromium-driver")
    browser = chromium(binary, driver, HOME / "browser")
    yield browser
    browser.quit()


@pytest.fixture
def form(airflow: LocalAirflow, browser) -> Form:
    kind = FormOfAirflow3 if airflow.flavour.api == "/api/v2" else FormOfAirflow2
    return kind(browser, airflow.url)
