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
from airflow_provider_bulkjobs.submitting.batches import Spool
from airflow_provider_bulkjobs.vendors.spec.operation import Operation

MakeSpool = Callable[..., Spool]
TABLE = Operation(
    "put", lambda order: iter(()), most_items=3, most_bytes=1000, is_table=True, option_on_columns="field_mappings"
)


@pytest.fixture(params=[False, True], ids=["plain", "packed"])
def make(request: Any) -> Iterator[MakeSpool]:
    spools: list[Spool] = []

    def make(*, fixed: bool = False, room: int = 0, **limits: Any) -> Spool:
        operation = replace(TABLE, packed=request.param, **limits)
        spools.append(Spool(operation, lambda columns: room * len(columns), fixed=fixed))
        return spools[-1]

    yield make
    for spool in spools:
        spool.close()


def fill(spool: Spool, *records: Any, columns: tuple[str, ...] = ()) -> list[str | None]:
    problems = [spool.add(line, record, columns) for line, record in enumerate(records, 1)]
    spool.cut()
    return problems


def files(spool: Spool) -> list[bytes]:
    data = [portion.chunk.data for portion in spool.portions()]
    return [gzip.decompress(one) if one.startswith(b"\x1f\x8b") else one for one in data]


def rows(spool: Spool) -> list[dict[str, str]]:
    texts = [file.decode() for file in files(spool)]
    return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]


def test_field_that_only_a_later_record_has_is_a_column(make: MakeSpool) -> None:
    spool = make()
    assert fill(spool, {"email": "a"}, {"phone": "1", "email": "b"}, {"city": "x"}) == [None] * 3
    assert files(spool) == [b"email,phone,city\r\na,,\r\nb,1,\r\n,,x\r\n"]
    assert [portion.chunk.columns for portion in spool.portions()] == [("email", "phone", "city")]


def test_every_request_has_all_columns(make: MakeSpool) -> None:
    spool = make(most_items=2)
    fill(spool, {"a": "1"}, {"a": "2"}, {"a": "3"}, {"b": "4"}, {"c": "5"})
    assert files(spool) == [b"a,b,c\r\n1,,\r\n2,,\r\n", b"a,b,c\r\n3,,\r\n,4,\r\n", b"a,b,c\r\n,,5\r\n"]


@pytest.mark.parametrize("cell", ["", ",", '"', "a\r\nb", "\r", "\n", 'x","y', "é€😀", "a,\r\n"])
def test_cells_arrive_as_they_were_also_in_rows_that_get_more(make: MakeSpool, cell: str) -> None:
    spool = make()
    fill(spool, {"a": cell}, {"a": cell, "b": cell}, {"c": cell})
    assert rows(spool) == [
        {"a": cell, "b": "", "c": ""},
        {"a": cell, "b": cell, "c": ""},
        {"a": "", "b": "", "c": cell},
    ]


@pytest.mark.parametrize("size", range(20, 90, 3))
def test_requests_stay_within_the_limit_with_the_columns_that_come_later(make: MakeSpool, size: int) -> None:
    spool = make(most_bytes=size, most_items=99)
    records = [{"a": "x" * number} for number in range(8)] + [{"b": "1"}, {"c": "2", "a": "y"}, {"a": "z" * 7}]
    problems = fill(spool, *records)
    assert all(
        len(file) == portion.chunk.size <= size for file, portion in zip(files(spool), spool.portions(), strict=True)
    )
    taken = [record for record, problem in zip(records, problems, strict=True) if problem is None]
    assert [{name: cell for name, cell in row.items() if cell} for row in rows(spool)] == [
        {name: value for name, value in record.items() if value} for record in taken
    ]
    lines = [line for portion in spool.portions() for line in (portion.first, portion.last)]
    assert lines == sorted(lines)


def test_column_that_would_make_an_earlier_record_too_large_is_a_problem(make: MakeSpool) -> None:
    spool = make(most_bytes=len("a\r\n") + len("xxxxx\r\n"))
    problems = fill(spool, {"a": "xxxxx"}, {"b": "1"}, {"a": "y"})
    assert problems == [None, "has field 'b', and with more columns an earlier record is too large for a request", None]
    assert files(spool) == [b"a\r\nxxxxx\r\n", b"a\r\ny\r\n"]


def test_room_that_columns_take_elsewhere_in_a_request_counts(make: MakeSpool) -> None:
    spool = make(most_bytes=30, room=10, most_items=99)
    assert fill(spool, *[{"a": "x"}] * 5, {"b": "yyyyyy"})[-1]
    assert [portion.chunk.size for portion in spool.portions()] == [18]
    spool = make(most_bytes=31, room=10, most_items=99)
    assert fill(spool, *[{"a": "x"}] * 2, {"b": "yy"}) == [None] * 3
    assert [portion.chunk.size for portion in spool.portions()] == [9, 9, 10]


def test_line_of_a_record_is_known_by_its_position(make: MakeSpool) -> None:
    spool = make(most_items=2)
    for line in (2, 3, 7, 8, 20):
        spool.add(line, {"a": "x"})
    spool.cut()
    found = [spool.line(portion.before + index) for portion in spool.portions() for index in range(portion.items)]
    assert found == [2, 3, 7, 8, 20]


def test_columns_are_limited(make: MakeSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MOST_COLUMNS", 3)
    spool = make()
    problems = fill(spool, {"a": 1, "b": 2}, {"c": 3}, {"d": 4}, {"c": 5})
    assert problems == [None, None, "has 1 fields that no record before it has: a table may have 3 columns", None]
    assert spool.items == 3


def test_columns_do_not_come_from_a_record_that_is_refused(make: MakeSpool) -> None:
    spool = make()
    assert fill(spool, {"a": 1}, {"b": [1]}, {"a": 2})[1]
    assert files(spool) == [b"a\r\n1\r\n2\r\n"]


def test_columns_are_those_of_the_first_record_where_an_option_counts_them(make: MakeSpool) -> None:
    spool = make(fixed=True)
    first, second, third = fill(spool, {"email": "a", "city": "x"}, {"email": "b", "phone": "1"}, {"email": "c"})
    assert (first, third) == (None, None)
    assert second
    assert "has field 'phone', and the first record does not" in second
    assert "'field_mappings'" in second
    assert files(spool) == [b"email,city\r\na,x\r\nc,\r\n"]


@pytest.mark.parametrize("name", ["", " ", "\u200b"], ids=ascii)
def test_field_without_a_name_is_a_problem(make: MakeSpool, name: str) -> None:
    assert fill(make(), {"email": "a", name: "x"}) == ["has a field without a name: name it, or leave it out"]


def test_bool_is_written_as_in_json_and_none_is_an_empty_cell(make: MakeSpool) -> None:
    spool = make()
    fill(spool, {"a": True, "b": False, "c": None, "d": 0, "e": 1.5})
    assert files(spool) == [b"a,b,c,d,e\r\ntrue,false,,0,1.5\r\n"]


def test_number_without_end_is_reported(make: MakeSpool) -> None:
    assert fill(make(most_bytes=99_999), {"a": 1, "b": 10**5000}) == [
        "has a int in field 'b' that JSON cannot hold: convert it first"
    ]


def fingerprint(make: MakeSpool, *records: Any) -> str:
    spool = make()
    fill(spool, *records)
    return spool.fingerprint


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
