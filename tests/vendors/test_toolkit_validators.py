# SPDX-License-Identifier: Apache-2.0
"""Checks of the types of fields, for single records and for many at once."""

from typing import Any

import pytest

from airflow_provider_bulkjobs.vendors.spec.operation import Check, undecided
from airflow_provider_bulkjobs.vendors.toolkit.validators import lists, needs_field_of, objects

OBJECTS = objects("properties", "address")
LISTS = lists({"tags": 2, "lists": None})


@pytest.mark.parametrize(
    ("check", "record", "problem"),
    [
        (OBJECTS, {}, None),
        (OBJECTS, {"properties": {"a": 1}, "address": None, "other": "x"}, None),
        (OBJECTS, {"properties": {}, "address": "x"}, "needs an object in field 'address'"),
        (OBJECTS, {"properties": ""}, "needs an object in field 'properties'"),
        (LISTS, {}, None),
        (LISTS, {"tags": ["a", "b"], "lists": [1, 2, 3]}, None),
        (LISTS, {"tags": None, "lists": []}, None),
        (LISTS, {"tags": ["a", "b", "c"]}, "has more than 2 elements in field 'tags'"),
        (LISTS, {"tags": [], "lists": "1,2"}, "needs a list in field 'lists'"),
    ],
)
def test_field_has_the_type_that_it_needs(check: Check, record: dict[str, Any], problem: str | None) -> None:
    assert check(record) == problem
    is_decided = not undecided(check, {name: [value] for name, value in record.items()})
    assert not (is_decided and problem)


def test_objects_are_decided_for_many_records() -> None:
    assert not undecided(OBJECTS, {"properties": [{}, None, {"a": 1}], "other": ["x"]})
    assert undecided(OBJECTS, {"properties": [{}, "x"]}) == [OBJECTS]


def test_option_names_the_field_that_is_needed() -> None:
    check_for = needs_field_of("identifier", "email")
    assert check_for({})({"id": "7"}) == "lacks field 'email'"
    assert check_for({"identifier": "id"})({"id": "7"}) is None
    assert check_for({"identifier": "id"})({"email": "a@example.com"}) == "lacks field 'id'"
