# SPDX-License-Identifier: Apache-2.0
"""The validation of records before they are encoded: problems of one record, or of the whole source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.blocks import Block
from airflow_provider_bulkjobs.submitting.field_names import FieldNames
from airflow_provider_bulkjobs.submitting.options import from_text
from airflow_provider_bulkjobs.submitting.row import Row
from airflow_provider_bulkjobs.vendors.spec.operation import TEXT, Operation, Options, Record, undecided
from airflow_provider_bulkjobs.vendors.toolkit.conversion import PLAIN, Converter
from airflow_provider_bulkjobs.vendors.toolkit.values import are_filled, is_blank, name_problem, safe_name


class RecordCheck:
    """The validation of the records of one submit.

    :param options: in the vendor's format.
    :param use_ids: replaces the names of custom fields by ids, if the vendor takes them by id.
    """

    def __init__(self, operation: Operation, options: Options, use_ids: FieldNames | None = None) -> None:
        self._use_ids = use_ids
        self._operation = operation
        self._check = operation.check_for(options)
        self._convert = Converter(operation.formats(options), is_text=operation.is_csv)
        self._on_records = {name: options[name] for name in operation.per_record_options if name in options}
        self._options = {each.name: each for each in operation.options if each.name in operation.per_record_options}
        self._clears = options.get(operation.blanks_option or "") is True
        self._first: Row | None = None

    def __call__(self, row: Row) -> Record | str:
        """Return the record to send, or its problem.

        :raises BadArgumentError: the whole source has the problem.
        """
        if self._first is None:
            self._check_first(row)
        if row.problem is not None:
            return row.problem
        if not row.record:
            return "is empty"
        if not TEXT.issuperset(map(type, row.record)) and (problem := _names_problem(row.record)):
            return problem
        record = self._convert(row.record)
        if isinstance(record, str):
            return record
        if self._has_options(record):
            record = self._with_options(record, row.columns)
            if isinstance(record, str):
                return record
        if problem := self._check(record):
            return problem
        if self._use_ids is not None and isinstance(record := self._use_ids(record), str):
            return record
        return "has no value in any field" if all(map(is_blank, row.record.values())) else record

    def many(self, block: Block) -> Block | None:
        """Return the records to send, or ``None`` if one may have a problem, so that each has to be checked.

        :raises BadArgumentError: the whole source has a problem.
        """
        if self._first is None:
            self._check_first(next(block.rows()))
        fields = block.fields
        if not TEXT.issuperset(map(type, fields)) or not any(map(are_filled, fields.values())):
            return None
        found: Block | None = block
        if not block.kinds <= PLAIN:
            found = block.converted(self._convert)
        if found is not None and self._has_options(found.fields):
            found = found.changed(lambda record: self._with_options(record, block.columns))
        if found is None:
            return None
        for check in undecided(self._check, found.fields):
            if any(check(record) is not None for record in found.records):
                return None
        if self._use_ids is not None and self._use_ids.may_concern(found.fields):
            return found.changed(self._use_ids)
        return found

    def _check_first(self, row: Row) -> None:
        self._first = row
        self._check_columns(row)

    @property
    def remedy(self) -> str:
        """What to do if no record is valid: then the source is likely wrong, not single records."""
        first = self._first or Row(0, {})
        if first.hint:
            return first.hint
        if first.columns and not self._is_known(first.columns):
            return f"Check the first line of the file. It must name its {len(first.columns)} columns."
        names = ", ".join(map(safe_name, first.columns or first.record))
        return (
            f"Check the names of the fields; the first record has {redact(names)}."
            if names
            else "Check the upstream task."
        )

    def _check_columns(self, row: Row) -> None:
        names = self._operation.header_names
        if not row.columns or not names or self._is_known(row.columns):
            return
        known = " or ".join(map(repr, names))
        if row.origin.unit == "row":
            raise BadArgumentError(
                f"records: none of the {len(row.columns)} columns is {known}. Set columns to the vendor's field for "
                "each column, such as {'EMAIL_ADDRESS': 'email'}."
            )
        # Without a header, the field names would be personal data, and appear in each message about a field.
        raise BadArgumentError(
            f"records: none of the {len(row.columns)} columns in the first line of the file is {known}. If it is a "
            "header with other names, set columns, such as {'EMAIL_ADDRESS': 'email'}. If the file has no header, set "
            "read_options={'column_names': […]}."
        )

    def _is_known(self, columns: tuple[str, ...]) -> bool:
        """Return whether the first line of a table is certainly a header."""
        names = {name.lower() for name in self._operation.header_names}
        return any(column.lower() in names for column in columns)

    def _has_options(self, names: Mapping[str, Any]) -> bool:
        """Return whether records with these fields have options in them, or need any."""
        return self._clears or bool(self._on_records) or not self._options.keys().isdisjoint(names)

    def _with_options(self, of: Record, columns: tuple[str, ...]) -> Record | str:
        """Return a record with the options that belong in each record, and with blanks if an option requires them.

        A field of the record that is named like an option replaces it; returned is the problem if it has another value.
        """
        record: dict[str, Any] = {**self._on_records, **of}
        for name, option in self._options.items():
            if of.get(name) is None:
                continue
            value = record[name] = from_text(option, of[name])
            if not (list in option.types or isinstance(value, option.types)):
                return f"has a {type(value).__name__} in field {name!r}, which is an option: {option.help}"
            if option.choices and value not in option.choices:
                return f"has another value in field {name!r}, which is an option, than {' or '.join(option.choices)}"
        if record.get(self._operation.blanks_option or "", self._clears) is True:
            # An empty cell, "" and None all mean that the field is cleared.
            record = {**dict.fromkeys(columns, ""), **record}
            return {name: "" if value is None else value for name, value in record.items()}
        return record


def _names_problem(record: Record) -> str | None:
    return next((name_problem(name) for name in record if not isinstance(name, str)), None)
