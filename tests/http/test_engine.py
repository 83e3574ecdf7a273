# SPDX-License-Identifier: Apache-2.0
"""The engine's rules without a socket: which effects it yields, and what it makes of their outcomes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    BulkJobError,
    TransientError,
    UnknownOutcomeError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.engine import Acquire, Engine, Refresh, Send, Share, Sleep, Steps
from airflow_provider_bulkjobs.http.responses import DEFAULT_PAUSE, NetworkError, ResponseTooLargeError
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, Token
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

VENDOR = {vendor.conn_type: vendor for vendor in VENDORS}
QUIET = RetryPolicy(on_retry=lambda _: None)
GET = Request("GET", "/status")
POST = Request("POST", "/submit", idempotent=False)
UNSENT = NetworkError("connection refused", sent=False)
INTERRUPTED = NetworkError("RemoteDisconnected", sent=True)
ItemResult = Response | Exception


def response(status: int = 200, body: bytes = b"{}", **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def account_for(conn_type: str, **values: Any) -> Account:
    good = {"conn_id": "mine", "host": "https://here.example", "login": "bot", "password": "key", "extra": {}}
    return read_account(VENDOR[conn_type].fields, **{**good, **values})


@dataclass
class World:
    """A transport without I/O: it plays outcomes, and writes down what was done."""

    conn_type: str = "sendgrid"
    extra: dict[str, Any] = field(default_factory=dict)
    is_busy: bool = False
    now: float = 0.0

    def __post_init__(self) -> None:
        self.sent: list[Request] = []
        self.slept: list[float] = []
        self.pauses: list[float] = []
        self.paused_groups: list[RateLimit | None] = []
        self.slowed: list[RateLimit | None] = []
        self.acquired = self.released = self.queued = self.refreshed = 0
        account = account_for(self.conn_type, extra=self.extra)
        self.engine = Engine(VENDOR[self.conn_type], account, self, Metrics("test"), clock=lambda: self.now)

    def try_acquire(self, limit: RateLimit | None) -> bool:
        if not self.is_busy:
            self.acquired += 1
        return not self.is_busy

    def release(self) -> None:
        self.released += 1

    def pause(self, seconds: float, limit: RateLimit | None = None) -> None:
        self.pauses.append(seconds)
        self.paused_groups.append(limit)

    def slow_down(self, limit: RateLimit | None = None) -> None:
        self.slowed.append(limit)

    def drive(self, steps: Steps[Any], outcomes: Iterable[ItemResult]) -> Any:
        script = iter(outcomes)
        try:
            effect = next(steps)
            while True:
                outcome = self.perform(effect, script)
                effect = steps.throw(outcome) if isinstance(outcome, Exception) else steps.send(outcome)
        except StopIteration as finished:
            return finished.value

    def perform(self, effect: object, script: Any) -> ItemResult | None:
        match effect:
            case Send(request):
                self.sent.append(request)
                return next(script)
            case Sleep(seconds):
                self.slept.append(seconds)
            case Acquire(priority):
                self.queued += 1
                self.acquired += not priority
            case Share(request, policy):
                try:
                    return self.drive(self.engine.fetch(request, policy), script)
                except BulkJobError as error:
                    return error
            case Refresh():
                self.refreshed += 1
                self.drive(self.engine.refresh(), script)
        return None

    def exchange(self, request: Request, *outcomes: ItemResult, policy: RetryPolicy = QUIET) -> Response:
        return self.drive(self.engine.exchange(request, policy), outcomes)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("failure", [UNSENT, INTERRUPTED, response(500), response(503), response(408), response(429)])
def test_idempotent_request_is_retried_after_any_transient_failure(world: World, failure: ItemResult) -> None:
    assert world.exchange(GET, failure, response()).status == 200
    assert len(world.sent) == 2
    assert len(world.slept) == 1


WAIT = RetryPolicy(max_attempts=math.inf, max_outage=3600.0, on_retry=lambda _: None)


def outage(world: World, seconds: float) -> Iterator[ItemResult]:
    """Let time pass while the world sleeps, and the vendor be down for some of it."""
    while True:
        world.now = sum(world.slept)
        yield UNSENT if world.now < seconds else response()


def test_a_wait_survives_an_outage(world: World) -> None:
    assert world.drive(world.engine.exchange(GET, WAIT), outage(world, 3000)).status == 200
    assert len(world.slept) > 40


def test_a_wait_gives_up_after_its_time(world: World) -> None:
    with pytest.raises(VendorUnavailableError, match="for 60 minutes"):
        world.drive(world.engine.exchange(GET, WAIT), outage(world, math.inf))
    assert world.now == pytest.approx(3600)


def test_an_answer_starts_the_time_again(world: World) -> None:
    flows = (outage(world, 3000), outage(world, 6000))
    assert [world.drive(world.engine.exchange(GET, WAIT), flow).status for flow in flows] == [200, 200]


def in_time(world: World, failures: Iterable[ItemResult]) -> Iterator[ItemResult]:
    """Let time pass while the world sleeps; respond when the failures are over."""
    for failure in failures:
        world.now = sum(world.slept)
        yield failure
    yield response()


QUOTA = response(429, retry_after="7200")


@pytest.mark.parametrize("before", [[], [UNSENT] * 60], ids=["at once", "after an outage"])
def test_a_requested_pause_is_no_outage(world: World, before: list[ItemResult]) -> None:
    failures = [*before, QUOTA, response(429, retry_after="3"), response(503), QUOTA, UNSENT]
    assert world.drive(world.engine.exchange(GET, WAIT), in_time(world, failures)).status == 200
    assert world.slept.count(7200) == 2


def test_an_outage_after_a_requested_pause_has_its_full_time(world: World) -> None:
    with pytest.raises(VendorUnavailableError):
        world.drive(world.engine.exchange(GET, WAIT), in_time(world, [QUOTA, *[UNSENT] * 1000]))
    assert world.now == pytest.approx(7200 + 3600)


def test_short_pauses_are_an_outage(world: World) -> None:
    with pytest.raises(VendorUnavailableError, match="for 60 minutes"):
        world.drive(world.engine.exchange(GET, WAIT), in_time(world, [response(429, retry_after="60")] * 1000))


def test_requested_pauses_do_not_add_attempts(world: World) -> None:
    with pytest.raises(VendorUnavailableError, match="10 times in a row"):
        world.drive(world.engine.exchange(GET, QUIET), in_time(world, [QUOTA] * 1000))
    assert len(world.sent) == 10


@pytest.mark.parametrize(("status", "slowed"), [(429, [None]), (503, [])])
def test_only_too_many_requests_reduce_the_rate(world: World, status: int, slowed: list[None]) -> None:
    world.exchange(GET, response(status, retry_after="7"), response())
    assert (world.slowed, world.pauses) == (slowed, [7])


CERTAIN = {
    "no connection": UNSENT,
    "rate limited": response(429),
    "locked": response(423),
    "too early": response(425),
    "account being moved": response(477, retry_after="1"),
    "any refusal with Retry-After": response(403, retry_after="1"),
    "challenge": response(403, cf_mitigated="challenge"),
    "maintenance page": response(404, b"\n<!DOCTYPE html><title>Back soon</title>"),
}


@pytest.mark.parametrize("failure", CERTAIN.values(), ids=CERTAIN)
def test_non_idempotent_request_is_retried_where_it_was_certainly_not_executed(
    world: World, failure: ItemResult
) -> None:
    assert world.exchange(POST, failure, response()).status == 200
    assert len(world.sent) == 2


UNKNOWN = {
    "interrupted": INTERRUPTED,
    "server error": response(500),
    "unavailable": response(503, retry_after="1"),
    "request timeout": response(408),
    "redirect": response(303, location="/elsewhere"),
    "too large": ResponseTooLargeError(100),
}


@pytest.mark.parametrize("failure", UNKNOWN.values(), ids=UNKNOWN)
def test_non_idempotent_request_of_unknown_outcome_is_not_retried(world: World, failure: ItemResult) -> None:
    with pytest.raises(UnknownOutcomeError):
        world.exchange(POST, failure)
    assert len(world.sent) == 1


@pytest.mark.parametrize(
    ("failure", "error"),
    [(response(303), VendorAPIError), (ResponseTooLargeError(100), UntrustedResponseError)],
)
def test_redirect_and_large_response_of_an_idempotent_request_are_errors(
    world: World, failure: ItemResult, error: type[BulkJobError]
) -> None:
    with pytest.raises(error):
        world.exchange(GET, failure)
    assert len(world.sent) == 1


def test_rejected_certificate_names_the_reason(world: World) -> None:
    expired = NetworkError("", sent=False, certificate="certificate has expired")
    with pytest.raises(BadConnectionError, match=r"of here\.example was rejected: certificate has expired\."):
        world.exchange(POST, expired)


def test_unusable_response_restarts_the_flow_of_idempotent_requests(world: World) -> None:
    def flow() -> Any:
        return (yield GET).json

    assert world.drive(world.engine.run(flow, QUIET), [response(body=b"half"), response(body=b'{"a":1}')]) == {"a": 1}


def test_attempts_are_limited(world: World) -> None:
    with pytest.raises(VendorUnavailableError, match="3 times in a row"):
        world.exchange(GET, *[UNSENT] * 3, policy=RetryPolicy(max_attempts=3, on_retry=lambda _: None))
    assert len(world.slept) == 2


@pytest.mark.parametrize("headers", [{}, {"retry_after": "7"}])
def test_429_pauses_the_account_with_and_without_retry_after(world: World, headers: dict[str, str]) -> None:
    world.exchange(GET, response(429, **headers), response())
    assert world.pauses == [float(headers.get("retry_after", DEFAULT_PAUSE))]


def test_import_limit_of_activecampaign_pauses_for_a_minute() -> None:
    world = World("activecampaign")
    limit = response(400, b'{"Success": 0, "message": "Rate limit exceeded"}')
    world.exchange(Request("POST", "/api/3/import/bulk_import", idempotent=False), limit, response())
    assert world.pauses == [60]
    assert world.slept == [60]


def test_refused_key_is_final(world: World) -> None:
    with pytest.raises(AuthenticationError):
        world.exchange(GET, response(401))
    assert len(world.sent) == 1


TOKEN = response(body=b'{"access_token": "t-1", "expires_in": 100}')
OAUTH2 = {"auth_type": "oauth2"}


@pytest.fixture
def oauth() -> World:
    return World("acquia_campaign_studio", OAUTH2)


def test_token_is_refreshed_after_nine_tenths_of_its_lifetime(oauth: World) -> None:
    oauth.exchange(GET, TOKEN, response())
    oauth.now = 89.9
    oauth.exchange(GET, response())
    assert oauth.refreshed == 1
    oauth.now = 90.0
    oauth.exchange(GET, TOKEN, response())
    assert oauth.refreshed == 2


def test_token_that_expired_early_is_refreshed_once(oauth: World) -> None:
    oauth.exchange(GET, TOKEN, response())
    oauth.exchange(GET, response(401), TOKEN, response())
    assert oauth.refreshed == 2
    with pytest.raises(AuthenticationError):
        oauth.exchange(GET, response(401), TOKEN, response(401))


def test_new_token_that_is_refused_is_final(oauth: World) -> None:
    with pytest.raises(AuthenticationError):
        oauth.exchange(GET, TOKEN, response(401))
    assert oauth.refreshed == 1


def test_token_that_was_about_to_expire_is_replaced_once(oauth: World) -> None:
    last_second = response(body=b'{"access_token": "t-1", "expires_in": 1}')
    oauth.exchange(GET, last_second, response(401), TOKEN, response())
    assert oauth.refreshed == 2
    oauth.now = 90.0
    with pytest.raises(AuthenticationError):
        oauth.exchange(GET, last_second, response(401), last_second, response(401))


def test_flow_of_a_token_may_say_why_it_is_refused(oauth: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def token_flow(_account: Account) -> Iterator[Request]:
        try:
            yield Request("POST", "/token", authorized=False)
        except AuthenticationError as error:
            raise error.reworded(error.message, hint="Enter another refresh token.") from None

    monkeypatch.setattr(VENDOR["acquia_campaign_studio"], "token_flow", token_flow)
    with pytest.raises(AuthenticationError, match=r"returned 400 .*\. Enter another refresh token\."):
        oauth.exchange(GET, response(400))
    assert len(oauth.sent) == 1


def test_interrupted_sign_in_continues(oauth: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def token_flow(_account: Account) -> Flow[Token]:
        body = (yield Request("POST", "/token", authorized=False)).json
        yield Request("GET", "/id", authorized=False)
        return Token(body["access_token"], 100.0)

    monkeypatch.setattr(VENDOR["acquia_campaign_studio"], "token_flow", token_flow)
    with pytest.raises(TransientError):
        oauth.exchange(GET, TOKEN, response(503))
    oauth.now = 80.0
    oauth.exchange(GET, response(), response())
    assert [request.path for request in oauth.sent] == ["/token", "/id", "/id", "/status"]
    oauth.now = 95.0  # the lifetime of the token counts from the first request
    with pytest.raises(AuthenticationError):
        oauth.exchange(GET, TOKEN, response(401))
    oauth.exchange(GET, TOKEN, response(), response())  # a refused sign-in starts again
    assert [request.path for request in oauth.sent[4:]] == ["/token", "/id", "/token", "/id", "/status"]


def test_interrupted_sign_in_that_is_too_old_starts_again(oauth: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def token_flow(_account: Account) -> Flow[Token]:
        yield Request("POST", "/token", authorized=False)
        yield Request("GET", "/id", authorized=False)
        return Token("t", 100.0)

    monkeypatch.setattr(VENDOR["acquia_campaign_studio"], "token_flow", token_flow)
    with pytest.raises(TransientError):
        oauth.exchange(GET, TOKEN, response(503))
    with pytest.raises(TransientError, match="401"):  # the token that was kept may have expired
        oauth.exchange(GET, response(401))
    oauth.exchange(GET, TOKEN, response(), response())
    assert [request.path for request in oauth.sent] == ["/token", "/id", "/id", "/token", "/id", "/status"]


def test_token_that_expires_in_the_queue_is_refreshed_before_the_request(oauth: World) -> None:
    oauth.exchange(GET, TOKEN, response())
    oauth.is_busy = True
    steps = oauth.engine.exchange(GET, QUIET)
    assert next(steps) == Acquire()
    oauth.now = 95.0
    assert isinstance(steps.send(None), Refresh)
    steps.close()
    assert oauth.released == 2


def test_rate_limiter_is_released_whatever_happens(world: World) -> None:
    world.exchange(GET, UNSENT, response(500), response())
    with pytest.raises(UnknownOutcomeError):
        world.exchange(POST, INTERRUPTED)
    assert world.acquired == world.released == 4


def test_non_idempotent_request_is_announced_right_before_it_is_sent(world: World) -> None:
    sent_before: list[int] = []
    policy = RetryPolicy(on_retry=lambda _: None, before_send=lambda: sent_before.append(len(world.sent)))
    world.exchange(GET, response(), policy=policy)
    world.exchange(POST, UNSENT, response(), policy=policy)
    assert sent_before == [1, 2]
