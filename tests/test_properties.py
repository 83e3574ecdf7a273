# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for any input: batches, files, counts, retry and rate-limit arithmetic, redaction."""

import csv
import io
import json
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.http.pacing import Pace
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.batches import Batcher
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.vendors.spec.operation import ENCODER, Operation, encode_json

settings.register_profile("quick", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
RECORDS = st.lists(st.dictionaries(st.sampled_from("abcd"), PRINTABLE, min_size=1), max_size=40)
COUNTS = st.none() | st.integers(0, 20)
NAME = st.text(string.ascii_lowercase, min_size=1, max_size=12)


def never_submitted(_context: object) -> Any:
    raise AssertionError


@given(RECORDS, st.integers(1, 7), st.integers(40, 300))
def test_batches_have_all_records_in_order_within_the_limits(
    records: list[dict[str, str]], max_items: int, max_bytes: int
) -> None:
    operation = Operation("put", never_submitted, max_items, max_bytes=max_bytes)
    batcher = Batcher(operation, lambda _columns: 0)
    try:
        taken = [record for line, record in enumerate(records, 1) if batcher.add(line, record) is None]
        batcher.cut()
        batches = list(batcher.batches())
        payloads = [batch.payload.data for batch in batches]
    finally:
        batcher.close()
    assert [record for payload in payloads for record in json.loads(b"[%b]" % payload)] == taken
    assert all(len(payload) <= max_bytes for payload in payloads)
    assert all(1 <= batch.items <= max_items for batch in batches)
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))


def read(name: str, text: str) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(text.encode())
        return list(read_records(str(path)))


@given(st.lists(st.tuples(PRINTABLE, PRINTABLE), max_size=20))
def test_csv_rows_are_read_as_they_were_written(rows: list[tuple[str, str]]) -> None:
    assume(("email", "city") not in {(one.strip().lower(), other.strip().lower()) for one, other in rows})
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("email", "city"), *rows])
    found = read("records.csv", text.getvalue())
    assert [row.problem for row in found] == [None] * len(rows)
    written = [dict(zip(("email", "city"), row, strict=True)) for row in rows]
    assert [dict(row.record) for row in found] == [
        {name: cell for name, cell in record.items() if cell} for record in written
    ]


@given(st.lists(st.dictionaries(NAME, PRINTABLE | st.integers() | st.booleans() | st.none(), max_size=4), max_size=20))
def test_json_lines_are_read_as_they_were_written(records: list[dict[str, Any]]) -> None:
    found = read("records.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    assert [(row.line, row.record, row.problem) for row in found] == [
        (line, record, None) for line, record in enumerate(records, 1)
    ]


@given(st.sampled_from(JobState), COUNTS, COUNTS, COUNTS)
def test_counts_and_state_of_a_job_agree(
    state: JobState, total: int | None, succeeded: int | None, failed: int | None
) -> None:
    job = BulkJob("1", state, "word", total=total, succeeded=succeeded, failed=failed)
    assert not (job.state is JobState.SUCCEEDED and job.failed)
    if failed is not None:
        assert (job.failed or 0) >= failed
    if job.state in {JobState.SUCCEEDED, JobState.PARTIALLY_FAILED} and None not in (total, succeeded):
        assert (job.succeeded or 0) + (job.failed or 0) >= (total or 0)
    assert BulkJob.from_json(job.to_json()) == job


@given(st.integers(1, 60), st.floats(0, 1e4), st.floats(0.001, 100), st.floats(0.001, 1000))
def test_backoff_is_within_its_bounds(failures: int, retry_after: float, initial: float, maximum: float) -> None:
    policy = RetryPolicy(max_attempts=failures + 1, initial_delay=initial, max_delay=maximum, on_retry=lambda _: None)
    delay = policy.delay_before_retry(failures, TransientError("down", retry_after=retry_after))
    longest = min(initial * 2 ** (failures - 1), maximum)
    assert max(longest / 2, retry_after) <= delay <= max(longest, retry_after)


@given(st.floats(0.1, 100), st.lists(st.tuples(st.floats(0, 5), st.none() | st.floats(0, 10)), min_size=1, max_size=30))
def test_requests_keep_their_distance_and_wait_for_pauses(
    per_second: float, arrivals: list[tuple[float, float | None]]
) -> None:
    pace, now, last, paused_until = Pace(per_second), 100.0, None, 0.0
    for later, pause in arrivals:
        now += later
        sent = now + pace.wait(now)
        assert sent >= paused_until - 1e-6
        if last is not None:
            assert sent - last >= 1 / per_second - 1e-6
        pace.record(sent, now)
        last = now = sent
        if pause is not None:
            pace.pause(now, pause)
            paused_until = max(paused_until, now + pause)


@given(PRINTABLE, NAME, NAME, PRINTABLE)
@example("", "a", "b", "")
def test_no_address_survives_redaction(before: str, local: str, domain: str, after: str) -> None:
    address = f"{local}@{domain}.example"
    assert address not in redact(f"{before} {address} {after}")


@given(PRINTABLE, st.text(string.ascii_letters + string.digits, min_size=8, max_size=40), PRINTABLE)
def test_no_secret_survives_redaction(before: str, secret: str, after: str) -> None:
    assume(secret not in "e-mail address")
    assert secret not in redact(f"{before} {secret} {after}", [secret])


SCALARS = st.text() | st.integers() | st.booleans() | st.none() | st.floats() | st.text(st.characters())


@given(st.dictionaries(st.text(), SCALARS))
@example({"control": '\x00\x1f\x7f\u2028"\\/', "large": 2**64, "negative": -(2**70)})
@example({"surrogate": "\ud800"})
@example({"nan": float("nan")})
@example({"exponent": 1e16})
def test_records_are_encoded_as_the_standard_library_does(record: dict[str, Any]) -> None:
    try:
        expected = ENCODER.encode(record).encode()
    except ValueError as error:
        with pytest.raises(type(error)):
            encode_json(record)
    else:
        encoded = encode_json(record)
        assert json.loads(encoded) == record
        if not any(isinstance(value, float) for value in record.values()):  # 1e16 is written in two ways
            assert encoded == expected
