# SPDX-License-Identifier: Apache-2.0
"""Values and names that no vendor can be sent: a problem with line, field and type, in every operation."""

import decimal
import json
import math
from typing import Any

import pytest
from vendors.scripted import make_account
from vendors.submit_cases import CASES as DOCUMENTED

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.submitting.options import read_options
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option
from airflow_provider_bulkjobs.vendors.toolkit.values import missing_number, safe_name

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
CASES = {
    f"{vendor.conn_type}-{kind.name}-{operation.name}": (vendor, kind, operation)
    for vendor in VENDORS
    for kind in vendor.kinds
    for operation in kind.operations
    if operation.max_items
}
# A field of any value that the operation takes besides an identity, and nothing else.
FREE_FIELD = {
    "klaviyo": "title",
    "activecampaign": "phone",
    "intercom": "name",
    "sendgrid": "country",
    "mailchimp": "FNAME",
}
NEEDED: dict[str, dict[str, Any]] = {  # besides the identity
    "intercom-job-enqueue": {"contacts": [{"id": "1"}]},
    "salesforce_bulk-ingest-update": {"Id": "1"},
    "zendesk_bulk-organization_memberships-create": {"organization_id": 1},
    "zendesk_bulk-tickets-create": {"comment": {"body": "Hi"}},
    "zendesk_bulk-tickets-import": {"comments": [{"value": "Hi"}]},
}
DELETES = {
    name for name in CASES if name.endswith(("delete", "archive", "tag", "list_memberships"))
}  # they take no such field
REQUIRED = {
    str(case): {
        each.name: "email" if each.name == "externalIdFieldName" else case.submit.options[each.name]
        for each in case.operation.options
        if each.required
    }
    for case in DOCUMENTED
}
IDENTITY = {  # where it is an option
    "eloqua-contacts-import": "C_EmailAddress",
    **dict.fromkeys(("zoho_crm-bulk_write-upsert", "zoho_crm-bulk_write-update"), "Email"),
}
each_case = pytest.mark.parametrize("name", sorted(CASES.keys() - DELETES))


class NAType:
    """What pandas has for a missing value: it refuses to be compared."""

    def __bool__(self) -> bool:
        raise TypeError

    def __ne__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]


def problem(name: str, record: dict[Any, Any], options: dict[str, Any] | None = None) -> str:
    """Return the error of a submit of one record."""
    vendor, kind, operation = CASES[name]
    hook = HOOK_OF[vendor.conn_type]("mine")
    hook.account = make_account(vendor, "https://vendor.example.com")
    options = read_options(operation, {**REQUIRED[name], **(options or {})})
    with Submission(hook, kind.name, operation, options, None) as submission, pytest.raises(BadArgumentError) as caught:
        submission.prepare(read_records([record]), None)
    return str(caught.value)


def good(name: str) -> dict[str, Any]:
    _, _, operation = CASES[name]
    identity = operation.header_names[0] if operation.header_names else IDENTITY.get(name, "email")
    return {identity: "ada@example.com", **NEEDED.get(name, {})}


def field_of(name: str) -> str:
    return FREE_FIELD.get(CASES[name][0].conn_type, "city")


MISSING_NUMBERS = [
    (math.nan, "NaN (float)"),
    (math.inf, "Infinity (float)"),
    (-math.inf, "Infinity (float)"),
    (decimal.Decimal("NaN"), "NaN (Decimal)"),
    (decimal.Decimal("sNaN"), "NaN (Decimal)"),
    (decimal.Decimal("-Infinity"), "Infinity (Decimal)"),
    (NAType(), "NaN (NAType)"),
]


@each_case
def test_missing_number_is_reported_by_line_field_and_type(name: str) -> None:
    field = field_of(name)
    for value, word in MISSING_NUMBERS:
        message = problem(name, {**good(name), field: value})
        assert f"line 1 has {word} in field '{field}': use None for a missing value" in message


@each_case
def test_missing_number_inside_a_value_is_reported(name: str) -> None:
    vendor, _, operation = CASES[name]
    fields = {"intercom": "custom_attributes", "sendgrid": "custom_fields", "activecampaign": "tags"}
    fields |= {"mailchimp": "merge_fields", "constant_contact": "city", "omnisend": "tags"}
    field = fields.get(vendor.conn_type, "properties")
    message = problem(name, {**good(name), field: {"w1": [1, math.nan]}})
    is_text = operation.is_csv or vendor.conn_type == "getresponse"
    wanted = "has a dict in field" if is_text else "has NaN or Infinity inside field"
    assert f"line 1 {wanted} '{field}'" in message


@pytest.mark.parametrize("value", [1, 0.5, "nan", True, None, [], {}, decimal.Decimal(1), object], ids=str)
def test_other_values_are_no_missing_numbers(value: Any) -> None:
    assert missing_number("x", value) is None


@each_case
def test_half_a_character_in_a_value_is_reported_by_line_and_field(name: str) -> None:
    field = field_of(name)
    message = problem(name, {**good(name), field: "Quackenbush\ud800"})
    assert f"line 1 has a character in field '{field}' that UTF-8 cannot encode" in message
    assert "Quackenbush" not in message
    message.encode()


