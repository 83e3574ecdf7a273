# SPDX-License-Identifier: Apache-2.0
"""What error responses mean: messages, codes, failures with status 200, positions, pauses."""

import json
import re
from datetime import datetime
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import InvalidItem
from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.body_path import find, text_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, InvalidItems, Message, until_utc_midnight
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling, parse_seconds
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
from airflow_provider_bulkjobs.vendors.toolkit.errors import graphql_cost_pause, graphql_failed


def response(body: Any, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("", [{"a": [{"b": 1}, {"b": [2, 3]}, 4], "c": {"x": {"b": 5}, "y": {"b": 6}}}]),
        ("a.b", [1, 2, 3]),
        ("c.*.b", [5, 6]),
        ("a.b.c", []),
        ("missing", []),
    ],
)
def test_values_at_a_path(path: str, values: list[Any]) -> None:
    assert find({"a": [{"b": 1}, {"b": [2, 3]}, 4], "c": {"x": {"b": 5}, "y": {"b": 6}}}, path) == values


def test_text_at_the_first_path_that_has_one() -> None:
    assert text_at({"detail": "", "title": "T"}, "detail or title") == "T"
    assert text_at({"code": 7}, "code") == "7"
    assert text_at({"code": True}, "code") == ""


@pytest.mark.parametrize(
    ("message", "body", "text"),
    [
        (
            Message("errors", "code", "message"),
            {"errors": [{"code": "a", "message": "b"}, {"message": "c"}]},
            "a: b; c",
        ),
        (Message("errors", "detail or title"), {"errors": {"title": "t"}}, "t"),
        (Message("errors", "message"), {"errors": "plain"}, "plain"),
        (Message("", "errorCode", "message"), [{"errorCode": "X", "message": "m"}], "X: m"),
        (Message("", "error.message"), {"error": {"message": "deep"}}, "deep"),
        (Message("", "message"), "Not authenticated.", "Not authenticated."),
        (Message("errors"), {"error": "invalid_grant", "error_description": "d"}, "invalid_grant: d"),
        (Message("errors", "message"), {"errors": [None, 1, {"message": None}, {"message": {}}]}, None),
        (Message("errors", "message"), None, None),
    ],
)
def test_message_is_read_by_its_path(message: Message, body: Any, text: str | None) -> None:
    assert Errors((message,)).text(body) == text


MARKETO = Errors(
    messages=(Message("errors", "code", "message"),),
    codes=("errors.code",),
    meaning={"601": 401, "606": 429, "607": 429, "611": 503, 403: 401},
    failed=lambda body: False in find(body, "success"),
    pauses={"606": 20.0},
)


@pytest.mark.parametrize(
    ("body", "status", "meaning"),
    [
        ({"success": True, "errors": [{"code": "601"}]}, 200, 200),
        ({"success": False, "errors": [{"code": "601"}]}, 200, 401),
        ({"success": False, "errors": [{"code": 606}]}, 200, 429),
        ({"success": False, "errors": [{"code": "9"}]}, 200, 400),
        ({"success": False}, 200, 400),
        ({"errors": [{"code": "611"}]}, 400, 503),
        ({"errors": [{"code": "9"}]}, 400, 400),
        ({}, 403, 401),
        (b"<html>", 403, 401),
        (b"<html>", 200, 200),
        ([], 200, 200),
        ("x", 500, 500),
    ],
)
def test_code_counts_more_than_the_status(body: Any, status: int, meaning: int) -> None:
    assert MARKETO.status(response(body, status)) == meaning


def test_list_and_text_bodies_can_fail_too() -> None:
    errors = Errors((), codes=("",), meaning={"Not authenticated.": 401}, failed=lambda body: isinstance(body, str))
    assert errors.status(response("Not authenticated.")) == 401
    errors = Errors((), codes=("errorCode",), meaning={"REQUEST_LIMIT_EXCEEDED": 429})
    assert errors.status(response([{"errorCode": "REQUEST_LIMIT_EXCEEDED"}], 403)) == 429


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_no_body_breaks_the_status(vendor: Vendor) -> None:
    for body in (b"", b"<html>", b"null", b"{}", b"[]", b"[null]", b'"text"', b"3", b"false"):
        assert vendor.status_of(response(body)) == 200, body
        assert 400 <= vendor.status_of(response(body, 403)) < 500, body


