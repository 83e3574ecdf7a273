# SPDX-License-Identifier: Apache-2.0
"""Values of warehouses and data frames: each has the form that the vendor documents, or is refused by field and type.

The tables are those of docs/submitting.md, for every operation.
"""

import json
import math
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import Operation
from airflow_provider_bulkjobs.vendors.toolkit.conversion import Converter

OPERATIONS = {
    f"{vendor.conn_type}-{kind.name}-{operation.name}": operation
    for vendor in VENDORS
    for kind in vendor.kinds
    for operation in kind.operations
    if operation.max_items
}
DAY = date(2026, 3, 14)
IN_BERLIN = datetime(2026, 3, 14, 12, 0, 5, tzinfo=timezone(timedelta(hours=1)))
NAIVE = datetime(2026, 3, 14, 12)  # noqa: DTZ001
BIG = Decimal("12345678901234567.89")
each_operation = pytest.mark.parametrize("name", OPERATIONS)


def convert(name: str, value: Any, **options: Any) -> Any:
    """Return the converted value, or the problem."""
    operation = OPERATIONS[name]
    converted = Converter(operation.formats(options), is_text=operation.is_csv)({"field": value})
    return converted if isinstance(converted, str) else converted["field"]


def as_sent(operation: Operation, value: Any) -> str:
    return str(value) if operation.is_csv else json.dumps(value)


@each_operation
def test_numbers_keep_their_digits(name: str) -> None:
    csv = OPERATIONS[name].is_csv
    for value, in_json, in_csv in (
        (Decimal("0.1"), "0.1", "0.1"),
        (Decimal("10.00"), "10", "10.00"),
        (Decimal("1E+3"), "1000", "1000"),
        (Decimal("-0.30"), "-0.3", "-0.30"),
        (Decimal(2**63), str(2**63), str(2**63)),
    ):
        assert as_sent(OPERATIONS[name], convert(name, value)) == (in_csv if csv else in_json)
    if csv:
        assert convert(name, BIG) == "12345678901234567.89"
    else:
        assert convert(name, BIG).startswith("has a Decimal in field 'field': it has more digits than a JSON number")
    assert "too large or too small" in convert(name, Decimal("1E+1000000"))


@each_operation
def test_times_need_a_time_zone(name: str) -> None:
    expected: dict[str, Any] = {"intercom": 1773486005, "acquia_campaign_studio": "2026-03-14 11:00:05"}
    conn_type = name.partition("-")[0]
    assert convert(name, IN_BERLIN) == expected.get(conn_type, "2026-03-14T11:00:05Z")
    assert convert(name, NAIVE).startswith("has a datetime in field 'field': it has no time zone")
    before_all = convert(name, datetime.min.replace(tzinfo=timezone(timedelta(hours=1))))
    assert isinstance(before_all, int) if conn_type == "intercom" else "years 1 to 9999" in before_all


@each_operation
def test_dates(name: str) -> None:
    found = convert(name, DAY)
    if name.startswith("intercom"):
        assert found == "has a date in field 'field': Intercom takes times: give one with a time zone"
    elif name.startswith("hubspot"):
        assert found.startswith("has a date in field 'field': set the option dateFormat (YEAR_MONTH_DAY")
        assert convert(name, DAY, dateFormat="YEAR_MONTH_DAY") == "2026-03-14"
        assert convert(name, DAY, dateFormat="MONTH_DAY_YEAR") == "03/14/2026"
        assert convert(name, date(1, 2, 3), dateFormat="DAY_MONTH_YEAR") == "03/02/0001"
    else:
        assert found == "2026-03-14"


@each_operation
def test_other_values(name: str) -> None:
    for value, expected in (
        (time(12, 30), "12:30:00"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (True, True),
        (None, None),
        ("2026-03-14", "2026-03-14"),
        ((Decimal(1), [UUID(int=1)]), [1, ["00000000-0000-0000-0000-000000000001"]]),
        (OrderedDict(at=IN_BERLIN), {"at": convert(name, IN_BERLIN)}),
    ):
        if not OPERATIONS[name].is_csv or not isinstance(value, tuple):
            assert convert(name, value) == expected
    for refused in (b"x", bytearray(b"x"), memoryview(b"x"), timedelta(1)):
        assert convert(name, refused).startswith(f"has a {type(refused).__name__} in field 'field': ")


@each_operation
def test_no_missing_value_is_sent(name: str) -> None:
    for value in (Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")):
        word = "NaN" if value.is_nan() else "Infinity"
        assert convert(name, value) == f"has {word} (Decimal) in field 'field': use None for a missing value"


def test_record_of_plain_values_is_not_copied() -> None:
    record = {"a": "x", "b": 1, "c": 0.5, "d": None, "e": True, "f": math.nan}
    assert Converter(OPERATIONS["klaviyo-profiles-import"].formats({}))(record) is record


@each_operation
def test_numpy(name: str) -> None:
    numpy = pytest.importorskip("numpy")
    for value, expected in (
        (numpy.int64(7), 7),
        (numpy.float64(0.1), 0.1),
        (numpy.float32(0.1), 0.1),
        (numpy.bool_(True), True),
        (numpy.str_("x"), "x"),
        (numpy.array([1, 2]), [1, 2]),
        (numpy.array([0.1], dtype="float32"), [0.1]),
    ):
        found = convert(name, value)
        assert (type(found), found) == (type(expected), expected)
    moment = numpy.datetime64("2026-03-14T12:00:00.000000000")
    assert convert(name, moment).startswith("has a datetime in field 'field': it has no time zone")
    times = numpy.array(["2026-03-14T12:00:00", "NaT"], dtype="datetime64[ns]")
    assert convert(name, times[:1]) == convert(name, moment)
    assert convert(name, times[1:]).startswith("has NaN (datetime64) in field 'field'")
    assert convert(name, numpy.datetime64("NaT")).startswith("has NaN (datetime64) in field 'field'")
    assert "convert it to a number or to text" in convert(name, numpy.timedelta64(1, "s"))


class Tier(IntEnum):
    GOLD = 1


class Plan(StrEnum):
    PRO = "pro"


@each_operation
def test_member_of_an_enum_is_its_value(name: str) -> None:
    for member, value in ((Tier.GOLD, 1), (Plan.PRO, "pro")):
        found = convert(name, member)
        assert (type(found), found) == (type(value), value)


class MonthDayNano(NamedTuple):
    months: int
    days: int


@each_operation
def test_named_tuple_is_no_list(name: str) -> None:
    assert convert(name, MonthDayNano(1, 2)) == "has a MonthDayNano in field 'field': convert it to text or to a list"


@each_operation
def test_pandas(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    assert convert(name, pandas.Timestamp(IN_BERLIN)) == convert(name, IN_BERLIN)
    assert "has no time zone" in convert(name, pandas.Timestamp(NAIVE))
    assert convert(name, pandas.NaT).startswith("has NaN (NaTType) in field 'field'")
    assert "in the unit" in convert(name, pandas.Timedelta("1s"))


def test_utc_time_has_a_z() -> None:
    assert convert("klaviyo-profiles-import", datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"


def test_docs_have_every_type() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
    for word in (
        "Decimal",
        "date",
        "datetime",
        "time",
        "UUID",
        "bytes",
        "timedelta",
        "bool",
        "NaN",
        "NaT",
        "pandas.NA",
    ):
        assert f"`{word}`" in docs, word
