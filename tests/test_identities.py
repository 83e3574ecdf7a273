# SPDX-License-Identifier: Apache-2.0
"""What may identify a record: the same rule for every operation of every vendor."""

import decimal
import math
from typing import Any

import pytest

from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import Operation
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank

OPERATIONS = {
    f"{vendor.conn_type}-{kind.name}-{operation.name}": operation
    for vendor in VENDORS
    for kind in vendor.kinds
    for operation in kind.operations
    if operation.max_items
}
# What some operations need besides an identity.
GOOD = {"contacts": [{"id": "1"}], "lastname": "Lovelace", "organization_id": 1}
EITHER_OR = {
    ("intercom-contacts-create", "email"),
    *[("sendgrid-contacts-import_csv", name) for name in ("email", "phone_number_id", "external_id", "anonymous_id")],
    *[(f"hubspot-import-{name}", "email") for name in ("create", "update", "upsert")],
}
NO_IDENTITIES = {f"zendesk_bulk-tickets-{name}" for name in ("create", "import")}
ACQUIA_CREATE = "acquia_campaign_studio-contacts-create"
IDENTITIES = EITHER_OR | {
    (name, field)
    for name, operation in OPERATIONS.items()
    if name not in NO_IDENTITIES
    for field in (operation.header_names if name != ACQUIA_CREATE else ("email",))
}
each_identity = pytest.mark.parametrize(("operation", "field"), sorted(IDENTITIES), ids=lambda value: value)
BLANKS = ["", "   ", "\t\r\n", "\xa0", "\u2003\u3000", "\u200b", "\u200c\u200d\ufeff", "\u2060 \xad", "\u2800\u3164"]


def check(operation: str, field: str, value: Any) -> str | None:
    good = {name: value for name, value in GOOD.items() if "intercom-job" in operation or name != "contacts"}
    if (operation.startswith("intercom") and "intercom-job" not in operation) or operation.startswith("klaviyo"):
        good = {}  # these refuse fields that they do not know
    if operation.startswith("mailchimp"):
        good = {"tags": "vip"} if operation.endswith("tag") else {}
    if operation == "dotdigital-deletions-delete":
        good = {}  # it takes one identifier
    if operation.startswith(("constant_contact", "omnisend")):
        good = {}
    return OPERATIONS[operation].check({field: value, **good})


def test_every_operation_on_records_names_what_a_header_must_have() -> None:
    without = {name for name, operation in OPERATIONS.items() if not operation.header_names}
    any_name = {name for name, operation in OPERATIONS.items() if operation.is_csv} - {"mailjet-csv_import-import"}
    assert without == any_name


@pytest.mark.parametrize("value", BLANKS, ids=ascii)
def test_text_in_which_nothing_is_seen_is_blank(value: str) -> None:
    assert is_blank(value)
    assert not is_blank(f"{value}x{value}")


@pytest.mark.parametrize(
    "value", [0, False, 0.0, math.nan, "0", "-", "\u0301a", "😀", "\ud800", ["x"], {"a": None}], ids=ascii
)
def test_other_values_are_not_blank(value: Any) -> None:
    assert not is_blank(value)


@each_identity
def test_blank_identity_is_refused(operation: str, field: str) -> None:
    for value in BLANKS[1:]:
        assert f"'{field}'" in (check(operation, field, value) or ""), ascii(value)


@each_identity
def test_identity_with_blanks_around_it_is_refused(operation: str, field: str) -> None:
    for value in ("ada@example.com ", "\xa0ada@example.com", "ada@example.com\n", "\ufeffada@example.com"):
        assert check(operation, field, value) == f"has blanks around the value of field '{field}': remove them"


@each_identity
def test_identity_of_another_type_is_refused(operation: str, field: str) -> None:
    for value in (True, ["ada@example.com"], {"a": "ada@example.com"}, 7.0, b"ada@example.com"):
        words = f"has a {type(value).__name__} in field '{field}', which cannot identify a record"
        assert words in (check(operation, field, value) or "")


@each_identity
def test_identity_that_is_nan_is_refused(operation: str, field: str) -> None:
    for value in (math.nan, math.inf, decimal.Decimal("NaN")):
        words = f"({type(value).__name__}) in field '{field}': use None for a missing value"
        assert (check(operation, field, value) or "").endswith(words)


@each_identity
def test_good_identity_is_taken(operation: str, field: str) -> None:
    assert check(operation, field, "7" if field == "contactId" else "ada@example.com") is None


@pytest.mark.parametrize("value", ["  ", ["x"], math.nan, " x"], ids=repr)
@pytest.mark.parametrize(
    "operation", sorted({name for name, _ in IDENTITIES if len(OPERATIONS[name].header_names) > 1} - {ACQUIA_CREATE})
)
def test_bad_identity_with_a_good_one_is_refused(operation: str, value: Any) -> None:
    first, second, *_ = OPERATIONS[operation].header_names
    problem = OPERATIONS[operation].check({first: "x", second: value})
    assert problem
    assert f"'{second}'" in problem
    assert OPERATIONS[operation].check({first: "x", second: None}) is None


@pytest.mark.parametrize(
    ("contact", "words"), [({"email": " "}, "lacks"), ({"id": ["1"]}, "a list"), ({"email": "a@b.c "}, "blanks around")]
)
def test_contact_of_a_ticket_needs_an_identity(contact: dict[str, Any], words: str) -> None:
    operation: Operation = OPERATIONS["intercom-job-enqueue"]
    problem = operation.check({"ticket_type_id": "1", "contacts": [{"id": "1"}, contact]})
    assert problem
    assert problem.startswith("has a contact in field 'contacts' that ")
    assert words in problem


@pytest.mark.parametrize(
    "record", [{"tags": ["new"]}, {"owner": 1, "id": 7}, {"email": "\xa0"}, {"email": None, "ipAddress": "::1"}]
)
def test_acquia_creates_no_blank_contact(record: dict[str, Any]) -> None:
    problem = OPERATIONS[ACQUIA_CREATE].check(record)
    assert problem == "has no value in any contact field, such as 'email' or 'lastname'"


@pytest.mark.parametrize("name", ["create", "edit", "replace"])
@pytest.mark.parametrize(
    ("field", "shown"), [("EMAIL", True), ("firstName", True), ("Quackenbush", False), ("a b", False)]
)
def test_acquia_ignores_what_is_no_alias(name: str, field: str, shown: bool) -> None:
    problem = OPERATIONS[f"acquia_campaign_studio-contacts-{name}"].check({"id": 1, "email": "a@b.c", field: "x"})
    assert problem
    assert "is no alias of a contact field" in problem
    assert (field in problem) is shown
