# SPDX-License-Identifier: Apache-2.0
"""Records cut into requests: no request above the limits, no record lost, none sent twice."""

import csv
import datetime as dt
import decimal
import gzip
import io
import json
import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from vendors.scripted import make_account

from airflow_provider_bulkjobs.exceptions import BadArgumentError, OutputWriteError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.submitting.batches import Batch, Batcher
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Payload, SubmitContext

MakeSpool = Callable[..., Batcher]
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
OPERATIONS = {
    (vendor.conn_type, kind.name, operation.name): operation
    for vendor in VENDORS
    for kind in vendor.kinds
    for operation in kind.operations
    if operation.max_items
}
each_operation = pytest.mark.parametrize("key", OPERATIONS, ids="-".join)
JSON = Operation("put", lambda order: iter(()), max_items=3, max_bytes=1000)
TABLE = replace(JSON, is_csv=True, gzipped=True)
DELETE = OPERATIONS["sendgrid", "contacts", "delete"]
RECORD = {"a": "x"}  # 9 bytes as JSON
SIZE = 9


@pytest.fixture
def make() -> Iterator[MakeSpool]:
    spools: list[Batcher] = []

    def make(operation: Operation = JSON, room: int = 0, **limits: Any) -> Batcher:
        spools.append(Batcher(replace(operation, **limits), lambda _columns: room))
        return spools[-1]

    yield make
    for batcher in spools:
        batcher.close()


def fill(batcher: Batcher, *records: Any, columns: tuple[str, ...] = ()) -> list[str | None]:
    problems = [batcher.add(line, record, columns) for line, record in enumerate(records, 1)]
    batcher.cut()
    return problems


def shape(batcher: Batcher, skip: int = 0) -> list[tuple[int, int, int, int]]:
    return [(each.number, each.items, each.first, each.last) for each in batcher.batches(skip)]


def bodies(batcher: Batcher) -> list[bytes]:
    return [each.payload.data for each in batcher.batches()]


def test_records_may_be_lines(make: MakeSpool) -> None:
    batcher = make(separator=b"\n", max_bytes=2 * SIZE + 1)
    fill(batcher, RECORD, RECORD, {"a": "\n"})
    assert bodies(batcher) == [b'{"a":"x"}\n{"a":"x"}', b'{"a":"\\n"}']
    assert batcher.batch(1, [0]).payload.data == b'{"a":"x"}'
    assert [record for _, record in batcher.records([2])] == [{"a": "\n"}]


# --- cut by items


