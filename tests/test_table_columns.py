# SPDX-License-Identifier: Apache-2.0
"""A table has a column for each field that any record has, in the order in which they were found."""

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_bulkjobs.submitting import batches as spool_module
from airflow_provider_bulkjobs.submitting.batches import Batcher
from airflow_provider_bulkjobs.vendors.spec.operation import Operation

MakeSpool = Callable[..., Batcher]
TABLE = Operation(
    "put", lambda order: iter(()), max_items=3, max_bytes=1000, is_csv=True, columns_option="field_mappings"
)


@pytest.fixture(params=[False, True], ids=["plain", "packed"])
def make(request: Any) -> Iterator[MakeSpool]:
    spools: list[Batcher] = []

    def make(*, fixed: bool = False, room: int = 0, **limits: Any) -> Batcher:
        operation = replace(TABLE, gzipped=request.param, **limits)
        spools.append(Batcher(operation, lambda columns: room * len(columns), fixed=fixed))
        return spools[-1]

    yield make
    for batcher in spools:
        batcher.close()


def fill(batcher: Batcher, *records: Any, columns: tuple[str, ...] = ()) -> list[str | None]:
    problems = [batcher.add(line, record, columns) for line, record in enumerate(records, 1)]
    batcher.cut()
    return problems


def files(batcher: Batcher) -> list[bytes]:
    data = [batch.payload.data for batch in batcher.batches()]
    return [gzip.decompress(one) if one.startswith(b"\x1f\x8b") else one for one in data]


def rows(batcher: Batcher) -> list[dict[str, str]]:
    texts = [file.decode() for file in files(batcher)]
    return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]


def test_field_that_only_a_later_record_has_is_a_column(make: MakeSpool) -> None:
    batcher = make()
    assert fill(batcher, {"email": "a"}, {"phone": "1", "email": "b"}, {"city": "x"}) == [None] * 3
    assert files(batcher) == [b"email,phone,city\r\na,,\r\nb,1,\r\n,,x\r\n"]
    assert [batch.payload.columns for batch in batcher.batches()] == [("email", "phone", "city")]


def test_every_request_has_all_columns(make: MakeSpool) -> None:
    batcher = make(max_items=2)
    fill(batcher, {"a": "1"}, {"a": "2"}, {"a": "3"}, {"b": "4"}, {"c": "5"})
    assert files(batcher) == [b"a,b,c\r\n1,,\r\n2,,\r\n", b"a,b,c\r\n3,,\r\n,4,\r\n", b"a,b,c\r\n,,5\r\n"]


@pytest.mark.parametrize("cell", ["", ",", '"', "a\r\nb", "\r", "\n", 'x","y', "é€😀", "a,\r\n"])
def test_cells_arrive_as_they_were_also_in_rows_that_get_more(make: MakeSpool, cell: str) -> None:
    batcher = make()
    fill(batcher, {"a": cell}, {"a": cell, "b": cell}, {"c": cell})
    assert rows(batcher) == [
        {"a": cell, "b": "", "c": ""},
        {"a": cell, "b": cell, "c": ""},
        {"a": "", "b": "", "c": cell},
    ]


@pytest.mark.parametrize("size", range(20, 90, 3))
def test_requests_stay_within_the_limit_with_the_columns_that_come_later(make: MakeSpool, size: int) -> None:
    batcher = make(max_bytes=size, max_items=99)
    records = [{"a": "x" * number} for number in range(8)] + [{"b": "1"}, {"c": "2", "a": "y"}, {"a": "z" * 7}]
    problems = fill(batcher, *records)
    assert all(
        len(file) == batch.payload.size <= size for file, batch in zip(files(batcher), batcher.batches(), strict=True)
    )
    taken = [record for record, problem in zip(records, problems, strict=True) if problem is None]
    assert [{name: cell for name, cell in row.items() if cell} for row in rows(batcher)] == [
        {name: value for name, value in record.items() if value} for record in taken
    ]
    lines = [line for batch in batcher.batches() for line in (batch.first, batch.last)]
    assert lines == sorted(lines)


