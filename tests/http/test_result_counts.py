# SPDX-License-Identifier: Apache-2.0
"""Results are compared with the counts of their job: no row for failed items is no success."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from raw_server import Exchange, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import VendorAPIError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.results.item_results import iter_item_results

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
TWO_ROWS = b"email,error\na,bad\nb,bad\n"
FILE = "{here}/file.csv"


@pytest.fixture
def read() -> Callable[..., tuple[int, int]]:
    """Read results with these answers of the vendor, and this file; return the number of rows and of requests."""

    def rows(conn_type: str, kind: str | None, answers: list[Any], file: bytes = b"") -> tuple[int, int]:
        left = list(answers)

        def answer(exchange: Exchange) -> None:
            if "file.csv" in exchange.line or "/download/" in exchange.line:
                exchange.send(http_answer(file))
            else:
                body = left.pop(0)
                text = body if isinstance(body, str) else json.dumps(body).replace("{here}", raw.url)
                exchange.send(http_answer(text.encode()))

        hook = HOOK_OF[conn_type]("mine")
        policy = RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)
        with raw_server(answer) as raw:
            values = {"host": raw.url, "conn_id": "mine", "login": "bot", "password": "secret"}
            hook.account = read_account(hook.vendor.fields, **values, extra={"requests_per_second": 0})
            found = list(iter_item_results(hook, hook.job_kind(kind), "7", 10**6, policy))
            hook.transport.close()
            return len(found), len(raw.lines)

    return rows


def imported(status: str, url: str | None = None, **counts: int) -> dict[str, Any]:
    return {"status": status, "results": {**counts, **({"errors_url": url} if url else {})}}


def klaviyo(**counts: int | None) -> dict[str, Any]:
    return {"data": {"attributes": {"status": "complete", **counts}}}


def brevo(url: str) -> dict[str, Any]:
    return {"id": 7, "status": "completed", "info": {"import": {"invalid_emails": url}}}


# Its status needs a second request, so the first response of the results does not have all counts.
TOKEN = {"access_token": "t", "instance_url": "{here}"}
SALESFORCE = [{"id": "7", "state": "JobComplete", "numberRecordsProcessed": 3, "numberRecordsFailed": 2}]


@pytest.mark.parametrize(
    ("conn_type", "kind", "answers", "file"),
    [
        ("sendgrid", None, [imported("errored")], b""),
        ("sendgrid", None, [imported("errored", FILE, errored_count=2)], b""),
        ("sendgrid", None, [imported("completed", FILE, errored_count=2)], b""),
        ("sendgrid", None, [imported("failed", FILE, errored_count=2)], b""),
        ("sendgrid", None, [imported("errored", FILE, errored_count=2)], b"email,error\n"),
        ("sendgrid", None, [imported("errored", FILE)], b"email,error\n"),
        ("sendgrid", "export", [{"status": "ready", "contact_count": 2, "urls": [FILE]}], b"email\n"),
        ("klaviyo", None, [klaviyo(total_count=3, completed_count=1, failed_count=None), {"data": []}], b""),
        ("brevo", None, [brevo(FILE), {"processes": [{"id": 7, "status": "completed"}]}, brevo(FILE)], b"EMAIL\n"),
        ("salesforce_bulk", None, [TOKEN, *SALESFORCE, "sf__Id\n1\n", "sf__Id,sf__Error\n", "", *SALESFORCE, ""], b""),
    ],
)
def test_no_row_for_items_that_are_counted_is_an_error(
    read: Any, conn_type: str, kind: str | None, answers: list[Any], file: bytes
) -> None:
    with pytest.raises(VendorAPIError, match=r"lists no .*item of job 7, although there are (2 of them|some)"):
        read(conn_type, kind, answers, file)


@pytest.mark.parametrize(
    ("conn_type", "kind", "answers", "file", "expected"),
    [
        ("sendgrid", None, [imported("completed", requested_count=5, errored_count=0)], b"", 0),
        ("sendgrid", None, [imported("completed", FILE)], b"", 0),
        ("sendgrid", None, [imported("errored", FILE, errored_count=2)], TWO_ROWS, 2),
        ("sendgrid", None, [imported("errored", FILE)], TWO_ROWS, 2),
        ("sendgrid", "export", [{"status": "ready", "contact_count": 0, "urls": [FILE]}], b"email\n", 0),
        ("klaviyo", None, [klaviyo(total_count=3, completed_count=3, failed_count=0), {"data": []}], b"", 0),
        ("intercom", "export", [{"status": "completed"}], b"", 0),
        ("intercom", "export", [{"status": "no_data"}], b"", 0),
    ],
)
def test_results_that_fit_the_counts_are_taken(
    read: Any, conn_type: str, kind: str | None, answers: list[Any], file: bytes, expected: int
) -> None:
    rows, requests = read(conn_type, kind, answers, file)
    assert rows == expected
    assert requests == len(answers) + ("file" in str(answers) or answers == [{"status": "completed"}])


def test_fewer_rows_than_failed_items_are_reported(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Mock()
    monkeypatch.setattr(HOOK_OF["sendgrid"], "log", log)
    assert read("sendgrid", None, [imported("errored", FILE, errored_count=5)], TWO_ROWS)[0] == 2
    words, *values = log.warning.call_args.args
    assert (words % tuple(values)) == "Twilio SendGrid counts 5 failed items of job 7 and lists 2 of them"
