# SPDX-License-Identifier: Apache-2.0
"""Where a record comes from, as messages name it: the file and the line, or the row of a query."""

from collections.abc import Iterator

import pytest

from airflow_provider_bulkjobs.submitting.batches import Batcher
from airflow_provider_bulkjobs.submitting.row import Origin, Row
from airflow_provider_bulkjobs.vendors.spec.operation import Operation

LINES = Operation("put", lambda order: iter(()), max_items=2, max_bytes=1000)


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    made = Batcher(LINES, lambda columns: 0)
    yield made
    made.close()


def test_location_of_records_names_the_file_of_each(batcher: Batcher) -> None:
    for line, name in ((2, "a.csv"), (3, "a.csv"), (2, "b.csv"), (7, "b.csv")):
        batcher.add(line, {"a": "x"}, origin=Origin(name))
    assert [batcher.where(item) for item in range(4)] == [
        "a.csv line 2",
        "a.csv line 3",
        "b.csv line 2",
        "b.csv line 7",
    ]
    assert batcher.where(0, 1) == "a.csv lines 2-3"
    assert batcher.where(1, 3) == "a.csv line 3 to b.csv line 7"
    assert batcher.where(3, 3) == "b.csv line 7"


def test_location_of_records_of_a_list_is_a_line(batcher: Batcher) -> None:
    for line in (1, 2):
        batcher.add(line, {"a": "x"})
    assert (batcher.where(1), batcher.where(0, 1)) == ("line 2", "lines 1-2")


def test_batches_of_the_only_file_do_not_repeat_its_name(batcher: Batcher) -> None:
    for line in (2, 3):
        batcher.add(line, {"a": "x"}, origin=Origin("a.csv"))
    assert (batcher.where(1), batcher.where(0, 1)) == ("a.csv line 3", "lines 2-3")


def test_location_of_a_row_has_the_unit_of_its_source() -> None:
    assert Row(7, {}, origin=Origin("query", "row")).where == "query row 7"


def test_null_of_a_table_is_a_field_that_is_not_set() -> None:
    row = Row.of_table(1, ("email", "age", "city"), ("a", None, ""), Origin("query", "row"))
    assert (row.record, row.columns) == ({"email": "a", "city": ""}, ("email", "age", "city"))
