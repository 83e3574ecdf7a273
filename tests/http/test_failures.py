# SPDX-License-Identifier: Apache-2.0
"""What the engine makes of failures with status 200, of codes in error bodies, and of a vendor's own rate headers."""

import json
from typing import Any, ClassVar

import pytest
import test_engine
from test_engine import GET, POST, TOKEN, World, response

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    JobNotFoundError,
    PermissionDeniedError,
    UnknownOutcomeError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.auth import Auth
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
from airflow_provider_bulkjobs.vendors.toolkit.auth import ClientCredentials

JOBS = RateLimit(("/jobs",), 10, seconds=1.0, pause=30.0)


class Crm(Vendor):
    """A vendor that reports nearly everything with status 200."""

    conn_type = "crm"
    label = "Crm"
    docs_url = "https://crm.example/docs"
    fields = (
        Field("host", "Host", "help"),
        Field("login", "Id", "help"),
        Field("password", "Secret", "help"),
        Field("partition", "Partition", "help", header="X-Partition"),
    )
    kinds = ()
    auth: ClassVar[Auth] = ClientCredentials(endpoint="/token")
    fixed_headers: ClassVar[dict[str, str]] = {"Version": "7"}
    errors = Errors(
        messages=(Message("errors", "code", "message"),),
        codes=("errors.code",),
        meaning={"601": 401, "603": 403, "606": 429, "607": 429, "611": 503, "1013": 404},
        failed=lambda body: isinstance(body, dict) and body.get("success") is False,
        pauses={"606": 20.0},
    )
    throttling = Throttling(headers=("x-crm-",), retry_after="wait", limits=(JOBS,))

    def check(self, account: Account) -> Flow[str]:
        """Request the limits."""
        return str((yield GET).json)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setitem(test_engine.VENDOR, "crm", Crm())
    world = World("crm", {"partition": "p-1"})
    world.exchange(GET, response(body=b'{"access_token": "t-1", "expires_in": 3600}'), response())
    world.sent.clear()
    return world


def failed(code: str, status: int = 200, **more: Any) -> Any:
    body = {"success": False, "errors": [{"code": code, "message": f"no {code}"}], **more}
    return response(status, json.dumps(body).encode())


def test_headers_of_fields_and_fixed_ones_are_sent(world: World) -> None:
    assert world.engine.headers == {"Authorization": "Bearer t-1", "Version": "7", "X-Partition": "p-1"}


def test_expired_token_is_refreshed_whatever_the_status(world: World) -> None:
    assert world.exchange(GET, failed("601"), TOKEN, response()).status == 200
    assert world.refreshed == 2


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("code", "error"),
    [("603", PermissionDeniedError), ("1013", JobNotFoundError), ("9", VendorAPIError)],
)
def test_code_decides_the_error(world: World, code: str, error: type[VendorAPIError], status: int) -> None:
    with pytest.raises(VendorAPIError, match=f"{code}: no {code}") as caught:
        world.exchange(POST, failed(code, status))
    assert type(caught.value) is error
    assert caught.value.status == status


def test_second_token_that_is_refused_is_final(world: World) -> None:
    with pytest.raises(AuthenticationError, match=r"rejected the request \(status 200\): 601: no 601"):
        world.exchange(GET, failed("601"), TOKEN, failed("601"))


@pytest.mark.parametrize(
    ("failure", "request_", "pause"),
    [
        (failed("606"), GET, 20),
        (failed("607"), GET, 1),
        (failed("607", wait="7 seconds"), GET, 7),
        (failed("606", wait=7), GET, 7),
        (failed("607"), Request("POST", "/jobs", idempotent=False), 30),
        (response(429, x_crm_reset="9"), GET, 9),
        (response(429, x_crm_reset="432 seconds"), GET, 432),
        (response(429, x_ratelimit_reset="9"), GET, 1),
        (response(429, retry_after="3", x_crm_reset="9"), GET, 3),
    ],
)
def test_rate_limit_pauses_for_what_the_vendor_says(
    world: World, failure: Any, request_: Request, pause: float
) -> None:
    assert world.exchange(request_, failure, response()).status == 200
    assert world.pauses == [pause]


def test_no_remaining_request_pauses_before_the_limit_is_hit(world: World) -> None:
    world.exchange(GET, response(x_crm_remaining="0", x_crm_reset="9"))
    assert world.pauses == [9]


def test_outage_with_status_200_leaves_the_outcome_of_a_submit_unknown(world: World) -> None:
    assert world.exchange(GET, failed("611"), response()).status == 200
    with pytest.raises(UnknownOutcomeError):
        world.exchange(POST, failed("611"))


def test_token_and_secret_are_removed_from_messages(world: World) -> None:
    body = b'{"success": false, "errors": [{"message": "token t-1 or secret key"}]}'
    world.engine._token = type(world.engine._token)("t-1-long", 100)
    with pytest.raises(VendorAPIError) as caught:
        world.exchange(GET, response(body=body.replace(b"t-1", b"t-1-long")), policy=RetryPolicy(max_attempts=1))
    assert "t-1-long" not in str(caught.value)
