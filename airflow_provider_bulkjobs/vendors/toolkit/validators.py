# SPDX-License-Identifier: Apache-2.0
"""Record checks: they reject what a vendor would reject, or drop without an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_bulkjobs.vendors.spec.operation import Check, FieldCheck, Fields, Options, Record
from airflow_provider_bulkjobs.vendors.toolkit.values import (
    are_identities,
    identity_problem,
    is_blank,
    joined,
    safe_names,
)

TEXT_OR_NONE = frozenset({str, type(None)})
OBJECT_OR_NONE = frozenset({dict, type(None)})


def needs(*names: str) -> Check:
    """Require all of these fields, each with a value that can identify a record."""

    def check(record: Record) -> str | None:
        missing = [name for name in names if is_blank(record.get(name))]
        return f"lacks {safe_names(missing, 'and')}" if missing else _identity_problem(record, names)

    def is_met(fields: Fields) -> bool:
        return all(name in fields and all(fields[name]) and are_identities(fields[name]) for name in names)

    return FieldCheck(check, is_met)


def once(name: str) -> Check:
    """Reject a field that a record has twice, at its top level and in a nested object: one value would be dropped.

    :param name: the field with the nested object, with which the other fields are merged.
    """

    def check(record: Record) -> str | None:
        nested = record.get(name)
        both = [each for each in nested if each in record] if isinstance(nested, Mapping) else []
        return f"has {safe_names(both, 'and')} also in field {name!r}: remove one of them" if both else None

    return FieldCheck(check, lambda fields: name not in fields)


def needs_field_of(option: str, default: str = "") -> Callable[[Options], Check]:
    """Require the field that an option names; for ``Operation.check_by_options``.

    :param default: the field, if the option is not given.
    """
    return lambda options: needs(str(options.get(option, default)))


def needs_any(*names: str) -> Check:
    """Require at least one of these fields; each one present needs a value that can identify a record."""

    def check(record: Record) -> str | None:
        if all(is_blank(record.get(name)) for name in names):
            return f"lacks {safe_names(names, 'or')}"
        return _identity_problem(record, names)

    def is_met(fields: Fields) -> bool:
        given = [fields[name] for name in names if name in fields]
        return any(map(all, given)) and all(map(are_identities, given))

    return FieldCheck(check, is_met)


def identifies_if_given(*names: str) -> Check:
    """Require a value that can identify a record in each of these fields that is present."""
    return FieldCheck(
        lambda record: _identity_problem(record, names),
        lambda fields: all(are_identities(fields[name]) for name in names if name in fields),
    )


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

    return of_names(check)


def of_names(check: Check) -> Check:
    """Return a check that concerns only the names of fields, and no values."""
    return FieldCheck(check, lambda fields: check(fields) is None)


def if_given(names: Iterable[str], check: Check) -> Check:
    """Return a check that concerns only these fields: a record without any of them has no problem."""
    concerned = frozenset(names)
    return FieldCheck(check, lambda fields: fields.keys().isdisjoint(concerned))


def max_lengths(lengths: Mapping[str, int]) -> Check:
    """Reject text that is too long.

    :param lengths: the maximum number of characters in each field.
    """

    def check(record: Record) -> str | None:
        for name, value in record.items():
            if name in lengths and isinstance(value, str) and len(value) > lengths[name]:
                return f"has more than {lengths[name]} characters in field {name!r}"
        return None

    def is_met(fields: Fields) -> bool:
        return all(_are_short(fields[name], length) for name, length in lengths.items() if name in fields)

    return FieldCheck(check, is_met)


def objects(*names: str) -> Check:
    """Require an object in each of these fields that is present."""

    def check(record: Record) -> str | None:
        wrong = next((name for name in names if not isinstance(record.get(name), dict | None)), None)
        return None if wrong is None else f"needs an object in field {wrong!r}"

    return FieldCheck(
        check,
        lambda fields: all(OBJECT_OR_NONE.issuperset(map(type, fields[name])) for name in names if name in fields),
    )


def lists(lengths: Mapping[str, int | None]) -> Check:
    """Require a list in each of these fields that is present.

    :param lengths: the maximum number of elements in each field; ``None`` if the vendor documents none.
    """

    def check(record: Record) -> str | None:
        return next(filter(None, (problem(name, record.get(name)) for name in lengths)), None)

    def problem(name: str, value: Any) -> str | None:
        if not isinstance(value, list | None):
            return f"needs a list in field {name!r}"
        most = lengths[name]
        return (
            None
            if not value or most is None or len(value) <= most
            else (f"has more than {most} elements in field {name!r}")
        )

    return if_given(lengths, check)


def _are_short(values: Sequence[Any], length: int) -> bool:
    """Return whether certainly no value is text that is too long."""
    if joined(values) is not None:
        return max(map(len, values), default=0) <= length
    return set(map(type, values)) <= TEXT_OR_NONE and max(map(len, filter(None, values)), default=0) <= length


def _identity_problem(record: Record, names: Iterable[str]) -> str | None:
    for name in names:
        value = record.get(name)
        if value is not None and (problem := identity_problem(name, value)) is not None:
            return problem
    return None
