# SPDX-License-Identifier: Apache-2.0
"""A worker that is killed between two requests of a submit loses no contact, and sends none twice."""

import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest
from airflow import __version__
from e2e.runs import HOME
from processes import tail_on_failure

RUN = "worker-lost"
ITEMS = {"activecampaign": 1000, "intercom": 400}
REQUESTS = 4  # of each submit

pytestmark = pytest.mark.skipif(
    tuple(map(int, __version__.split(".")[:2])) < (3, 3), reason="no state survives a killed worker before Airflow 3.3"
)


def is_half_submitted(vendor):
    """Whether the checkpoint says so, and no request is in flight: only then nothing is in doubt after a kill."""
    query = "SELECT value FROM task_state_store WHERE run_id = ? AND task_id = ? AND key = 'bulkjobs'"
    with closing(sqlite3.connect(f"file:{HOME / 'airflow.db'}?mode=ro", uri=True)) as database:
        row = database.execute(query, (RUN, vendor)).fetchone()
    checkpoint = json.loads(row[0]) if row else {}
    return checkpoint.get("accepted", 0) >= REQUESTS // 2 and not checkpoint["in_flight"]


@pytest.fixture(scope="module")
def before_and_after(airflow, simulator, outcome):
    def contacts():
        return {vendor: simulator.state()[vendor]["contacts"] for vendor in ITEMS}

    before, conf = contacts(), {"pids": str(HOME)}
    for vendor, items in ITEMS.items():
        path = HOME / f"{vendor}.jsonl"
        path.write_text("".join(json.dumps({"email": f"{vendor}-{n}@example.com"}) + "\n" for n in range(items)))
        conf[vendor] = str(path)

    def accepted(vendor):
        return contacts()[vendor]["total"] - before[vendor]["total"]

    with tail_on_failure(airflow.processes):
        airflow.trigger("e2e_submit", RUN, conf)
        for vendor, items in ITEMS.items():
            airflow.wait_until(lambda v=vendor: is_half_submitted(v), 120, f"half of a submit to {vendor}")
            os.kill(int((HOME / vendor).read_text()), signal.SIGKILL)
            assert accepted(vendor) < items  # the submit was not complete
        for _ in airflow.watch(RUN, seconds=180):
            pass
    after = contacts()
    return {v: {name: after[v][name] - before[v][name] for name in after[v]} for v in ITEMS}


@pytest.mark.parametrize("vendor", ITEMS)
def test_every_contact_is_sent_once(before_and_after, vendor):
    assert before_and_after[vendor] == {"total": ITEMS[vendor], "distinct": ITEMS[vendor]}


@pytest.mark.parametrize(("vendor", "jobs"), [("activecampaign", 4), ("intercom", 1)])
def test_retry_resumes_and_waits_for_all_jobs(before_and_after, airflow, vendor, jobs):
    assert before_and_after
    assert "Resuming after an earlier try" in airflow.task_log("e2e_submit", RUN, vendor)
    assert len(airflow.xcom("e2e_submit", RUN, vendor, key="job_ids")) == jobs
    assert airflow.xcom("e2e_submit", RUN, vendor)["job_count"] == jobs
