# SPDX-License-Identifier: Apache-2.0
"""Records are checked and encoded in blocks; the result is that of one record after the other."""

import csv
import io
import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from math import isnan
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_odd_values import CASES, FREE_FIELD, HOOK_OF, REQUIRED, good
from vendors.scripted import make_account

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting import arrow_rows, csv_rows, json_rows, list_rows
from airflow_provider_bulkjobs.submitting.batches import Batcher
from airflow_provider_bulkjobs.submitting.blocks import Block, RecordBlock, Rows, TableBlock
from airflow_provider_bulkjobs.submitting.options import read_options
from airflow_provider_bulkjobs.submitting.records import Row, read_records
from airflow_provider_bulkjobs.submitting.row import Origin
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.submitting.table_rows import encode_rows
from airflow_provider_bulkjobs.vendors.spec.custom_fields import CustomField
from airflow_provider_bulkjobs.vendors.spec.operation import Operation

SENDGRID = "sendgrid-contacts-upsert"
GOOD = {
    "mailchimp-contacts-tag": {"email_address": "ada@example.com", "tags": ["vip"]},
    **{f"salesforce_bulk-ingest-{each}": {"Id": "1"} for each in ("delete", "hard_delete")},
}
CELL = st.one_of(st.text('ab ,"\r\n\u2028\x0b\x00é', max_size=3), st.text("abc", max_size=3))
SIZES = (1, 3, 500)
ODD: list[Any] = [
    *(None, "", " ", " x", "Ada Lovelace", "\u200b", "a\u00a0", "\ud800", "é", "x" * 2000, "@b", "a@", "12"),
    *(5, 0, 10**30, 10**400, True, 1.5, float("nan"), float("inf"), Decimal("1.50"), Decimal("NaN"), b"x", object()),
    *(datetime(2026, 3, 14, tzinfo=UTC), datetime(2026, 3, 14), date(2026, 3, 14), UUID(int=7)),  # noqa: DTZ001
    *([], ["a"], {}, {"a": 1}, {"a": {"b": [1.5, None]}}, {7: "a"}, {"a": float("nan")}),
]


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read blocks of this many rows."""
    number: int = request.param
    modules: list[tuple[ModuleType, str]] = [(each, "BLOCK_ROWS") for each in (csv_rows, json_rows, list_rows)]
    for module, name in [*modules, (arrow_rows, "BATCH_ROWS")]:
        monkeypatch.setattr(module, name, number)
    return number


def outcome(name: str, rows: Iterable[Row], options: dict[str, Any] | None = None) -> Any:
    """Return what would be sent, and the problems of what would not, or the error."""
    vendor, kind, operation = CASES[name]
    hook = HOOK_OF[vendor.conn_type]("mine")
    hook.account = make_account(vendor, "https://vendor.example.com")
    options = read_options(operation, {**REQUIRED[name], **(options or {})})
    problems: list[tuple[str, str | None]] = []
    with Submission(hook, kind.name, operation, options, None) as submission:
        try:
            submission.prepare(rows, lambda row: problems.append((row.where, row.problem)))
        except BadArgumentError as error:
            return str(error)
        batcher = submission.batcher
        batches = [(batch.first, batch.last, batch.payload.data, batch.payload.size) for batch in batcher.batches()]
        places = [batcher.where(item) for item in range(batcher.items)]
        return batches, places, batcher.fingerprint, batcher.unordered_fingerprint, problems


def one_by_one(rows: Iterable[Row]) -> Iterator[Row]:
    yield from rows


def some_records(name: str, number: int) -> list[dict[Any, Any]]:
    """Return good records, some of which have odd values or names."""
    vendor, _, operation = CASES[name]
    chance = random.Random(name)
    names: list[Any] = [*operation.header_names[:2], *operation.per_record_options, "city", "phone", "custom_fields"]
    names += [FREE_FIELD.get(vendor.conn_type, "city"), "fields", "attributes", "", 7, "first_name", "Email"]
    found = []
    for _ in range(number):
        record: dict[Any, Any] = dict(GOOD.get(name) or good(name))
        if chance.random() < 0.3:
            record[chance.choice(names)] = chance.choice(ODD)
        if chance.random() < 0.1:
            record.pop(chance.choice(list(record)))
        found.append(record)
    return found


@pytest.mark.parametrize("name", sorted(CASES))
def test_blocks_are_submitted_like_single_records(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Submission, "_list_custom_fields", lambda _: [CustomField("1", ("city",))])
    records = some_records(name, 150)
    result = outcome(name, read_records(records))
    assert len(result[-1]) > 10, "records with problems"
    assert len(result[1]) > 50, "records without"
    assert result == outcome(name, one_by_one(read_records(records)))


@pytest.mark.parametrize("zone", [UTC, None], ids=["UTC", "naive"])
@pytest.mark.parametrize("last", [[2.0], [float("nan")]], ids=str)
@pytest.mark.parametrize(
    ("name", "names"),
    [
        (SENDGRID, ("country", "city", "postal_code", "address_line_1")),
        ("sendgrid-contacts-import_csv", ("country", "city", "postal_code", "address_line_1")),
        ("klaviyo-profiles-import", ("title", "image", "locale", "organization")),
    ],
)
def test_columns_of_a_table_may_have_values_that_are_converted(
    name: str, names: tuple[str, ...], last: list[float], zone: tzinfo | None, size: int
) -> None:
    pa = pytest.importorskip("pyarrow")
    values = {
        "email": [f"person{number}@example.com" for number in range(9)],
        "first_name": ["Ada Lovelace", "", None] * 3,
        "last_name": [Decimal("1.50"), None, Decimal("2.25")] * 3,
    }
    more: list[list[Any]] = [
        [date(2026, 3, 14), None, None] * 3,
        [1.5, None, 1e16] * 2 + [0.0, *last, -2.5e-7],
        [10**18, None, -1] * 3,
        [datetime(2026, 3, 14, 1, 2, 3, 400, tzinfo=zone), None, None] * 3,
    ]
    values |= dict(zip(names, more, strict=True))
    table = pa.table(values)
    result = outcome(name, read_records(table))
    assert result == outcome(name, one_by_one(read_records(table)))
    rows = {"row 1": zone is None, "row 4": zone is None, "row 7": zone is None, "row 8": isnan(*last)}
    assert [where for where, _ in result[-1]] == [row for row, has_problem in rows.items() if has_problem]


ODD_CSV = (
    'email,city\na@example.com,Bonn\n\nb@example.com,"two\r\nlines"\n"c@example.com\n",x\n"d@example.com","a\rb\n\nc"\n'
    "email,city\ne@example.com\nf@example.com,\n,Bonn\n,\n \u200b,x\ng@example.com,\ufeffcity\n"
)


def test_lines_of_a_table_do_not_depend_on_blocks(size: int, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(ODD_CSV.encode())
    rows = list(read_records(tmp_path / "a.csv"))
    assert [row.line for row in rows] == [2, 4, 6, 8, 12, 13, 14, 15, 16, 17, 18]
    assert [row.line for row in rows if row.problem] == [12, 13]
    result = outcome(SENDGRID, read_records(tmp_path / "a.csv"))
    assert result == outcome(SENDGRID, one_by_one(read_records(tmp_path / "a.csv")))
    assert result[0], "some are sent"


@pytest.mark.parametrize(
    ("file", "data"),
    [("a.csv", b'name,city\nada,Bonn\nbob,"Bonn\n'), ("a.csv", b"name,city\nada,Bonn\n" + b"b" * 9000 + b"\xe9\n")],
    ids=["CSV", "UTF-8"],
)
def test_problem_of_the_columns_comes_before_a_later_line(size: int, tmp_path: Path, file: str, data: bytes) -> None:
    (tmp_path / file).write_bytes(data)
    assert "none of the 2 columns in the first line of the file is" in outcome(SENDGRID, read_records(tmp_path / file))


def test_json_lines_with_a_field_twice_are_found_in_any_block(size: int, tmp_path: Path) -> None:
    lines = [
        '{"email": "a@example.com"}',
        '{"email": "b", "email": "c"}',
        '{"email": "x:y"}',
        '{"a": {"b": 1, "b": 2}}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    rows = list(read_records(tmp_path / "a.jsonl"))
    assert {row.line: row.problem for row in rows if row.problem} == {
        2: "has field 'email' twice: remove one of them",
        4: "has field 'b' twice: remove one of them",
    }
    assert [row.record for row in rows if not row.problem] == [{"email": "a@example.com"}, {"email": "x:y"}]


JSON_VALUES = (
    *("-0", "1e400", "1" * 40, "1" * 5000, "0.1e-5", "123456789012345678901234567890.5", "NaN", "01", "1.", "[1,]"),
    *(
        r'"\ud800"',
        r'"\ud83d\ude00"',
        r'"\u0000"',
        '"\x7f"',
        '"\x01"',
        '"a:b"',
        "{}",
        '{"b": [1.0, null]}',
        "[" * 20_000,
    ),
)


@pytest.mark.parametrize("value", JSON_VALUES, ids=lambda value: value[:40])
def test_json_lines_are_read_like_the_json_module_reads_them(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.jsonl").write_text(f' {{"a": {value}}}\r\n')
    [row] = read_records(tmp_path / "a.jsonl")
    try:
        expected = json.loads((tmp_path / "a.jsonl").read_text())
    except (ValueError, RecursionError):
        assert row.problem == "is not JSON: write one object per line"
    else:
        assert repr(row.record) == repr(expected)


def test_good_blocks_are_not_added_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batcher, "add", lambda *_: pytest.fail("one by one"))
    people = [{"email": f"person{number}@example.com", "first_name": "Ada Lovelace"} for number in range(1200)]
    assert outcome(SENDGRID, read_records(people))[0]


def test_values_of_a_table_are_converted_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    monkeypatch.setattr(Batcher, "add", lambda *_: pytest.fail("one by one"))
    monkeypatch.setattr(Block, "changed", lambda *_: pytest.fail("one by one"))
    columns = {"email": ["a@example.com", "b@example.com"], "city": [date(2026, 3, 14), None]}
    columns |= {"country": [Decimal("1.25"), Decimal(7)], "postal_code": [0.1, None]}
    [(_, _, data, _)] = outcome(SENDGRID, read_records(pa.table(columns)))[0]
    assert data == (
        b'{"email":"a@example.com","city":"2026-03-14","country":1.25,"postal_code":0.1},'
        b'{"email":"b@example.com","country":7}'
    )


def test_names_that_msgspec_takes_for_no_field_are_encoded_as_well() -> None:
    block = TableBlock([1, 2], ('a"b', "c"), [("x", None), (1, "y")], Origin())
    assert block.encoded() == [b'{"a\\"b":"x","c":1}', b'{"c":"y"}']


def test_rows_come_out_of_blocks_and_between_them() -> None:
    def blocks() -> Iterator[Block | Row]:
        yield TableBlock([2, 3], ("a",), [("x", "y")], Origin())
        yield Row(4, {}, "is odd")
        yield TableBlock([5], ("a",), [("z",)], Origin())

    assert [row.line for row in Rows(blocks())] == [2, 3, 4, 5]


@pytest.mark.parametrize("limits", [{"max_bytes": 60}, {"max_item_bytes": 40}], ids=str)
@pytest.mark.parametrize("is_csv", [False, True])
def test_block_with_a_record_that_is_too_large_is_not_added(limits: dict[str, int], is_csv: bool) -> None:
    batcher = Batcher(Operation("put", never_submitted, 10, is_csv=is_csv, **limits), lambda _columns: 0)
    assert batcher.add(1, {"a": "x"}, ("a",)) is None
    assert batcher.add_many(TableBlock([2, 3], ("a",), [("x", "y" * 30)], Origin()))
    assert not batcher.add_many(TableBlock([4, 5], ("a",), [("x", "y" * 60)], Origin()))
    assert batcher.items == 3
    batcher.close()


def test_column_that_would_make_a_record_of_a_block_too_large_is_refused() -> None:
    batcher = Batcher(Operation("put", never_submitted, 10, is_csv=True, max_bytes=60), lambda _columns: 0)
    assert batcher.add(1, {"a": "x"}, ("a",)) is None
    assert batcher.add_many(TableBlock([2], ("a",), [("y" * 54,)], Origin()))
    assert "with more columns an earlier record is too large" in str(batcher.add(3, {"b": "x"}))
    batcher.close()


def test_text_that_is_too_long_is_found_in_any_block(size: int) -> None:
    people = [{"email": f"person{number}@example.com", "city": "x" * (number % 62)} for number in range(1, 200)]
    problems = outcome(SENDGRID, read_records(people))[-1]
    assert problems == [(f"line {line}", "has more than 60 characters in field 'city'") for line in (61, 123, 185)]


def never_submitted(_context: object) -> Any:
    raise AssertionError


def test_column_of_numbers_may_have_a_large_one() -> None:
    block = RecordBlock([2, 3], [{"n": 1.5}, {"n": 10**400}], Origin())
    assert encode_rows(block, ["n"]) == [b"1.5\r\n", f"{10**400}\r\n".encode()]


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1)))
def test_rows_of_text_are_as_a_csv_writer_writes_them(rows: list[list[str]]) -> None:
    names = [f"field_{number}" for number in range(len(rows[0]))]
    block = TableBlock(range(len(rows)), tuple(names), map(list, zip(*rows, strict=True)), Origin())
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    encoded = encode_rows(block, names)
    assert encoded is not None
    assert b"".join(encoded) == text.getvalue().encode()
    assert len(encoded) == len(rows)


def test_text_that_cannot_be_encoded_is_checked_row_by_row() -> None:
    assert encode_rows(TableBlock([2], ("a", "b"), [["\ud800"], ["x"]], Origin()), ["a", "b"]) is None
