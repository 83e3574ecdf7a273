# SPDX-License-Identifier: Apache-2.0
"""A deferred task on its page in the web UI. It takes a whole Airflow, so it only runs for `make pictures`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_airflow import LocalAirflow
from local_simulator import LocalSimulator
from processes import Processes, tail_on_failure
from ui.conftest import HOME, ROOT
from ui.forms import FormOfAirflow3

pytestmark = pytest.mark.skipif("PICTURES" not in os.environ, reason="only for screenshots: make pictures")

DAG, TASK, RUN = "bulkjobs_sendgrid_contacts", "import_contacts", "manual__2026-03-14"
JOB_SECONDS = 90  # longer than the browser needs
WINDOW = (1200, 740)
# The path of a tab, the name of its picture, and what it has to show.
TABS = (
    ("", "deferred-task", ("Deferred", "Batch 1 of 1 accepted", "Deferred to the triggerer", "starting")),
    ("/details", "deferred-task-details", ("Deferred", "Vendor's page", "BulkJobTrigger")),
)
LINK = "a[href='https://mc.sendgrid.com/contacts']"  # in the log, and in the details


@pytest.fixture
def waiting() -> Iterator[LocalAirflow]:
    """An Airflow with a task that is deferred."""
    home = HOME / "waiting"
    dags = HOME / "example_dags"
    dags.mkdir()
    for name in ("sendgrid_contacts.py", "contacts.csv"):
        shutil.copy(ROOT / "example_dags" / name, dags)
    with Processes(home) as processes, tail_on_failure(processes):
        simulator = LocalSimulator(processes, JOB_SECONDS)
        airflow = LocalAirflow(home, [dags], simulator.connections, processes)
        airflow.start()
        airflow.trigger(DAG, RUN)
        airflow.wait_until(lambda: ("deferred", TASK) in {(t.state, t.task_id) for t in airflow.tasks(RUN)}, 60, TASK)
        yield airflow


def test_the_page_of_a_task_shows_the_wait(browser, waiting: LocalAirflow) -> None:
    page = FormOfAirflow3(browser, waiting.url)
    browser.set_window_size(*WINDOW)
    pictures = Path(os.environ["PICTURES"])
    for tab, name, words in TABS:
        browser.get(f"{waiting.url}/dags/{DAG}/runs/{RUN}/tasks/{TASK}{tab}")
        page.wait(lambda words=words: all(word in page.one("body").text for word in words), f"{words} on the page")
        page.one("body").send_keys("w")  # wraps the lines of the log
        page.wait(lambda: page.one(LINK).rect["x"] < WINDOW[0], "the vendor's page in the window")
        (pictures / f"{name}.png").write_bytes(browser.get_screenshot_as_png())
