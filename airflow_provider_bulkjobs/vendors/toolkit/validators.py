# SPDX-License-Identifier: Apache-2.0
"""Checks of records: what a vendor would refuse, or drop without an error."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_bulkjobs.vendors.spec.operation import Check, Record
from airflow_provider_bulkjobs.vendors.toolkit.values import identity_problem, is_blank, safe_names


def needs(*names: str) -> Check:
    """Want all of these fields, with a value that can identify a record."""

    def check(record: Record) -> str | None:
        missing = [name for name in names if is_blank(record.get(name))]
        return f"lacks {safe_names(missing, 'and')}" if missing else _identity_problem(record, names)

    return check


def needs_any(*names: str) -> Check:
    """Want at least one of these fields, and in each that is given a value that can identify a record."""

    def check(record: Record) -> str | None:
        if all(is_blank(record.get(name)) for name in names):
            return f"lacks {safe_names(names, 'or')}"
        return _identity_problem(record, names)

    return check


def identifies_if_given(*names: str) -> Check:
    """Want, in each of these fields that is given, a value that can identify a record."""
    return lambda record: _identity_problem(record, names)


def knows(names: Iterable[str], remedy: str) -> Check:
    """Want no other fields than these, because the vendor would drop them without a word."""
    known = frozenset(names)

    def check(record: Record) -> str | None:
        unknown = record.keys() - known
        return (
            f"has {safe_names(sorted(map(str, unknown)), 'and')}, which the vendor would drop: {remedy}"
            if unknown
            else None
        )

    return check


def _identity_problem(record: Record, names: Iterable[str]) -> str | None:
    for name in names:
        value = record.get(name)
        if value is not None and (problem := identity_problem(name, value)) is not None:
            return problem
    return None