def test_column_that_would_make_an_earlier_record_too_large_is_a_problem(make: MakeSpool) -> None:
    batcher = make(max_bytes=len("a\r\n") + len("xxxxx\r\n"))
    problems = fill(batcher, {"a": "xxxxx"}, {"b": "1"}, {"a": "y"})
    assert problems == [None, "adds field 'b'; with more columns an earlier record is too large for a request", None]
    assert files(batcher) == [b"a\r\nxxxxx\r\n", b"a\r\ny\r\n"]


def test_room_that_columns_take_elsewhere_in_a_request_counts(make: MakeSpool) -> None:
    batcher = make(max_bytes=30, room=10, max_items=99)
    assert fill(batcher, *[{"a": "x"}] * 5, {"b": "yyyyyy"})[-1]
    assert [batch.payload.size for batch in batcher.batches()] == [18]
    batcher = make(max_bytes=31, room=10, max_items=99)
    assert fill(batcher, *[{"a": "x"}] * 2, {"b": "yy"}) == [None] * 3
    assert [batch.payload.size for batch in batcher.batches()] == [9, 9, 10]


def test_line_of_a_record_is_known_by_its_position(make: MakeSpool) -> None:
    batcher = make(max_items=2)
    for line in (2, 3, 7, 8, 20):
        batcher.add(line, {"a": "x"})
    batcher.cut()
    found = [batcher.line(batch.before + index) for batch in batcher.batches() for index in range(batch.items)]
    assert found == [2, 3, 7, 8, 20]


def test_columns_are_limited(make: MakeSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MAX_COLUMNS", 3)
    batcher = make()
    problems = fill(batcher, {"a": 1, "b": 2}, {"c": 3}, {"d": 4}, {"c": 5})
    assert problems == [None, None, "has too many new fields (1): a table may have at most 3 columns", None]
    assert batcher.items == 3


def test_columns_do_not_come_from_a_record_that_is_refused(make: MakeSpool) -> None:
    batcher = make()
    assert fill(batcher, {"a": 1}, {"b": [1]}, {"a": 2})[1]
    assert files(batcher) == [b"a\r\n1\r\n2\r\n"]


def test_columns_are_those_of_the_first_record_where_an_option_counts_them(make: MakeSpool) -> None:
    batcher = make(fixed=True)
    first, second, third = fill(batcher, {"email": "a", "city": "x"}, {"email": "b", "phone": "1"}, {"email": "c"})
    assert (first, third) == (None, None)
    assert second
    assert "has field 'phone', which the first record does not have" in second
    assert "'field_mappings'" in second
    assert files(batcher) == [b"email,city\r\na,x\r\nc,\r\n"]


@pytest.mark.parametrize("name", ["", " ", "\u200b"], ids=ascii)
def test_field_without_a_name_is_a_problem(make: MakeSpool, name: str) -> None:
    assert fill(make(), {"email": "a", name: "x"}) == ["has a field without a name: add the name, or remove the field"]


def test_bool_is_written_as_in_json_and_none_is_an_empty_cell(make: MakeSpool) -> None:
    batcher = make()
    fill(batcher, {"a": True, "b": False, "c": None, "d": 0, "e": 1.5})
    assert files(batcher) == [b"a,b,c,d,e\r\ntrue,false,,0,1.5\r\n"]


def test_number_without_end_is_reported(make: MakeSpool) -> None:
    assert fill(make(max_bytes=99_999), {"a": 1, "b": 10**5000}) == [
        "has a int in field 'b' that JSON cannot represent: convert it first"
    ]


def fingerprint(make: MakeSpool, *records: Any) -> str:
    batcher = make()
    fill(batcher, *records)
    return batcher.fingerprint


def test_fingerprint_is_that_of_the_records(make: MakeSpool) -> None:
    records = [{"a": "1"}, {"b": "2"}, {"a": "3"}]
    assert fingerprint(make, *records) == fingerprint(make, *records)
    others = [
        [{"a": "1"}, {"c": "2"}, {"a": "3"}],
        [{"b": "2"}, {"a": "1"}, {"a": "3"}],
        [{"a": "1", "b": ""}, {"b": "2"}, {"a": "3"}, {"a": ""}],
        records[:2],
    ]
    assert len({fingerprint(make, *other) for other in [records, *others]}) == 5
