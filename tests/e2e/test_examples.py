# SPDX-License-Identifier: Apache-2.0
"""The example DAGs have the expected results."""

import json
import re
from pathlib import Path

import pytest
from demo import EXPECTED
from e2e.runs import EXAMPLES, GATES, LEFT_OUT, RUN, RUN_EXAMPLES, VENDORS_LEFT_OUT

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER


def test_every_example_has_an_expected_result():
    assert set(EXAMPLES) == set(EXPECTED)


@pytest.mark.parametrize("dag_id", RUN_EXAMPLES)
def test_final_states(outcome, dag_id):
    assert outcome.states(dag_id) == {task_id: {state} for task_id, state in EXPECTED[dag_id].tasks.items()}


THIRTY_FAILED = {"state": "partially_failed", "total": 1000, "succeeded": 970, "failed": 30, "job_count": 1}
RESULTS = {
    "sendgrid": {"state": "partially_failed", "total": 1000, "failed": 30, "job_count": 1},
    "intercom": {"state": "partially_failed", "total": 300, "failed": None, "succeeded": None, "job_count": 1},
    "activecampaign": {"state": "succeeded", "total": None, "created": 970, "failed": 0, "job_count": 4},
    "hubspot": {"state": "partially_failed", "total": None, "submitted": 1000, "failed": 30, "job_count": 1},
    "klaviyo": THIRTY_FAILED,
    "brevo": {"state": "partially_failed", "total": None, "failed": None, "job_count": 1},
    "mailjet": THIRTY_FAILED,
    "marketo": {"state": "succeeded", "total": 1000, "succeeded": 1000, "failed": 0, "job_count": 1},
    "mailchimp": THIRTY_FAILED,
    "salesforce_bulk": THIRTY_FAILED,
    "zendesk_bulk": {"state": "partially_failed", "total": 1000, "created": 970, "failed": 30, "job_count": 10},
    "dotdigital": THIRTY_FAILED,
    "getresponse": THIRTY_FAILED,
    "customer_io": THIRTY_FAILED,
    "constant_contact": THIRTY_FAILED,
    "eloqua": THIRTY_FAILED,
    "omnisend": {**THIRTY_FAILED, "job_count": 10},
    "shopify": THIRTY_FAILED,
    "zoho_crm": THIRTY_FAILED,
}
OTHER_RESULTS = {
    "warehouse_contacts": {"state": "partially_failed", "total": 1000, "submitted": 1000, "failed": 30},
    "warehouse_to_campaign": {"state": "succeeded", "total": 970, "failed": 0, "job_count": 1},
}


@pytest.mark.parametrize("vendor", sorted(RESULTS.keys() - VENDORS_LEFT_OUT))
def test_accepted_import_returns_counts(outcome, vendor):
    expected = RESULTS[vendor]
    result = outcome.result(f"bulkjobs_{vendor}_contacts")
    assert (result["vendor"], result["conn_id"]) == (vendor, f"{vendor}_default")
    assert {key: result[key] for key in expected} == expected
    assert len(result["jobs"]) == result["job_count"]


@pytest.mark.parametrize("name", OTHER_RESULTS)
def test_accepted_import_from_a_warehouse(outcome, name):
    expected = OTHER_RESULTS[name]
    result = outcome.result(f"bulkjobs_{name}")
    assert {key: result[key] for key in expected} == expected


def test_rejected_import_logs_reason(outcome):
    log = outcome.log("bulkjobs_acquia_contacts")
    assert "total 1000, succeeded 970, failed 30" in log
    assert "Import rejected: 30 items failed, 0 allowed" in log


WITH_A_SENSOR = {"bulkjobs_intercom_contacts"}  # in the other examples, the operator submits and waits


@pytest.mark.parametrize("dag_id", RUN_EXAMPLES)
def test_worker_and_triggerer_log_progress(outcome, dag_id):
    # Such as: "sendgrid contact import 948fbf89-…: pending", "activecampaign contact batch of 4 jobs: running, …".
    progress = re.compile(r"(\w+ (?:contact|CRM|customer|profile|lead|user) \w+ (?:[^:,\"\n]|:\S)+: [^\"\n]+)")
    on_worker = progress.findall(outcome.log(dag_id, where="worker"))
    in_triggerer = progress.findall(outcome.log(dag_id, where="trigger"))
    assert in_triggerer
    if STARTS_IN_TRIGGER and dag_id in WITH_A_SENSOR:
        assert not on_worker  # it has no poll there
        return
    assert on_worker
    assert in_triggerer[-1].partition(": ")[0] == on_worker[0].partition(": ")[0]
    assert in_triggerer[-1] != on_worker[0]


