# SPDX-License-Identifier: Apache-2.0
"""Record checks: they reject what a vendor would reject, or drop without an error."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_bulkjobs.vendors.spec.operation import Check, Record
from airflow_provider_bulkjobs.vendors.toolkit.values import identity_problem, is_blank, safe_names


def needs(*names: str) -> Check:
    """Require all of these fields, each with a value that can identify a record."""

    def check(record: Record) -> str | None:
        missing = [name for name in names if is_blank(record.get(name))]
        return f"lacks {safe_names(missing, 'and')}" if missing else _identity_problem(record, names)

    return check


def needs_any(*names: str) -> Check:
    """Require at least one of these fields; each one present needs a value that can identify a record."""

    def check(record: Record) -> str | None:
        if all(is_blank(record.get(name)) for name in names):
            return f"lacks {safe_names(names, 'or')}"
        return _identity_problem(record, names)

    return check


def identifies_if_given(*names: str) -> Check:
    """Require a value that can identify a record in each of these fields that is present."""
    return lambda record: _identity_problem(record, names)


def only_fields(names: Iterable[str], remedy: str, *, prefix: str | None = None) -> Check:
    """Reject other fields than these, because the vendor would drop them without an error.

    :param prefix: what the names of further fields begin with.
    """
    known = frozenset(names)

    def check(record: Record) -> str | None:
        unknown = record.keys() - known
        if prefix is not None:
            unknown = {name for name in unknown if not str(name).startswith(prefix)}
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
