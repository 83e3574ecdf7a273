# SPDX-License-Identifier: Apache-2.0
"""Which operation is meant, and its options: checked by name and type before anything is sent."""

from typing import Any

import pytest
from vendors.fixture_loader import OPERATIONS as DOCUMENTED

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.options import choose_operation, read_options
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

KINDS = {(vendor.conn_type, kind.name): (vendor, kind) for vendor in VENDORS for kind in vendor.kinds}
OPERATION = Operation(
    "put",
    lambda order: iter(()),
    max_items=1,
    options=(
        Option("flag", (bool,), "whether"),
        Option("number", (int,), "how many"),
        Option("text", (str,), "what"),
        Option("color", (str,), "which", choices=("red", "blue")),
        Option("list", (list,), "these"),
        Option("object", (dict,), "that"),
    ),
)
NEEDY = Operation(
    "order", lambda order: iter(()), max_items=0, options=(Option("after", (int,), "the first second", required=True),)
)


@pytest.mark.parametrize(("vendor", "kind"), KINDS.values(), ids=map("-".join, KINDS))
def test_operation_is_found_by_its_name(vendor: Vendor, kind: JobKind) -> None:
    for operation in kind.operations:
        assert choose_operation(vendor, kind, operation.name) is operation


@pytest.mark.parametrize(("vendor", "kind"), KINDS.values(), ids=map("-".join, KINDS))
def test_operation_may_be_left_out_only_where_there_is_one(vendor: Vendor, kind: JobKind) -> None:
    if len(kind.operations) == 1:
        assert choose_operation(vendor, kind, None) is kind.operations[0]
        return
    with pytest.raises(BadArgumentError, match="Missing operation") as caught:
        choose_operation(vendor, kind, None)
    assert all(operation.name in str(caught.value) for operation in kind.operations)


@pytest.mark.parametrize("name", ["nonsense", "", "Create", "create "])
@pytest.mark.parametrize(("vendor", "kind"), KINDS.values(), ids=map("-".join, KINDS))
def test_unknown_operation_lists_the_valid_ones(vendor: Vendor, kind: JobKind, name: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        choose_operation(vendor, kind, name)
    message = str(caught.value)
    assert repr(name) in message
    assert vendor.label in message
    assert repr(kind.name) in message
    assert all(operation.name in message for operation in kind.operations)


@pytest.mark.parametrize("name", [None, "create"])
def test_kind_without_operations_says_so(name: str | None) -> None:
    vendor, kind = KINDS["intercom", "contacts"]
    only_reports = JobKind("reports", "report", kind.status)
    with pytest.raises(BadArgumentError, match="This job kind has no submit operations"):
        choose_operation(vendor, only_reports, name)


@pytest.mark.parametrize("options", [None, {}])
def test_no_options(options: Any) -> None:
    assert read_options(OPERATION, options) == {}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"flag": True}, {"flag": True}),
        ({"flag": False}, {"flag": False}),
        ({"number": 0}, {"number": 0}),
        ({"text": ""}, {"text": ""}),
        ({"text": "12"}, {"text": "12"}),
        ({"text": "True"}, {"text": "True"}),
        ({"color": "blue"}, {"color": "blue"}),
        ({"list": []}, {"list": []}),
        ({"object": {"a": 1}}, {"object": {"a": 1}}),
        ({"flag": None, "number": 1}, {"number": 1}),
    ],
    ids=str,
)
def test_right_option_is_taken_as_it_is(given: dict[str, Any], read: dict[str, Any]) -> None:
    assert read_options(OPERATION, given) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"number": "12"}, {"number": 12}),
        ({"number": " 12\n"}, {"number": 12}),
        ({"flag": "True"}, {"flag": True}),
        ({"flag": "false"}, {"flag": False}),
    ],
    ids=str,
)
def test_text_of_a_template_becomes_what_is_meant(given: dict[str, Any], read: dict[str, Any]) -> None:
    result = read_options(OPERATION, given)
    assert result == read
    assert [type(value) for value in result.values()] == [type(value) for value in read.values()]


@pytest.mark.parametrize(
    "given",
    [
        {"flag": 1},
        {"flag": "yes"},
        {"flag": ""},
        {"number": True},
        {"number": 1.5},
        {"number": "1.5"},
        {"number": "-"},
        {"number": ""},
        {"number": "²"},
        {"text": 5},
        {"list": "['a', 'b']"},
        {"list": ("a",)},
        {"list": {"a": 1}},
        {"object": "{}"},
        {"object": [1]},
    ],
    ids=str,
)
def test_option_of_another_type_is_named(given: dict[str, Any]) -> None:
    [(name, value)] = given.items()
    with pytest.raises(BadArgumentError, match=rf"option '{name}' is a {type(value).__name__}, not a "):
        read_options(OPERATION, given)


@pytest.mark.parametrize("value", ["green", "Red", "", "r"])
def test_invalid_choice_lists_the_valid_ones(value: str) -> None:
    with pytest.raises(BadArgumentError, match=r"option 'color' .*Use one of red, blue"):
        read_options(OPERATION, {"color": value})


@pytest.mark.parametrize("name", ["flags", "Flag", "", 7, None])
def test_unknown_option_lists_the_valid_ones(name: Any) -> None:
    with pytest.raises(BadArgumentError) as caught:
        read_options(OPERATION, {name: 1})
    assert f"Unknown option {name!r} for operation 'put'" in str(caught.value)
    assert "flag, number, text, color, list, object" in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"after": None}, None], ids=str)
def test_required_option_that_is_missing_is_explained(given: Any) -> None:
    with pytest.raises(BadArgumentError, match="option 'after' is missing: the first second"):
        read_options(NEEDY, given)


@pytest.mark.parametrize("given", [[], "{}", 7, [("flag", True)]], ids=str)
def test_options_that_are_no_dict_are_refused(given: Any) -> None:
    with pytest.raises(BadArgumentError, match=f"options is a {type(given).__name__}. Pass a dict"):
        read_options(OPERATION, given)


@pytest.mark.parametrize("required", [False, True], ids=["all", "required"])
def test_options_are_the_documented_ones(*, required: bool) -> None:
    there_are = {
        (*key, operation.name): {option.name for option in operation.options if option.required or not required}
        for key, (_, kind) in KINDS.items()
        for operation in kind.operations
    }
    documented = {
        key: {name for name, is_required in content.get("accepted_options", {}).items() if is_required or not required}
        for key, content in DOCUMENTED.items()
    }
    assert there_are == documented
