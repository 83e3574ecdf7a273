# SPDX-License-Identifier: Apache-2.0
"""Errors of requests that no server can cause."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from driving import QUICK, VENDOR_OF

from airflow_provider_bulkjobs.exceptions import (
    TransientError,
)
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.simulator import SENDGRID_KEY
from airflow_provider_bulkjobs.vendors.spec.fields import Account

MakeAccount = Callable[..., Account]


def get() -> Flow[dict[str, Any]]:
    response = yield Request("GET", "/v3/scopes")
    return response.json


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectTimeout,
        requests.exceptions.ReadTimeout,
        requests.exceptions.ProxyError,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        requests.exceptions.SSLError,
    ],
)
def test_network_errors_of_requests_are_transient(
    requests_mock: Any, account: MakeAccount, error: type[Exception]
) -> None:
    requests_mock.get(
        "https://vendor.invalid/v3/scopes", [{"exc": error(SENDGRID_KEY)}, {"text": json.dumps({"a": 1})}]
    )
    transport = RequestsTransport(VENDOR_OF["sendgrid"], account(host="https://vendor.invalid"))
    reports: list[str] = []
    assert transport.run(get, RetryPolicy(initial_delay=0.001, on_retry=reports.append)) == {"a": 1}
    transport.close()
    assert len(reports) == 1
    assert SENDGRID_KEY not in reports[0]


def test_restarted_flow_starts_from_scratch(requests_mock: Any, account: MakeAccount) -> None:
    def flow() -> Flow[int]:
        first = yield Request("GET", "/first")
        second = yield Request("GET", "/second")
        if second.json["number"] != first.json["number"]:
            raise TransientError("they do not belong together")
        return int(second.json["number"])

    requests_mock.get("https://vendor.invalid/first", [{"json": {"number": 1}}, {"json": {"number": 2}}])
    requests_mock.get("https://vendor.invalid/second", json={"number": 2})
    transport = RequestsTransport(VENDOR_OF["sendgrid"], account(host="https://vendor.invalid"))
    assert transport.run(flow, QUICK) == 2
    transport.close()
    assert requests_mock.call_count == 4
