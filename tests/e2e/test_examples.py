# SPDX-License-Identifier: Apache-2.0
"""The example DAGs do what they say they do."""

import json
import re
from pathlib import Path

import pytest
from demo import PROMISES
from e2e.runs import EXAMPLES, GATES, RUN


def test_each_example_promises_something():
    assert set(EXAMPLES) == set(PROMISES)


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_every_task_ends_as_it_should(outcome, dag_id):
    assert outcome.states(dag_id) == {task_id: {state} for task_id, state in PROMISES[dag_id].tasks.items()}


@pytest.mark.parametrize(
    ("dag_id", "vendor", "expected"),
    [
        (
            "bulkjobs_sendgrid_contacts",
            "sendgrid",
            {"state": "partially_failed", "total": 1000, "failed": 30, "job_count": 1},
        ),
        (
            "bulkjobs_intercom_contacts",
            "intercom",
            {"state": "partially_failed", "total": 300, "failed": None, "succeeded": None, "job_count": 1},
        ),
        (
            "bulkjobs_activecampaign_contacts",
            "activecampaign",
            {"state": "succeeded", "total": None, "created": 970, "failed": 0, "job_count": 4},
        ),
        (
            "bulkjobs_warehouse_to_campaign",
            "sendgrid",
            {"state": "succeeded", "total": 970, "failed": 0, "job_count": 1},
        ),
    ],
)
def test_an_open_gate_returns_what_the_vendor_counted(outcome, dag_id, vendor, expected):
    result = outcome.result(dag_id)
    assert (result["vendor"], result["conn_id"]) == (vendor, f"{vendor}_default")
    assert {key: result[key] for key in expected} == expected
    assert len(result["jobs"]) == result["job_count"]


def test_a_closed_gate_says_why(outcome):
    log = outcome.log("bulkjobs_acquia_contacts")
    assert "total 1000, succeeded 970, failed 30" in log
    assert "Import rejected: 30 items failed, 0 allowed" in log


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_the_gates_wait_in_the_triggerer_and_tell_what_changes(outcome, dag_id):
    # Such as: "sendgrid contact import 948fbf89-…: pending", "activecampaign contact batch of 4 jobs: running, …".
    progress = re.compile(r"(\w+ contact \w+ [^:\"]+: [^\"\n]+)")
    on_worker = progress.findall(outcome.log(dag_id, where="worker"))
    in_triggerer = progress.findall(outcome.log(dag_id, where="trigger"))
    assert on_worker
    assert in_triggerer
    assert in_triggerer[-1].partition(": ")[0] == on_worker[0].partition(": ")[0]
    assert in_triggerer[-1] != on_worker[0]


PAGES = {  # also on a task that failed, as Acquia's
    "bulkjobs_intercom_contacts": "https://app.intercom.com/a/apps/_/users/segments/all-users",
    "bulkjobs_sendgrid_contacts": "https://mc.sendgrid.com/contacts",
    "bulkjobs_activecampaign_contacts": None,  # which page is not to be told from the simulator's address
    "bulkjobs_acquia_contacts": "{simulator}/acquia/s/contacts",
}


@pytest.mark.parametrize("dag_id", PAGES)
def test_the_gates_lead_to_the_vendors_page(outcome, airflow, simulator, dag_id):
    links = airflow.ask("GET", f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/{GATES[dag_id]}/links")
    link = links.get("extra_links", links)["Vendor's page"]  # Airflow 2 tells nothing else
    page = PAGES[dag_id]
    assert (link or None) == (page and page.format(simulator=simulator.url))
    if page:
        assert link in outcome.log(dag_id)


@pytest.mark.parametrize("dag_id", PAGES)
def test_the_gates_have_docs_and_readable_templates(outcome, airflow, dag_id):
    task = airflow.ask("GET", f"/dags/{dag_id}/tasks/{GATES[dag_id]}")
    assert f"of connection **{dag_id.removeprefix('bulkjobs_').removesuffix('_contacts')}" in task["doc_md"]
    instance = airflow.ask("GET", f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/{GATES[dag_id]}")
    rendered = instance["rendered_fields"]
    assert rendered["conn_id"].endswith("_default")
    assert any(rendered.get(name) for name in ("records", "job_id"))


def test_a_gate_says_what_it_waits_for_and_where_it_goes_on(outcome):
    log = outcome.log("bulkjobs_sendgrid_contacts", where="worker")
    for words in ("Waiting for sendgrid contact import ", "Deferred to the triggerer", "s after the wait started"):
        assert words in log


def rows_of(written):
    lines = Path(written["path"]).read_bytes().splitlines()
    assert (len(lines), sum(len(line) + 1 for line in lines)) == (written["rows"], written["bytes"])
    return [json.loads(line) for line in lines]


def test_failed_contacts_are_in_a_file(outcome):
    rows = rows_of(outcome.result("bulkjobs_sendgrid_contacts", "failed_contacts"))
    assert len(rows) == 30
    assert {(row["status"], row["error"]) for row in rows} == {("failed", "A valid email is required.")}


def test_each_contact_is_in_a_file_also_when_the_gate_stays_closed(outcome):
    rows = rows_of(outcome.result("bulkjobs_acquia_contacts", "each_contact"))
    assert sum(row["status"] == "failed" for row in rows) == 30
    assert len(rows) == 1000


def test_invalid_contacts_are_reported(outcome):
    assert "30 records cannot be submitted; written to" in outcome.log("bulkjobs_activecampaign_contacts")


def test_an_asset_starts_the_campaign_with_the_result(outcome, airflow):
    def ended():
        return [task for task in airflow.tasks() if task.dag_id == "bulkjobs_campaign_on_asset" and task.is_over]

    airflow.wait_until(ended, 60, "the DAG that is scheduled on the asset")
    [task] = ended()
    told = airflow.xcom(task.dag_id, task.run_id, task.task_id)
    assert told == "campaign goes to 970 of 1000 contacts"