def test_body_that_is_not_json_is_no_failure() -> None:
    assert Errors((), failed=lambda body: body["success"] is False).status(response(b"")) == 200


def test_code_has_its_own_pause() -> None:
    assert MARKETO.pause(response({"success": False, "errors": [{"code": "606"}]}), 0.0) == 20
    assert MARKETO.pause(response({"success": False, "errors": [{"code": "607"}]}), 0.0) is None


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2026-03-14T23:59:50+00:00", 70),
        ("2026-03-14T12:00:00+00:00", 43_260),
        ("2026-03-15T00:00:00+00:00", 60),  # it starts late
        ("2026-03-15T00:10:00+00:00", 85_860),
    ],
)
def test_daily_quota_pauses_until_midnight(now: str, seconds: float) -> None:
    errors = Errors((), codes=("key",), pauses={"quota": until_utc_midnight})
    assert errors.pause(response({"key": "quota"}, 429), datetime.fromisoformat(now).timestamp()) == seconds


@pytest.mark.parametrize(
    ("body", "hint"),
    [({"key": "quota"}, "Tomorrow."), ([{"key": "quota"}], "Tomorrow."), ({"key": "x"}, ""), (b"", "")],
)
def test_code_has_its_own_hint(body: Any, hint: str) -> None:
    assert Errors((), codes=("key",), hints={"quota": "Tomorrow."}).hint(response(body, 429)) == hint


def test_invalid_items_are_read_by_path() -> None:
    items = InvalidItems("details", "item", re.compile(r"contacts\[(\d+)\](?:\.(.+))?"), "description or error")
    body = {"details": [{"item": "contacts[3].a/b", "error": "bad"}, {"item": "contacts[4]"}, {"item": "x"}, None]}
    assert items.read(body) == [InvalidItem(3, "a.b", "bad"), InvalidItem(4, None, None)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("7.5", 7.5), ("432 seconds", 432), ("1 second", 1), ("600s", 600), ("", None), ("soon", None)],
)
def test_seconds_may_have_their_unit(text: str, seconds: float | None) -> None:
    assert parse_seconds(text) == seconds


def test_pause_may_be_in_the_body() -> None:
    throttling = Throttling(retry_after="retryAfter or context.timeToReset")
    assert throttling.pause(response({"context": {"timeToReset": "100 seconds"}}, 429)) == 100
    assert throttling.pause(response({"retryAfter": 3}, 429)) == 3
    assert throttling.pause(response(b"busy", 429)) is None


def throttled(requested: Any, available: float, rate: float) -> dict[str, Any]:
    status = {"currentlyAvailable": available, "restoreRate": rate}
    return {"errors": [{}], "extensions": {"cost": {"requestedQueryCost": requested, "throttleStatus": status}}}


def test_graphql_waits_for_the_cost_of_the_query() -> None:
    assert graphql_cost_pause(throttled(752, 652, 50)) == 2
    assert graphql_cost_pause(throttled(1, 652, 50)) is None
    assert graphql_cost_pause(throttled(None, 652, 50)) is None
    assert graphql_cost_pause(throttled(752, 652, 0)) is None


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        ({"errors": [{"message": "m"}]}, True),
        ({"errors": "text"}, True),
        ({"data": {"run": {"userErrors": [{"message": "m"}]}}}, True),
        ({"data": {"run": {"userErrors": []}}}, False),
        ({"data": {"run": {"userErrors": None}}, "errors": None}, False),
        ({"data": None}, False),
        ([], False),
    ],
)
def test_graphql_fails_with_errors_of_either_kind(body: Any, failed: bool) -> None:
    assert graphql_failed(body) is failed


def test_group_is_chosen_by_path_and_method() -> None:
    limit = RateLimit(("/v3/processes", "/v3/batches"), 100, 3600, method="GET")
    assert limit.applies_to(Request("GET", "/v3/batches/1"))
    assert not limit.applies_to(Request("POST", "/v3/processes"))
    assert not limit.applies_to(Request("GET", "/v3/contacts"))
