# SPDX-License-Identifier: Apache-2.0
"""The check of records before they are encoded: what is wrong with one of them, or with the whole source."""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.options import from_text
from airflow_provider_bulkjobs.submitting.row import Row
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Options, Record
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank, name_problem, safe_name


class RecordCheck:
    """The check of the records of one submit.

    :param options: as the vendor wants them.
    """

    def __init__(self, operation: Operation, options: Options) -> None:
        self._operation = operation
        self._check = operation.check_for(options)
        self._on_records = {name: options[name] for name in operation.per_record_options if name in options}
        self._options = [option for option in operation.options if option.name in operation.per_record_options]
        self._first: Row | None = None

    def __call__(self, row: Row) -> Record | str:
        """Return the record as it is to be sent, or what is wrong with it.

        :raises BadArgumentError: the same is wrong with the whole source.
        """
        if self._first is None:
            self._first = row
            self._check_header(row.columns)
        if row.problem is not None:
            return row.problem
        if not row.record:
            return "is empty"
        for kind in set(map(type, row.record)):
            if not issubclass(kind, str):
                return name_problem(next(name for name in row.record if type(name) is kind))
        record = self._with_options(row) if self._options else row.record
        if problem := self._check(record):
            return problem
        return "has no value in any field" if all(map(is_blank, row.record.values())) else record

    @property
    def remedy(self) -> str:
        """What to do where none of the records can be submitted: then it is not the records that are wrong."""
        first = self._first or Row(0, {})
        if first.hint:
            return first.hint
        if first.columns and not self._is_known(first.columns):
            return f"Check the first line of the file, which must name its {len(first.columns)} columns."
        names = ", ".join(map(safe_name, first.columns or first.record))
        return (
            f"Check the names of the fields; the first record has {redact(names)}."
            if names
            else "Correct what wrote them."
        )

    def _check_header(self, columns: tuple[str, ...]) -> None:
        # Without a header, people would stand in the place of names, and in each message about a field.
        names = self._operation.header_names
        if columns and names and not self._is_known(columns):
            raise BadArgumentError(
                f"records: none of the {len(columns)} columns that the first line of the file names is "
                f"{' or '.join(map(repr, names))}, so it is not known to be a header. Write the vendor's names of the "
                "fields into the first line."
            )

    def _is_known(self, columns: tuple[str, ...]) -> bool:
        """Return whether the first line of a table is a header beyond doubt."""
        names = {name.lower() for name in self._operation.header_names}
        return any(column.lower() in names for column in columns)

    def _with_options(self, row: Row) -> Record:
        """Return a record with the options that the vendor wants in each, and with the blanks that they ask for."""
        record: dict[str, Any] = {**self._on_records, **row.record}
        for option in self._options:
            if option.name in row.record:
                record[option.name] = from_text(option, record[option.name])
        if record.get(self._operation.blanks_option or "") is True:
            # An empty cell, "" and None all ask for the same: the field is to be cleared.
            record = {**dict.fromkeys(row.columns, ""), **record}
            return {name: "" if value is None else value for name, value in record.items()}
        return record
