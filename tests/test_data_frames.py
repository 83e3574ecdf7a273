# SPDX-License-Identifier: Apache-2.0
"""Data frames and the rows of queries: a missing value is a field that is not set."""

import datetime as dt
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting import frame_rows
from airflow_provider_bulkjobs.submitting.column_values import UnreadableValue, read_values
from airflow_provider_bulkjobs.submitting.records import read_records

WHEN = dt.datetime.fromisoformat("2026-03-14T15:09:26")
DATA: dict[str, list[Any]] = {
    "email": ["a", "b", None],
    "age": [7, None, 9],
    "balance": [1.5, None, 2.5],
    "member": [True, None, False],
    "seen": [WHEN, None, WHEN],
}
EXPECTED = [
    {"email": "a", "age": 7, "balance": 1.5, "member": True, "seen": WHEN},
    {"email": "b"},
    {"age": 9, "balance": 2.5, "member": False, "seen": WHEN},
]


def pandas_frame() -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(DATA).astype({"age": "Int64", "member": "boolean"})


def pandas_arrow_frame() -> Any:
    pytest.importorskip("pyarrow")
    return pandas_frame().convert_dtypes(dtype_backend="pyarrow")


def polars_frame() -> Any:
    return pytest.importorskip("polars").DataFrame(DATA)


def arrow_table() -> Any:
    return pytest.importorskip("pyarrow").table(DATA)


def record_batch() -> Any:
    return arrow_table().to_batches()[0]


@pytest.mark.parametrize("make", [pandas_frame, pandas_arrow_frame, polars_frame, arrow_table, record_batch])
def test_data_frame_is_read(make: Any) -> None:
    rows = list(read_records(make()))
    assert [dict(row.record) for row in rows] == EXPECTED
    assert [(row.columns, row.where) for row in rows] == [(tuple(DATA), f"row {number}") for number in (1, 2, 3)]


def test_numbers_of_pandas_are_those_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr(frame_rows, "ROWS_AT_ONCE", 2)
    frame = pandas.DataFrame({"n": [1, 2, 3, 4, 5], "x": [0.5, float("nan"), 1, 2, 3]}, index=list("edcba"))
    rows = list(read_records(frame))
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert [row.record["n"] for row in rows] == [1, 2, 3, 4, 5]
    assert {type(cell) for row in rows for cell in row.record.values()} == {int, float}
    assert "x" not in rows[1].record


def test_columns_of_a_data_frame_need_names() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(BadArgumentError, match="the data frame: a column has no name, or one that is not text"):
        read_records(pandas.DataFrame([[1, 2]]))
    with pytest.raises(BadArgumentError, match="the data frame has column 'a' twice"):
        read_records(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


def test_lazy_frame_must_be_collected() -> None:
    with pytest.raises(BadArgumentError, match=r"records is a LazyFrame: pass df\.collect\(\)"):
        read_records(polars_frame().lazy())


def test_empty_data_frame_has_no_records() -> None:
    assert list(read_records(pandas_frame().iloc[:0])) == list(read_records(polars_frame().clear())) == []


def test_columns_of_a_data_frame_are_renamed() -> None:
    rows = list(read_records(polars_frame(), columns={"email": "mail", "age": "age"}))
    assert [dict(row.record) for row in rows] == [{"mail": "a", "age": 7}, {"mail": "b"}, {"age": 9}]


# --- rows of queries


def description(*names: str, kind: Any = list) -> Any:
    return kind(kind((name, 1043, None, 255, None, None, None)) for name in names)


@pytest.mark.parametrize("kind", [list, tuple])
def test_output_of_a_query_with_its_description_is_read(kind: Any) -> None:
    source = kind((description("EMAIL", "AGE", kind=kind), kind((kind(("a", 7)), kind(("b", None))))))
    assert [dict(row.record) for row in read_records(source, columns={"EMAIL": "email", "AGE": "age"})] == [
        {"email": "a", "age": 7},
        {"email": "b"},
    ]
    assert [row.where for row in read_records(source)] == ["row 1", "row 2"]


def test_output_of_a_query_without_rows_has_no_records() -> None:
    assert list(read_records([description("email"), []])) == []


def test_column_that_a_query_has_twice_is_refused() -> None:
    with pytest.raises(BadArgumentError, match="the output of the query has column 'id' twice"):
        read_records([description("id", "id"), [[1, 2]]])


def test_rows_without_names_are_named_by_columns() -> None:
    rows = list(read_records([["a", 7], ("b", None), ["c"]], columns=["email", "age"]))
    assert [dict(row.record) for row in rows] == [{"email": "a", "age": 7}, {"email": "b"}, {}]
    assert [row.problem for row in rows] == [None, None, "has 1 values, and there are 2 columns"]


def test_rows_without_names_need_a_list_of_columns() -> None:
    for columns in (None, {"EMAIL": "email"}):
        [row] = read_records([["a"]], columns=columns)
        assert row.problem == "is a list, not a dict"
        assert "Set columns, the list of their names in order" in row.hint


def short_floats(library: str) -> Any:
    module = pytest.importorskip(library)
    if library == "polars":
        return module.DataFrame({"score": module.Series([4.2, None], dtype=module.Float32)})
    if library == "pyarrow":
        return module.table({"score": module.array([4.2, None], module.float32())})
    return module.DataFrame({"score": [4.2, None]}).astype("float32")


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_short_float_is_not_rounded(library: str) -> None:
    assert [row.record for row in read_records(short_floats(library))] == [{"score": 4.2}, {}]


@pytest.mark.parametrize("kind", ["Float32", "float[pyarrow]"])
def test_short_float_of_a_type_with_nulls_is_not_rounded(kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"score": pandas.array([4.2, None], dtype=kind)})
    assert [row.record for row in read_records(frame)] == [{"score": 4.2}, {}]


def test_date_that_python_does_not_have_is_a_problem_of_its_row() -> None:
    polars = pytest.importorskip("polars")
    days = polars.Series([1, 3_000_000], dtype=polars.Int32).cast(polars.Date)
    first, second = read_records(polars.DataFrame({"email": ["a", "b"], "day": days}))
    assert first.record == {"email": "a", "day": dt.date(1970, 1, 2)}
    assert isinstance(second.record["day"], UnreadableValue)


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_rows_without_columns_are_refused(library: str) -> None:
    module = pytest.importorskip(library)
    frame = module.DataFrame(index=[0, 1]) if library == "pandas" else module.table({"a": [1, 2]}).select([])
    with pytest.raises(BadArgumentError, match="has no columns"):
        list(read_records(frame))


class Stopped(BaseException):
    """As Airflow ends a task: no error of a value."""


def test_end_of_a_task_is_no_unreadable_value() -> None:
    def stop(_column: Any) -> list[Any]:
        raise Stopped

    with pytest.raises(Stopped):
        read_values([1, 2], stop)
