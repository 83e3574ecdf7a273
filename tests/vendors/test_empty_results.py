# SPDX-License-Identifier: Apache-2.0
"""A response without the list that was requested is never an empty list of results."""

import re
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF
from vendors.generated import ok
from vendors.result_rules import fetch

from airflow_provider_bulkjobs.exceptions import VendorUnavailableError

COMPLETE = {"data": {"attributes": {"status": "complete", "total_count": 3, "failed_count": 2}}}
NO_LISTS: list[tuple[str, str, list[Any], str]] = [
    ("sendgrid", "contacts", [{"status": "errored", "results": {"errored_count": 2}}], "has no errors_url"),
    (
        "sendgrid",
        "contacts",
        [{"status": "completed", "results": {"requested_count": 2, "created_count": 1}}],
        "has no errors_url",
    ),
    (
        "sendgrid",
        "contacts",
        [{"status": "failed", "results": {"errored_count": 2, "errors_url": ""}}],
        "has no errors_url",
    ),
    ("sendgrid", "export", [{"status": "ready"}], "without the .urls. of the files"),
    ("sendgrid", "export", [{"status": "ready", "urls": None}], "without the .urls. of the files"),
    (
        "sendgrid",
        "export",
        [{"status": "ready", "urls": {"0": "https://files.example.com"}}],
        "without the .urls. of the files",
    ),
    ("intercom", "contacts", [{"state": "completed"}], "no list of tasks"),
    ("intercom", "contacts", [{"state": "completed_with_errors", "tasks": None}], "no list of tasks"),
    ("intercom", "companies", [{"state": "completed_with_errors", "tasks": []}], "no task with errors"),
    ("activecampaign", "contacts", [{"status": "completed", "failure": "bad"}], "not a list"),
    (
        "acquia_campaign_studio",
        "contacts",
        [{"status": "completed"}, {"status": "completed"}],
        "has no list of job details",
    ),
    ("hubspot", "import", [{"state": "DONE"}, {}], "no list of import errors"),
    ("klaviyo", "profiles", [COMPLETE, {}], "no list of import errors"),
    ("klaviyo", "profiles", [COMPLETE, {"data": []}], "counts 2 failed profiles"),
]


@pytest.mark.parametrize(
    ("conn_type", "kind", "bodies", "words"), NO_LISTS, ids=[f"{c}-{k}-{n}" for n, (c, k, *_) in enumerate(NO_LISTS)]
)
def test_missing_list_is_not_treated_as_empty(conn_type: str, kind: str, bodies: list[Any], words: str) -> None:
    outcome, _ = fetch(SAMPLE_OF[conn_type, kind], *map(ok, bodies))
    assert isinstance(outcome, VendorUnavailableError), outcome
    assert re.search(words, str(outcome))