@pytest.mark.parametrize("name", sorted(DELETES))
def test_half_a_character_in_an_id_is_reported_by_line_and_field(name: str) -> None:
    field = "Id" if name.startswith("salesforce") else CASES[name][2].header_names[0]
    record = {field: "7\ud800", **({"tags": "vip"} if name.endswith("tag") else {})}
    assert f"line 1 has a character in field '{field}' that UTF-8 cannot encode" in problem(name, record)


@each_case
def test_half_a_character_in_the_name_of_a_field_is_reported_escaped(name: str) -> None:
    for odd in ("x\ud800", "\udfffx"):
        message = problem(name, {**good(name), odd: "1"})
        message.encode()
        if not name.startswith("acquia"):  # which takes no such names at all
            assert f"field {odd!a}" in message


@pytest.mark.parametrize("name", CASES)
def test_field_name_that_is_not_text_is_reported(name: str) -> None:
    for odd, kind in ((7, "int"), (None, "NoneType"), (("a",), "tuple"), (1.5, "float")):
        message = problem(name, {**good(name), odd: "Quackenbush"})
        assert f"line 1 has a field name that is a {kind}, not text" in message


@pytest.mark.parametrize("name", CASES)
def test_record_without_any_value_is_refused(name: str) -> None:
    for record in ({}, {"email": None}, {"email": " ", "id": "\xa0"}, {"city": "", "tags": []}):
        assert "line 1 " in problem(name, record)


def test_record_with_nothing_but_an_option_is_refused() -> None:
    message = problem("acquia_campaign_studio-contacts-create", {"firstname": ""}, {"overwriteWithBlank": True})
    assert "line 1 has no value" in message


@pytest.mark.parametrize(
    ("field", "is_shown"),
    [
        ("email", True),
        ("$phone", True),
        ("custom.field-1", True),
        ("7", True),
        ("x\ud800", True),
        ("ada@example.com", False),
        ("Ada Lovelace", False),
        ("Zoë", False),
        ("15005550006", False),
        ("x" * 99, False),
    ],
)
def test_name_is_shown_if_it_looks_like_one(field: str, is_shown: bool) -> None:
    assert safe_name(field) == (ascii(field) if is_shown else "(name not shown)")


OPERATION = Operation(
    "put",
    lambda order: iter(()),
    max_items=1,
    options=(Option("text", (str,), "what"), Option("list", (list,), "these"), Option("number", (float,), "how many")),
)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text": "\ud800"}, "has a character in field 'text' that UTF-8 cannot encode"),
        ({"list": ["a", "\udfff"]}, "has a character in field 'list' that UTF-8 cannot encode"),
        ({"list": [math.nan]}, "has NaN or Infinity inside field 'list'"),
        ({"number": math.inf}, "has Infinity"),
        ({"list": [object]}, "has a list in field 'list' that JSON cannot represent"),
    ],
    ids=ascii,
)
def test_option_that_cannot_be_encoded_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadArgumentError, match="options has ") as caught:
        read_options(OPERATION, options)
    assert words in str(caught.value)


@pytest.fixture
def nan_lines(tmp_path) -> str:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"email": "a@example.com", "country": math.nan}) + "\n")
    return str(path)


def test_nan_in_a_file_is_reported(nan_lines: str) -> None:
    [row] = read_records(nan_lines)
    assert "line 1 has NaN (float) in field 'country'" in problem("sendgrid-contacts-upsert", dict(row.record))


CHOSEN = [
    (name, option)
    for name, (_, _, operation) in CASES.items()
    for option in operation.options
    if option.choices and option.name in operation.per_record_options
]


@pytest.mark.parametrize(("name", "option"), CHOSEN, ids=lambda value: getattr(value, "name", value))
def test_option_in_a_record_has_only_its_choices(name: str, option: Option) -> None:
    text = problem(name, {**good(name), option.name: "C-17"})
    assert f"line 1 has another value in field '{option.name}', which is an option, than {option.choices[0]}" in text
    assert "C-17" not in text


NESTED = {
    "brevo-contacts-import": "attributes",
    "mailjet-contacts-manage": "Properties",
    "mailchimp-contacts-upsert": "merge_fields",
    "dotdigital-contacts-import": "dataFields",
    "sendgrid-contacts-upsert": "custom_fields",
}


@pytest.mark.parametrize("name", NESTED)
def test_field_in_two_places_is_refused(name: str) -> None:
    text = problem(name, {**good(name), "PLAN": "X1", NESTED[name]: {"PLAN": "X2"}})
    assert f"line 1 has field 'PLAN' also in field '{NESTED[name]}': remove one of them" in text


@pytest.mark.parametrize("field", ["properties", "location"])
def test_text_in_place_of_an_object_is_refused(field: str) -> None:
    text = problem("klaviyo-profiles-import", {**good("klaviyo-profiles-import"), field: '{"score": 3}'})
    assert f"line 1 needs an object in field '{field}'" in text
