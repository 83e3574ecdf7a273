# SPDX-License-Identifier: Apache-2.0
"""No secret, personal data or signed URL leaks from the sensor, the trigger or the submits."""

import re

import pytest
from e2e.runs import HOME, rows_of
from leaks import leaks

SIGNED = re.compile(r"https?://[^\s\"']+\?[^\s\"']+")


def task_logs(outcome):
    return {path: path.read_text() for path in (HOME / "logs").glob("dag_id=*/**/*.log*")}


def xcoms(outcome):
    return {f"XCom {number}": row for number, row in enumerate(rows_of(HOME / "airflow.db", "xcom"))}


def triggers(outcome):
    return {f"trigger {number}": row for number, row in enumerate(outcome.triggers)}


def components(outcome):
    return {path: path.read_text() for path in HOME.glob("*.log") if path.stem != "simulator"}


@pytest.mark.parametrize(("place", "at_least"), [(task_logs, 25), (xcoms, 15), (triggers, 5), (components, 3)])
def test_no_leaks(outcome, place, at_least):
    texts = place(outcome)
    assert len(texts) >= at_least
    for name, text in texts.items():
        assert leaks(text) == [], name
        if place is not components:  # the web server logs the requested URLs
            own = outcome.airflow.url  # Airflow's own URLs may have a query
            assert [url for url in SIGNED.findall(text) if not url.startswith(own)] == [], name


def test_trigger_rows_are_readable(outcome):
    kwargs = [row for row in outcome.triggers if "BulkJobTrigger" in row]
    assert any("sendgrid_default" in row and "first_poll_at" in row for row in kwargs), "the rows are encrypted"
