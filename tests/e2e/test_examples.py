# SPDX-License-Identifier: Apache-2.0
"""The example DAGs do what they say they do."""

import re

import pytest
from e2e.runs import EXAMPLES

OPEN = {"submit": "success", "gate": "success"}


def test_there_is_an_example_for_every_vendor_and_a_whole_pipeline():
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(
    ("dag_id", "states"),
    [
        ("bulkjobs_sendgrid_contacts", OPEN | {"send_campaign": "success"}),
        ("bulkjobs_intercom_contacts", OPEN | {"tag_segment": "success"}),
        ("bulkjobs_activecampaign_contacts", OPEN | {"send_campaign": "success"}),
        (
            "bulkjobs_acquia_contacts",
            {"submit": "success", "gate": "failed", "send_campaign": "upstream_failed", "tell_the_team": "success"},
        ),
        (
            "bulkjobs_warehouse_to_campaign",
            OPEN | {"extract": "success", "check": "success", "send_campaign": "success"},
        ),
    ],
)
def test_every_task_ends_as_it_should(outcome, dag_id, states):
    assert outcome.states(dag_id) == {task_id: {state} for task_id, state in states.items()}


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
            {"state": "partially_failed", "total": None, "created": 970, "failed": 30, "job_count": 4},
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
    assert "The gate stays closed: 30 items failed, 0 are allowed" in log


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