PAGES = {  # also for a failed task, as Acquia's
    "bulkjobs_brevo_contacts": None,  # no page is known
    "bulkjobs_mailjet_contacts": None,
    "bulkjobs_dotdigital_contacts": None,
    "bulkjobs_getresponse_contacts": None,
    "bulkjobs_constant_contact_contacts": None,
    "bulkjobs_eloqua_contacts": None,
    "bulkjobs_omnisend_contacts": None,
    "bulkjobs_shopify_contacts": None,
    "bulkjobs_intercom_contacts": "https://app.intercom.com/a/apps/_/users/segments/all-users",
    "bulkjobs_sendgrid_contacts": "https://mc.sendgrid.com/contacts",
    "bulkjobs_activecampaign_contacts": None,  # the page cannot be derived from the simulator's address
    "bulkjobs_acquia_contacts": "{simulator}/acquia/s/contacts",
    "bulkjobs_hubspot_contacts": None,  # no page is known for either
    "bulkjobs_klaviyo_contacts": None,
    "bulkjobs_marketo_contacts": None,
    "bulkjobs_mailchimp_contacts": None,
    "bulkjobs_salesforce_bulk_contacts": None,
    "bulkjobs_zendesk_bulk_contacts": None,
}


@pytest.mark.parametrize("dag_id", sorted(PAGES.keys() - LEFT_OUT))
def test_link_to_vendor_page(outcome, airflow, simulator, dag_id):
    links = airflow.request("GET", f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/{GATES[dag_id]}/links")
    link = links.get("extra_links", links)["Vendor's page"]  # Airflow 2 returns only the links
    page = PAGES[dag_id]
    assert (link or None) == (page and page.format(simulator=simulator.url))
    if page:
        assert link in outcome.log(dag_id)


@pytest.mark.parametrize("dag_id", sorted(PAGES.keys() - LEFT_OUT))
def test_task_docs_and_rendered_fields(outcome, airflow, dag_id):
    task = airflow.request("GET", f"/dags/{dag_id}/tasks/{GATES[dag_id]}")
    assert f"of connection **{dag_id.removeprefix('bulkjobs_').removesuffix('_contacts')}" in task["doc_md"]
    instance = airflow.request("GET", f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/{GATES[dag_id]}")
    rendered = instance["rendered_fields"]
    assert rendered["conn_id"].endswith("_default")
    assert any(rendered.get(name) for name in ("records", "job_id"))


def test_rendered_query_is_readable(airflow, outcome):
    dag_id = "bulkjobs_warehouse_contacts"
    assert outcome.states(dag_id)["import_contacts"] == {"success"}
    instance = airflow.request("GET", f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/import_contacts")
    shown = str(instance["rendered_fields"]["records"])
    assert all(text in shown for text in ("warehouse", "ORDER BY customer_id", "'status': 'subscribed'"))


def test_worker_logs_jobs_and_deferral(outcome):
    log = outcome.log("bulkjobs_sendgrid_contacts", where="worker")
    for message in ("Waiting for sendgrid contact import ", "Deferred to the triggerer", "s after the wait started"):
        assert message in log


def rows_of(written):
    lines = Path(written["path"]).read_bytes().splitlines()
    assert (len(lines), sum(len(line) + 1 for line in lines)) == (written["rows"], written["bytes"])
    return [json.loads(line) for line in lines]


def test_failed_contacts_file(outcome):
    rows = rows_of(outcome.result("bulkjobs_sendgrid_contacts", "failed_contacts"))
    assert len(rows) == 30
    assert {(row["status"], row["error"]) for row in rows} == {("failed", "A valid email is required.")}


def test_rows_with_errors_file(outcome):
    rows = rows_of(outcome.result("bulkjobs_hubspot_contacts", "failed_contacts"))
    assert len(rows) == 30
    assert {(row["status"], row["error"], row["item"]["errorType"]) for row in rows} == {
        ("failed", "A valid email is required.", "INVALID_EMAIL")
    }


def test_rows_with_warnings_file(outcome):
    rows = rows_of(outcome.result("bulkjobs_marketo_contacts", "warnings"))
    assert len(rows) == 30
    assert {(row["status"], row["error"]) for row in rows} == {("warning", "Invalid email address")}


def test_results_file_of_rejected_import(outcome):
    rows = rows_of(outcome.result("bulkjobs_acquia_contacts", "contact_results"))
    assert sum(row["status"] == "failed" for row in rows) == 30
    assert len(rows) == 1000


def test_invalid_contacts_are_logged(outcome):
    assert "30 records cannot be submitted; " in outcome.log("bulkjobs_activecampaign_contacts")


def test_asset_event_has_result(outcome, airflow):
    def finished():
        return [task for task in airflow.tasks() if task.dag_id == "bulkjobs_campaign_on_asset" and task.is_over]

    airflow.wait_until(finished, 60, "the DAG that is scheduled on the asset")
    [task] = finished()
    result = airflow.xcom(task.dag_id, task.run_id, task.task_id)
    assert result == "Campaign sent to 970 of 1000 contacts"
