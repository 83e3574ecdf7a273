# SPDX-License-Identifier: Apache-2.0
"""HubSpot matches records only by a marked column: an upsert or update without one would create duplicates."""

import json
from typing import Any

import pytest
from vendors.scripted import make_account

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors.hubspot.imports import OPERATIONS
from airflow_provider_bulkjobs.vendors.spec.operation import Payload, SubmitContext

HUBSPOT = next(hook_class for hook_class in HOOKS if hook_class.conn_type == "hubspot")
ACCOUNT = make_account(HUBSPOT.vendor, "https://vendor.example.com")
OPERATION_OF = {operation.name: operation for operation in OPERATIONS}
MARKED = {"columnObjectTypeId": "0-3", "columnName": "number", "propertyName": "order_number"}
PLAIN = {"columnObjectTypeId": "0-3", "columnName": "amount", "propertyName": "amount"}
DEALS = [{"number": "7", "amount": 1}]

matching = pytest.mark.parametrize("operation", ["upsert", "update"])


def column_types(operation: str, records: list[dict[str, Any]], **options: Any) -> dict[str, str | None]:
    """Return the type of each column in the request that submits the records."""
    hook = HUBSPOT("mine")
    hook.account = ACCOUNT
    with Submission(hook, "import", OPERATION_OF[operation], options, None) as submission:
        submission.prepare((Row(number, record) for number, record in enumerate(records, 1)), None)
        [batch] = submission.batcher.batches()
        request = next(OPERATION_OF[operation].submit(SubmitContext(ACCOUNT, batch.payload, options)))
    form = json.loads(request.body.split(b"\r\n\r\n")[1].partition(b"\r\n--")[0])
    assert form["importOperations"] == {options.get("columnObjectTypeId", "0-1"): operation.upper()}
    mappings = form["files"][0]["fileImportPage"]["columnMappings"]
    return {each["columnName"]: each.get("columnType") for each in mappings}


@matching
@pytest.mark.parametrize(
    ("object_type", "column", "column_type"),
    [
        ("0-1", "email", "HUBSPOT_ALTERNATE_ID"),
        ("0-1", "hs_object_id", "HUBSPOT_OBJECT_ID"),
        ("0-2", "domain", "HUBSPOT_ALTERNATE_ID"),
        ("0-2", "hs_object_id", "HUBSPOT_OBJECT_ID"),
        ("0-3", "hs_object_id", "HUBSPOT_OBJECT_ID"),
        ("2-1234", "hs_object_id", "HUBSPOT_OBJECT_ID"),
    ],
)
def test_identifier_column_is_marked(operation: str, object_type: str, column: str, column_type: str) -> None:
    types = column_types(operation, [{"name": "x", column: "101"}], columnObjectTypeId=object_type)
    assert types == {"name": None, column: column_type}


def test_contacts_are_the_default() -> None:
    assert column_types("upsert", [{"email": "ada@example.com"}]) == {"email": "HUBSPOT_ALTERNATE_ID"}


@matching
@pytest.mark.parametrize(
    ("object_type", "record", "format_identity"),
    [
        ("0-1", {"EMAIL": "ada@example.com"}, "'email'"),
        ("0-1", {"domain": "example.com"}, "'email'"),
        ("0-2", {"email": "ada@example.com"}, "'domain'"),
        ("0-3", {"email": "ada@example.com"}, "'hs_object_id'"),
        ("2-1234", {"domain": "example.com"}, "'hs_object_id'"),
    ],
)
def test_records_without_identifier_are_rejected(
    operation: str, object_type: str, record: dict[str, Any], format_identity: str
) -> None:
    with pytest.raises(BadArgumentError, match="line 1 lacks field") as caught:
        column_types(operation, [record], columnObjectTypeId=object_type)
    assert format_identity in str(caught.value)
    assert "by which HubSpot matches records" in str(caught.value)
    assert "example.com" not in str(caught.value)


@matching
@pytest.mark.parametrize("value", ["", None])
def test_row_without_identifier_is_named(operation: str, value: Any) -> None:
    with pytest.raises(
        BadArgumentError, match="1 of 2 records cannot be submitted, and nothing was sent: line 2 lacks"
    ):
        column_types(operation, [{"email": "ada@example.com"}, {"email": value, "firstname": "Bob"}])


def test_create_needs_no_identifier() -> None:
    assert column_types("create", [{"name": "x", "domain": "y"}], columnObjectTypeId="0-2") == {
        "name": None,
        "domain": None,
    }


@matching
@pytest.mark.parametrize("column_type", ["HUBSPOT_ALTERNATE_ID", "HUBSPOT_OBJECT_ID"])
def test_mappings_may_mark_another_property(operation: str, column_type: str) -> None:
    mappings = [{**MARKED, "columnType": column_type}, PLAIN]
    types = column_types(operation, DEALS, columnObjectTypeId="0-3", columnMappings=mappings)
    assert types == {"number": column_type, "amount": None}


@matching
@pytest.mark.parametrize(
    "mappings",
    [
        [MARKED, PLAIN],
        [{**MARKED, "columnType": "STANDARD"}, PLAIN],
        [{**MARKED, "columnType": "HUBSPOT_ALTERNATE_ID", "columnObjectTypeId": "0-1"}, PLAIN],
        ["number", "amount"],
    ],
    ids=["no type", "another type", "another object type", "no objects"],
)
def test_mappings_without_identifier_are_rejected(operation: str, mappings: list[Any]) -> None:
    with pytest.raises(BadArgumentError, match="marks no column of object type '0-3' as the identifier"):
        column_types(operation, DEALS, columnObjectTypeId="0-3", columnMappings=mappings)


@matching
def test_row_without_mapped_identifier_is_named(operation: str) -> None:
    mappings = [{**MARKED, "columnType": "HUBSPOT_ALTERNATE_ID"}, PLAIN]
    with pytest.raises(BadArgumentError, match="line 2 lacks field 'number'"):
        column_types(
            operation, [*DEALS, {"amount": 2, "number": None}], columnObjectTypeId="0-3", columnMappings=mappings
        )


def test_mappings_for_other_columns_are_rejected_before_sending() -> None:
    payload = Payload(lambda: pytest.fail("read"), 1, 1, ("email", "firstname"))
    context = SubmitContext(ACCOUNT, payload, {"columnMappings": [{"columnName": "email"}]})
    with pytest.raises(BadArgumentError, match="has 1 entries for 2 columns: give one"):
        next(OPERATIONS[0].submit(context))
