# SPDX-License-Identifier: Apache-2.0
"""Numbers and times that no honest vendor or user gives: none of them may break what is waiting."""

import json

import pytest
from requests.structures import CaseInsensitiveDict

from airflow_provider_bulkjobs.arguments import read_expected_items
from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.http.responses import parse_retry_after
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

LONG = "9" * 5000  # longer than what int() takes


@pytest.mark.parametrize("read", [count, utc_time])
def test_digits_without_end(read):
    assert read(LONG) is None


def test_expected_items_without_end():
    with pytest.raises(BadArgumentError, match="expected_items"):
        read_expected_items(LONG)


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_times_at_the_ends_of_time(value):
    assert utc_time(value) is None


def test_an_interval_is_no_time():
    assert utc_time("P1D/2026-03-14") is None


@pytest.mark.parametrize("value", ["now", "12:00", "12:00:00"])
def test_no_time_is_made_up(value):
    assert utc_time(value) is None


@pytest.mark.parametrize("value", ["2026-13-45", "T", "--03-14", "2026-366", "1e9", " 2026-03-14", "\ud800", "2" * 99])
def test_other_texts_that_are_no_time(value):
    assert utc_time(value) is None


@pytest.mark.parametrize("header", ["Retry-After", "Date"])
def test_a_date_with_an_hour_without_end(header):
    date = "Mon, 01 Jan 2026 99999999999:00:00 GMT"
    headers = {"Retry-After": "Mon, 01 Jan 2035 00:00:00 GMT", header: date}
    assert parse_retry_after(Response(429, CaseInsensitiveDict(headers), b"")) is None or header == "Date"


@pytest.mark.parametrize("date", ["", " ", ",", "Mon,", "1 1 1 1", "Mon, 01 Jan 99999 00:00:00 GMT", LONG])
def test_other_dates_that_are_none(date):
    assert parse_retry_after(Response(429, CaseInsensitiveDict({"Retry-After": f"x{date}"}), b"")) is None


def result_of(**numbers):
    job = BulkJob("a", JobState.PARTIALLY_FAILED, "errored", **{name: count(n) for name, n in numbers.items()})
    return summarize(vendor="sendgrid", conn_id="mine", job_kind="contacts", jobs=[job])


def test_the_result_stays_small_whatever_the_numbers():
    assert len(json.dumps(result_of(total=10**4200, failed=1)).encode()) < 4096


def test_the_gate_judges_whatever_the_numbers():
    assert not judge(result_of(total=1, failed=10**400), 0.5).passed
