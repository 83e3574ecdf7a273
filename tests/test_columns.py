# SPDX-License-Identifier: Apache-2.0
"""The argument columns renames and selects; what is wrong with it is named."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.columns import read_columns
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.submitting.row import Origin, Row

SHOUTED = "EMAIL,FIRST_NAME,LTV\na@x.co,Ada,7\nb@x.co,,8\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(SHOUTED)
    return tmp_path / "a.csv"


def test_columns_are_renamed_and_selected(file: Path) -> None:
    rows = list(read_records(file, columns={"FIRST_NAME": "name", "EMAIL": "email"}))
    assert [dict(row.record) for row in rows] == [{"email": "a@x.co", "name": "Ada"}, {"email": "b@x.co"}]
    assert [(row.columns, row.where) for row in rows] == [
        (("name", "email"), "a.csv line 2"),
        (("name", "email"), "a.csv line 3"),
    ]


def test_two_columns_may_change_their_names(file: Path) -> None:
    [row, _] = read_records(file, columns={"EMAIL": "FIRST_NAME", "FIRST_NAME": "EMAIL"})
    assert row.record == {"EMAIL": "Ada", "FIRST_NAME": "a@x.co"}


def test_list_of_columns_selects(file: Path) -> None:
    [row, _] = read_records(file, columns=["EMAIL", "LTV"])
    assert row.record == {"EMAIL": "a@x.co", "LTV": "7"}


def test_records_may_leave_out_columns() -> None:
    rows = list(read_records([{"A": 1, "B": None}, {"A": 2}, {"C": 3}], columns={"A": "a", "B": "b"}))
    assert [dict(row.record) for row in rows] == [{"a": 1, "b": None}, {"a": 2}, {}]


def test_problem_of_a_row_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("A,B\n1\n")
    [row] = read_records(tmp_path / "a.csv", columns={"A": "a"})
    assert (row.problem, row.columns) == ("has 1 columns, and the header has 2", ("a",))


def test_source_of_a_colleague_is_renamed_and_closed() -> None:
    closed = []

    class Source:
        def read_rows(self) -> Any:
            try:
                for number in range(3):
                    yield Row.of_table(number, ("EMAIL",), ("a",), Origin("query", "row"))
            finally:
                closed.append(True)

    rows = read_records(Source(), columns={"EMAIL": "email"})
    assert next(rows).record == {"email": "a"}
    rows.close()
    assert closed == [True]


def refusal(source: Any, columns: Any) -> str:
    with pytest.raises(BadArgumentError) as caught:
        list(read_records(source, columns=columns))
    assert "columns" in str(caught.value)
    return str(caught.value)


def test_column_that_a_table_lacks_is_named(file: Path) -> None:
    message = refusal(file, {"EMAIL": "email", "first_name": "name", "CITY": "city"})
    assert "records lack 'first_name', 'CITY'. There are 3 columns: 'EMAIL', 'FIRST_NAME', 'LTV'." in message


def test_column_that_no_record_has_is_named() -> None:
    assert "no record has 'B'. Correct" in refusal([{"A": 1}, {"A": 2}], {"A": "a", "B": "b"})
    assert "no record has 'a', 'b'. Correct" in refusal([{"A": 1}], ["a", "b"])


def test_columns_of_a_file_that_may_have_no_header_are_not_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Zebediah,Quackenbush\nAnna,Zimmermann\n")
    message = refusal(tmp_path / "a.csv", {"EMAIL": "email"})
    assert "There are 2 columns. Correct" in message
    assert not [name for name in ("Zebediah", "Quackenbush", "Anna") if name in message]


def test_no_records_have_no_wrong_columns() -> None:
    assert list(read_records([], columns={"A": "a"})) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"A": "email", "B": "email"}, "columns has field 'email' twice"),
        (["email", "email"], "columns has column 'email' twice"),
        ({"A": ""}, "the name of a field is empty"),
        ({"": "a"}, "the name of a column is empty"),
        ({"A": None}, "the name of a field is empty or not text"),
        ({1: "a"}, "the name of a column is empty or not text"),
        ({}, "columns must be a dict"),
        ([], "columns must be a dict"),
        ("email", "columns must be a dict"),
        (7, "columns must be a dict"),
    ],
    ids=str,
)
def test_argument_that_is_wrong_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        read_columns(value)
    assert problem in str(caught.value)


def test_columns_are_optional() -> None:
    assert read_columns(None) is None
