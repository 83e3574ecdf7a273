# SPDX-License-Identifier: Apache-2.0
"""Custom fields that records name, with the ids that the vendor has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_bulkjobs.vendors.spec.custom_fields import CustomField, CustomFields
from airflow_provider_bulkjobs.vendors.spec.operation import Record
from airflow_provider_bulkjobs.vendors.toolkit.values import SURROGATE, name_problem, safe_name


class FieldNames:
    """Replaces the names of custom fields in records by their ids.

    :param list_all: requests the custom fields of the account. It is called once, for the first record that names one.
    :param vendor: the vendor's name, for messages.
    """

    def __init__(self, fields: CustomFields, list_all: Callable[[], Iterable[CustomField]], vendor: str) -> None:
        self._fields = fields
        self._list_all = list_all
        self._vendor = vendor
        self._ids: dict[str, set[str]] | None = None  # by name, in lower case
        self._known: dict[str, str] = {}  # by name, as records have it

    def __call__(self, record: Record) -> Record | str:
        """Return the record with ids instead of names, or the problem.

        :raises BulkJobError: the custom fields could not be requested.
        """
        if not self.may_concern(record) or not (named := self._fields.named(record)):
            return record
        values = {}
        for name, value in named.items():
            field_id = self._known.get(name)
            if field_id is None:
                if not isinstance(name, str) or SURROGATE.search(name):
                    return name_problem(name)
                ids = self._ids_of(name)
                if len(ids) != 1:
                    return self._problem(name, len(ids))
                [field_id] = ids
                self._known[name] = field_id
            if field_id in values:
                return f"has field {safe_name(name)} a second time, under another name: remove one of them"
            values[field_id] = value
        return self._fields.with_ids(record, values)

    def may_concern(self, names: Mapping[str, Any]) -> bool:
        """Return whether a record with these fields may name custom fields."""
        return not names.keys() <= self._fields.own

    def _ids_of(self, name: str) -> set[str]:
        if self._ids is None:
            self._ids = {}
            for field in self._list_all():
                for each in field.names:
                    self._ids.setdefault(each.strip().casefold(), set()).add(field.id)
        return self._ids.get(name.strip().casefold(), set())

    def _problem(self, name: str, number: int) -> str:
        if number:
            return (
                f"has field {safe_name(name)}, which is the name of {number} custom fields in {self._vendor}: use the "
                "id of the field, or rename one of them there"
            )
        return (
            f"has field {safe_name(name)}, which is no field of {self._vendor} and no name of a custom field "
            "in this account: correct the name, or leave the field out"
        )
