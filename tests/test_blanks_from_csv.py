# SPDX-License-Identifier: Apache-2.0
"""overwriteWithBlank: an empty cell of a file, "" and None are sent as blanks, and without it they are not added."""

import json
from pathlib import Path
from typing import Any

import pytest
from vendors.scripted import make_account

from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.submitting.options import read_options
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
Acquia = next(vendor for vendor in VENDORS if vendor.conn_type == "acquia_campaign_studio")
each_operation = pytest.mark.parametrize("operation", Acquia.kinds[0].operations, ids=lambda one: one.name)
CSV = "id,email,firstname,city\n7,a@example.com,,Berlin\n8,b@example.com,,\n"


def sent(operation: Any, source: Any, **options: Any) -> list[dict[str, Any]]:
    hook = HOOK_OF["acquia_campaign_studio"]("mine")
    hook.account = make_account(Acquia, "https://vendor.example.com")
    with Submission(hook, "contacts", operation, read_options(operation, options), None) as submission:
        submission.prepare(read_records(source), None)
        return [one for batch in submission.batcher.batches() for one in json.loads(b"[%b]" % batch.payload.data)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(CSV)
    return tmp_path / "a.csv"


@pytest.mark.parametrize("value", [True, "true", "True"])
@each_operation
def test_empty_cell_is_sent_as_a_blank_with_the_option(file: Path, operation: Any, value: Any) -> None:
    assert sent(operation, file, overwriteWithBlank=value) == [
        {"id": "7", "email": "a@example.com", "firstname": "", "city": "Berlin", "overwriteWithBlank": True},
        {"id": "8", "email": "b@example.com", "firstname": "", "city": "", "overwriteWithBlank": True},
    ]


@pytest.mark.parametrize("options", [{}, {"overwriteWithBlank": False}], ids=str)
@each_operation
def test_empty_cell_is_left_out_without_the_option(file: Path, operation: Any, options: dict[str, Any]) -> None:
    assert sent(operation, file, **options) == [
        {"id": "7", "email": "a@example.com", "city": "Berlin", **options},
        {"id": "8", "email": "b@example.com", **options},
    ]


@pytest.mark.parametrize("blank", ["", None], ids=repr)
@each_operation
def test_blank_of_a_list_is_sent_as_that_of_a_file(operation: Any, blank: Any) -> None:
    record = {"id": "8", "email": "b@example.com", "firstname": blank}
    assert sent(operation, [record], overwriteWithBlank=True) == [
        {**record, "firstname": "", "overwriteWithBlank": True}
    ]
    assert sent(operation, [record]) == [record]


@each_operation
def test_option_in_a_column_is_that_of_its_record(tmp_path: Path, operation: Any) -> None:
    text = "id,email,city,overwriteWithBlank\n7,a@example.com,,true\n8,b@example.com,,false\n9,c@example.com,,\n"
    (tmp_path / "a.csv").write_text(text)
    assert sent(operation, tmp_path / "a.csv") == [
        {"id": "7", "email": "a@example.com", "city": "", "overwriteWithBlank": True},
        {"id": "8", "email": "b@example.com", "overwriteWithBlank": False},
        {"id": "9", "email": "c@example.com"},
    ]
