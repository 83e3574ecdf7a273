# SPDX-License-Identifier: Apache-2.0
"""Values of warehouses and data frames as JSON and CSV hold them.

The values of other libraries are recognized by their attributes: numpy and pandas are not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from airflow_provider_bulkjobs.vendors.spec.operation import Record
from airflow_provider_bulkjobs.vendors.spec.value_formats import ValueFormats
from airflow_provider_bulkjobs.vendors.toolkit.values import missing_number, safe_name

PLAIN = frozenset({str, int, float, bool, type(None)})
MAX_EXPONENT = 300  # of a decimal number: a float holds no larger one
MAX_DEPTH = 100  # of nested lists and objects


class _UnsupportedError(Exception):
    """A value has no form that the vendor takes.

    :param value: the value, which may be inside another one.
    :param remedy: what to do.
    """

    def __init__(self, value: Any, remedy: str) -> None:
        super().__init__(remedy)
        self.value = value
        self.remedy = remedy


class Converter:
    """Converts the values of records.

    :param formats: the formats of dates and times.
    :param is_text: the values become cells of a CSV file, so a decimal number keeps all its digits.
    """

    def __init__(self, formats: ValueFormats, *, is_text: bool = False) -> None:
        self._formats = formats
        self._is_text = is_text
        self._by_type: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
            (Decimal, self._number),
            (UUID, str),
            (datetime, self._moment),  # before date, which it is as well
            (date, self._date),
            (time, time.isoformat),
            (timedelta, partial(_refuse, "convert it to a number or to text, in the unit that the field has")),
            (bytes | bytearray | memoryview, partial(_refuse, "decode it to text, or encode it as Base64")),
        )

        self._by_exact_type = {kind: convert for kind, convert in self._by_type if isinstance(kind, type)}

    def __call__(self, record: Record) -> Record | str:
        """Return the record with values that JSON and CSV can hold, or the problem.

        Values of unknown types stay as they are; encoding the record reports them.
        """
        if PLAIN.issuperset(map(type, record.values())):
            return record
        converted = {}
        for name, value in record.items():
            try:
                converted[name] = value if type(value) in PLAIN else self._value(value)
            except _UnsupportedError as error:
                where = f"in field {safe_name(name)}"
                problem = missing_number(name, error.value)
                return problem or f"has a {type(error.value).__name__} {where}: {error.remedy}"
        return converted

    def column(self, values: Sequence[Any]) -> Sequence[Any] | None:
        """Return the values of one field in many records, converted; ``None`` if one of them has a problem."""
        if PLAIN.issuperset(map(type, values)):
            return values
        try:
            return [value if type(value) in PLAIN else self._value(value) for value in values]
        except _UnsupportedError:
            return None

    def _value(self, value: Any, depth: int = 0) -> Any:
        if type(value) in PLAIN or depth > MAX_DEPTH:
            return value
        if exact := self._by_exact_type.get(type(value)):
            return exact(value)
        if hasattr(value, "dtype"):
            return self._value(_from_numpy(value), depth + 1)
        if isinstance(value, str | int | float):  # of a subclass, such as a member of an enum
            return str.__add__(value, "") if isinstance(value, str) else value + 0
        if isinstance(value, dict):
            return {key: self._value(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list) or type(value) is tuple:
            return [self._value(each, depth + 1) for each in value]
        if isinstance(value, tuple):  # such as an interval of Arrow
            raise _UnsupportedError(value, "convert it to text or to a list")
        convert = next((convert for kind, convert in self._by_type if isinstance(value, kind)), None)
        return value if convert is None else convert(value)

    def _date(self, value: date) -> Any:
        if self._formats.date is None:
            raise _UnsupportedError(value, self._formats.date_remedy)
        return self._formats.date(value)

    def _number(self, value: Decimal) -> int | float | str:
        if not value.is_finite() or abs(value.adjusted()) > MAX_EXPONENT:
            raise _UnsupportedError(value, "it is too large or too small for a number")
        if self._is_text:
            return format(value, "f")
        if value == value.to_integral_value():
            return int(value)
        number = float(value)
        if Decimal(repr(number)) != value:
            raise _UnsupportedError(
                value, "it has more digits than a JSON number keeps: round it, or convert it to text"
            )
        return number

    def _moment(self, value: datetime) -> Any:
        if value != value:  # noqa: PLR0124  (pandas.NaT is a datetime, too)
            raise _UnsupportedError(value, "use None for a missing value")
        if value.utcoffset() is None:
            raise _UnsupportedError(
                value, "it has no time zone, so the vendor could take it for another time: add the time zone"
            )
        try:
            return self._formats.moment(value)
        except OverflowError:
            raise _UnsupportedError(value, "in UTC it is outside the years 1 to 9999") from None


def _refuse(remedy: str, value: Any) -> None:
    raise _UnsupportedError(value, remedy)


def _from_numpy(value: Any) -> Any:
    """Return a numpy scalar or array as Python values."""
    kind = value.dtype.kind
    if getattr(value, "shape", None) != ():
        return list(value) if kind in "fmM" else value.tolist()  # which makes numbers of times
    if kind == "M":
        if str(value) == "NaT":
            raise _UnsupportedError(value, "use None for a missing value")
        return value.astype("datetime64[us]").item()  # of nanoseconds, item() is a number
    if kind == "f":
        return float(str(value))  # 0.1 as float32 is 0.1, not 0.10000000149
    if kind in "biuSU":
        return value.item()
    raise _UnsupportedError(value, "convert it to a number or to text")