@pytest.mark.parametrize(
    ("records", "expected"), [(0, []), (1, [1]), (2, [2]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
def test_cut_by_items(make: MakeSpool, records: int, expected: list[int]) -> None:
    batcher = make()
    assert fill(batcher, *[RECORD] * records) == [None] * records
    assert [items for _, items, _, _ in shape(batcher)] == expected
    assert (batcher.items, batcher.requests) == (records, len(expected))
    assert bodies(batcher) == [b",".join([b'{"a":"x"}'] * items) for items in expected]


def test_batches_have_their_lines(make: MakeSpool) -> None:
    batcher = make()
    for line in (2, 3, 7, 8, 20):
        batcher.add(line, RECORD)
    batcher.cut()
    assert shape(batcher) == [(1, 3, 2, 7), (2, 2, 8, 20)]


@pytest.mark.parametrize("skip", range(4))
def test_requests_at_the_beginning_can_be_left_out(make: MakeSpool, skip: int) -> None:
    batcher = make(max_items=1)
    fill(batcher, {"a": 1}, {"a": 2}, {"a": 3})
    assert [(each.number, each.payload.data) for each in batcher.batches(skip)] == [
        (number, b'{"a":%d}' % number) for number in range(skip + 1, 4)
    ]


def test_cutting_where_there_is_nothing_adds_no_request(make: MakeSpool) -> None:
    batcher = make()
    batcher.cut()
    fill(batcher, RECORD)
    batcher.cut()
    assert batcher.requests == 1


@each_operation
def test_one_more_than_the_vendor_takes_is_another_request(make: MakeSpool, key: tuple[str, str, str]) -> None:
    operation = OPERATIONS[key]
    most = min(operation.max_items, 1000)  # a million rows prove no more
    batcher = make(operation, max_items=most)
    fill(batcher, *[{"id": number % 10} for number in range(most + 1)])
    assert [items for _, items, _, _ in shape(batcher)] == [most, 1]


# --- cut by bytes


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_fits_exactly_is_one_request(make: MakeSpool, count: int) -> None:
    size = count * SIZE + (count - 1)  # with the commas
    batcher = make(max_items=99, max_bytes=size)
    fill(batcher, *[RECORD] * count * 2)
    assert [len(body) for body in bodies(batcher)] == [size, size]


@pytest.mark.parametrize("count", [2, 5])
def test_what_is_one_byte_too_much_is_two(make: MakeSpool, count: int) -> None:
    batcher = make(max_items=99, max_bytes=count * SIZE + (count - 1) - 1)
    fill(batcher, *[RECORD] * count)
    assert [items for _, items, _, _ in shape(batcher)] == [count - 1, 1]


def test_room_that_is_taken_already_counts(make: MakeSpool) -> None:
    batcher = make(room=100, max_items=99, max_bytes=100 + SIZE)
    fill(batcher, *[RECORD] * 3)
    assert [len(body) for body in bodies(batcher)] == [SIZE] * 3


def test_bytes_are_counted_and_not_characters(make: MakeSpool) -> None:
    batcher = make(max_bytes=len('{"a":"é"}'.encode()) * 2)  # lacks a byte for the comma
    fill(batcher, *[{"a": "é"}] * 2)
    assert batcher.requests == 2


def test_too_large_record_is_reported_with_its_size(make: MakeSpool) -> None:
    batcher = make(max_bytes=SIZE)
    problems = fill(batcher, RECORD, {"a": "xy"}, RECORD)
    assert problems == [None, f"is {SIZE + 1} bytes when encoded, and a request may have at most {SIZE}", None]
    assert (batcher.items, batcher.requests) == (2, 2)
    assert shape(batcher) == [(1, 1, 1, 1), (2, 1, 3, 3)]


def test_a_table_has_its_header_in_each_request_and_it_counts(make: MakeSpool) -> None:
    header, row = b"email,name\r\n", b"a,b\r\n"
    batcher = make(TABLE, max_items=99, max_bytes=len(header) + 2 * len(row))
    fill(batcher, *[{"email": "a", "name": "b"}] * 5)
    assert [gzip.decompress(body) for body in bodies(batcher)] == [header + row * 2, header + row * 2, header + row]


def test_row_that_is_too_large_with_its_header_is_reported(make: MakeSpool) -> None:
    header, row = b"email\r\n", b"ada@example.com\r\n"
    assert fill(make(TABLE, max_bytes=len(header) + len(row)), {"email": "ada@example.com"}) == [None]
    [problem] = fill(make(TABLE, max_bytes=len(header) + len(row) - 1), {"email": "ada@example.com"})
    assert problem
    assert "ada@" not in problem


def test_first_row_of_a_batch_that_is_too_large_with_the_header_is_reported(make: MakeSpool) -> None:
    header, row = b"email\r\n", b"ada@example.com\r\n"
    batcher = make(TABLE, max_bytes=len(header) + len(row) - 1)
    before, problem = fill(batcher, {"email": "a"}, {"email": "ada@example.com"})
    assert before is None
    assert problem
    assert len(gzip.decompress(bodies(batcher)[-1])) < len(header) + len(row)


# --- requests as they are sent, with whatever may be in a record

ALPHABET = "abc ,;:\"'\\\n\r\t\x00\x7f{}[]%&=+/é€😀\u2028"


@pytest.mark.parametrize("records", [1, 20_000], ids=["at the end", "on the way"])
def test_full_temporary_folder_is_an_error_that_names_it(
    make: MakeSpool, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", 0))  # noqa: PTH123, SIM115
    batcher = make()
    with pytest.raises(OutputWriteError, match=r"in /full: No space left on device\. Set TMPDIR"):
        fill(batcher, *([RECORD] * records))


def random_text(source: random.Random, longest: int) -> str:
    return "".join(source.choices(ALPHABET, k=source.randrange(longest)))


def random_records(source: random.Random, count: int, longest: int) -> list[dict[str, Any]]:
    return [
        {"id": f"0{random_text(source, longest)}", "text": random_text(source, source.choice([3, longest]))}
        for _ in range(count)
    ]


def file_of(operation: Operation, payload: Payload) -> bytes:
    return gzip.decompress(payload.data) if operation.gzipped else payload.data


def held(operation: Operation, payload: Payload) -> list[Any]:
    """Return the records of a request, read back."""
    if operation.is_csv:
        text = file_of(operation, payload).decode()
        return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]
    if operation.name == "delete" and not payload.data.startswith((b"{", b'"')):  # ids in the query
        return [{"id": unquote(one)} for one in payload.data.decode().split(",")]
    if operation.separator == b"\n":
        return [operation.decode(line) for line in payload.data.split(b"\n")]
    found = json.loads(b"[%b]" % payload.data)
    return found if isinstance(found[0], dict) else [{"id": one} for one in found]


def size_on_the_wire(operation: Operation, order: SubmitContext) -> int:
    """Return the bytes that the limit is about: those of the file, of the body, or of the query."""
    if operation.is_csv:
        return len(file_of(operation, order.payload))
    if operation.separator == b"\n":
        return len(order.payload.data)
    request = next(operation.submit(order))
    return len(request.path.partition("?")[2]) if request.body is None else len(request.body)


@contextmanager
def submitted(
    key: tuple[str, str, str], operation: Operation, options: dict[str, Any], records: list[Any]
) -> Iterator[list[tuple[Batch, SubmitContext]]]:
    """Prepare a submit as the operator does; yield its requests."""
    conn_type, kind, _ = key
    hook = HOOK_OF[conn_type]("mine")
    hook.account = make_account(hook.vendor, "https://vendor.example.com")
    open_job = str(uuid.UUID(int=7)) if operation.supports_append else None
    with Submission(hook, kind, operation, options, None) as submission:
        submission.prepare((Row(line, record) for line, record in enumerate(records, 1)), None)
        yield [
            (batch, SubmitContext(hook.account, batch.payload, options, open_job))
            for batch in submission.batcher.batches()
        ]


LONG_OPTIONS: dict[str, Any] = {
    "list_ids": [str(uuid.UUID(int=number)) for number in range(20)],
    "field_mappings": ["_rf2_T", None],
    "callback": {"url": f"https://example.com/{'x' * 500}", "params": [{"key": "é", "value": "€" * 99}]},
    "overwriteWithBlank": True,
    "exclude_automations": True,
    "ContactsListID": 57,
    "campaignId": "z5c",
    "programId": 1044,
    "programMemberStatus": "On List",
    "apiName": "vehicle_c",
    "sms_permission_to_send": "explicit",
    "module": "Contacts",
    "find_by": "email",
}


@each_operation
def test_every_request_stays_within_the_limits_and_no_record_is_lost(key: tuple[str, str, str]) -> None:
    for seed in range(8):
        source = random.Random(f"{key} {seed}")
        options = {
            option.name: LONG_OPTIONS[option.name] for option in OPERATIONS[key].options if option.name in LONG_OPTIONS
        }
        operation = replace(
            OPERATIONS[key],
            check=lambda _record: None,  # which fields a record needs is not the question here
            check_by_options=None,
            custom_fields=None,
            max_items=min(OPERATIONS[key].max_items, source.randrange(2, 40)),
            max_bytes=source.randrange(5000, 9000),
        )
        records = random_records(source, 60, 300)
        if key[:2] == ("constant_contact", "activities"):  # which take nothing but ids
            records = [{**one, "contact_id": one["id"]} for one in records]
        with submitted(key, operation, options, records) as requests:
            for batch, order in requests:
                assert 1 <= batch.items <= operation.max_items
                assert size_on_the_wire(operation, order) <= operation.max_bytes
            found = [record for batch, _ in requests for record in held(operation, batch.payload)]
            assert [{name: one[name] for name in one if name in {"id", "text"}} for one in found] == [
                {name: one[name] for name in found[0] if name in one} for one in records
            ]
            lines = [line for batch, _ in requests for line in range(batch.first, batch.last + 1)]
            assert lines == list(range(1, len(records) + 1))


@pytest.mark.parametrize(
    ("key", "max_bytes", "count", "length"),
    [
        (("activecampaign", "contacts", "import"), 399_999, 600, 3000),
        (("sendgrid", "contacts", "upsert"), 6_000_000, 2000, 6000),
        (("sendgrid", "contacts", "delete"), 4000, 500, 40),
    ],
)
def test_requests_at_the_vendors_own_limits(key: tuple[str, str, str], max_bytes: int, count: int, length: int) -> None:
    operation = replace(OPERATIONS[key], custom_fields=None)
    records = [{"id": number, "email": "a@b.c", "text": "é" * (length // 2)} for number in range(10**9, 10**9 + count)]
    with submitted(key, operation, {}, records) as requests:
        sizes = [size_on_the_wire(operation, order) for _, order in requests]
        assert sum(batch.items for batch, _ in requests) == count
    assert len(sizes) > 1
    assert max(sizes) <= max_bytes
    assert min(sizes[:-1]) > max_bytes - length - 500, "requests are filled as far as they can be"


def test_a_record_may_be_as_large_as_the_vendor_says(make: MakeSpool) -> None:
    batcher = make(max_item_bytes=SIZE)
    problems = fill(batcher, RECORD, {"a": "xy"}, RECORD)
    assert problems == [None, f"is {SIZE + 1} bytes when encoded, and a record may have at most {SIZE}", None]


def test_a_table_that_is_not_packed_goes_out_as_it_is(make: MakeSpool) -> None:
    batcher = make(TABLE, gzipped=False)
    fill(batcher, RECORD)
    [batch] = batcher.batches()
    assert batch.payload.data == b"a\r\nx\r\n"
    assert batch.payload.size == len(batch.payload.data)


def test_a_record_that_is_too_large_is_refused_with_its_line_before_anything_is_sent() -> None:
    key = ("activecampaign", "contacts", "import")
    records = [{"email": "ada@example.com"}, {"email": "bob@example.com", "phone": "x" * 400_000}]
    refused = pytest.raises(BadArgumentError, match=r"1 of 2 records .* nothing was sent: line 2 is \d+ bytes")
    with refused as caught, submitted(key, OPERATIONS[key], {}, records):
        pass
    assert "bob@" not in str(caught.value)


# --- values


CIRCLE: dict[str, Any] = {}
CIRCLE["again"] = CIRCLE
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]
NO_JSON: dict[str, Any] = {
    "a date": dt.date(2026, 3, 14),
    "a moment": dt.datetime(2026, 3, 14, tzinfo=dt.UTC),
    "a decimal": decimal.Decimal("1.5"),
    "bytes": b"ada@example.com",
    "a set": {"ada@example.com"},
    "a circle": CIRCLE,
    "a deep one": DEEP,
    "inside": [{"a": {"b": b"ada@example.com"}}],
    "a name inside": {("ada@example.com", 1): 2},
}


@pytest.mark.parametrize("kind", NO_JSON)
def test_value_that_json_cannot_hold_is_reported_by_field_and_type(make: MakeSpool, kind: str) -> None:
    value = NO_JSON[kind]
    batcher = make()
    before, problem, after = fill(batcher, RECORD, {"id": 1, "odd": value, "last": "x"}, RECORD)
    assert (before, after) == (None, None)
    assert problem == f"has a {type(value).__name__} in field 'odd' that JSON cannot represent: convert it first"
    assert bodies(batcher) == [b'{"a":"x"},{"a":"x"}']


def test_field_name_that_json_cannot_hold_is_reported(make: MakeSpool) -> None:
    assert fill(make(), {"id": 1, ("a", "b"): "ada@example.com"}) == [
        "has a field name that is a tuple, not text: rename the field"
    ]


def test_the_field_is_the_right_one_where_only_one_is_sent(make: MakeSpool) -> None:
    [problem] = fill(make(DELETE), {"email": "ada@example.com", "id": "\ud800"})
    assert problem
    assert "'id'" in problem
    assert "'email'" not in problem


@pytest.mark.parametrize(
    "value", ["é€😀", "\u2028", '"\\', "\x00", 10**30, -0.5, True, None, [], {"a": [1, {"b": None}]}]
)
def test_a_value_that_json_can_hold_arrives_as_it_was(make: MakeSpool, value: Any) -> None:
    batcher = make()
    assert fill(batcher, {"a": value}) == [None]
    assert json.loads(bodies(batcher)[0]) == {"a": value}


# --- tables


def table(batcher: Batcher) -> str:
    [body] = bodies(batcher)
    return gzip.decompress(body).decode()


def test_cells_stand_under_their_names(make: MakeSpool) -> None:
    batcher = make(TABLE)
    assert fill(batcher, {"email": "a", "name": "b"}, {"name": "d", "email": "c"}, {"email": "e"}) == [None] * 3
    assert table(batcher) == "email,name\r\na,b\r\nc,d\r\ne,\r\n"
    assert next(batcher.batches()).payload.columns == ("email", "name")


def test_the_columns_of_a_file_are_all_of_them_also_where_the_first_row_has_empty_cells(make: MakeSpool) -> None:
    batcher = make(TABLE)
    assert fill(batcher, {"email": "a"}, {"name": "b"}, columns=("email", "name")) == [None, None]
    assert table(batcher) == "email,name\r\na,\r\n,b\r\n"


def test_the_columns_are_not_those_of_a_record_that_was_left_out(make: MakeSpool) -> None:
    batcher = make(TABLE)
    refused, *taken = fill(batcher, {"odd": ["x"]}, {"email": "a"}, {"email": "b"})
    assert refused
    assert taken == [None, None]
    assert table(batcher) == "email\r\na\r\nb\r\n"


@pytest.mark.parametrize("value", [["ada@example.com"], {"a": "ada@example.com"}, b"ada@example.com", {1}, 1j], ids=str)
def test_value_that_csv_cannot_hold_is_reported_by_field_and_type(make: MakeSpool, value: Any) -> None:
    batcher = make(TABLE)
    problems = fill(batcher, {"email": "a"}, {"email": value}, {"email": "c"})
    assert problems == [None, f"has a {type(value).__name__} in field 'email', which a CSV cell cannot hold", None]


def test_surrogate_in_a_cell_is_reported_by_field(make: MakeSpool) -> None:
    problem = fill(make(TABLE), {"email": "a", "name": "b"}, {"email": "a", "name": "\ud800"})[1]
    assert problem
    assert "'name'" in problem


CELLS = ["", " ", ",", '"', '""', "a\nb", "a\r\nb", "\r", "é€😀", "=1+1", "\t", "\ufeff", "'"]


def test_cells_arrive_as_they_were(make: MakeSpool) -> None:
    batcher = make(TABLE, max_items=99)
    fill(batcher, *[{"first": cell, "last": cell} for cell in CELLS])
    rows = list(csv.reader(io.StringIO(table(batcher), newline=""), strict=True))
    assert rows == [["first", "last"], *([cell, cell] for cell in CELLS)]


def test_a_table_of_one_column_keeps_its_empty_cells(make: MakeSpool) -> None:
    batcher = make(TABLE)
    fill(batcher, {"email": "a"}, {"email": None}, {"email": "c"})
    assert list(csv.reader(io.StringIO(table(batcher)))) == [["email"], ["a"], [""], ["c"]]


def test_a_request_can_be_read_as_often_as_it_is_sent(make: MakeSpool) -> None:
    for operation in (JSON, TABLE):
        batcher = make(operation, max_items=1)
        fill(batcher, {"a": 1}, {"a": 2})
        first, second = (each.payload for each in batcher.batches())
        once = first.data, second.data
        assert (first.data, second.data) == once
        with second.open() as one, first.open() as other:
            assert (other.read(), one.read()) == once
        assert once[0] != once[1]


def fingerprint(make: MakeSpool, *records: Any, operation: Operation = JSON) -> str:
    batcher = make(operation)
    fill(batcher, *records)
    return batcher.fingerprint


@pytest.mark.parametrize("operation", [JSON, TABLE], ids=["JSON", "table"])
def test_fingerprint_depends_on_records_and_order(make: MakeSpool, operation: Operation) -> None:
    one, other = {"a": "1"}, {"a": "2"}
    known = fingerprint(make, one, other, operation=operation)
    assert fingerprint(make, one, other, operation=operation) == known
    different = [(one,), (other, one), (one, other, other), (one, {"a": "2", "b": ""}), ({"a": "1\n2"},)]
    assert known not in {fingerprint(make, *records, operation=operation) for records in different}


def test_fingerprint_of_a_table_depends_on_its_columns(make: MakeSpool) -> None:
    prints = {fingerprint(make, {name: "1"}, operation=TABLE) for name in ("email", "name")}
    assert len(prints) == 2


def test_the_space_is_given_back() -> None:
    batcher = Batcher(JSON, lambda _columns: 0)
    fill(batcher, RECORD)
    batcher.close()
    with pytest.raises(ValueError, match="closed"):
        bodies(batcher)
