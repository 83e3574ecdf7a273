# SPDX-License-Identifier: Apache-2.0
"""A transport without a network: the engine with scripted responses.

It performs the engine's effects at once, so retries, tokens and idempotent requests are treated as in production, and
nothing waits.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from requests.structures import CaseInsensitiveDict
from vendors.fixture_loader import Answer, VendorSample
from vendors.scripted import HERE, make_account, raw_body

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.http.body import MAX_BODY
from airflow_provider_bulkjobs.http.engine import Engine, Refresh, Send, Share, Transfer
from airflow_provider_bulkjobs.http.responses import BASE_HEADERS, NetworkError, ResponseTooLargeError
from airflow_provider_bulkjobs.http.retry import NO_RETRY, RetryPolicy
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, Upload
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

HOST = "https://vendor.example.com/prefix"
FILES = "https://files.example.com"
QUICK = RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)


@dataclass(frozen=True)
class Sent:
    """A recorded request; the path is relative to the base URL, or the URL of an upload."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class InMemoryTransport:
    """Responds as scripted; ``breaks`` in a response is a connection that is lost after the request was sent.

    :param pauses: the seconds of each pause that the engine has requested from the rate limiter.
    """

    def __init__(self, vendor: Vendor, account: Account, answers: Iterable[Answer] = ()) -> None:
        self.answers = deque(answers)
        self.sent: list[Sent] = []
        self.pauses: list[float] = []
        self._engine = Engine(vendor, account, self, Metrics(vendor.conn_type))

    def try_acquire(self, _limit: RateLimit | None = None) -> bool:
        return True

    def release(self) -> None:
        """Do nothing: there is one request at a time."""

    def slow_down(self, _limit: RateLimit | None = None) -> None:
        """Keep the rate: there is no limit."""

    def pause(self, seconds: float, _limit: RateLimit | None = None) -> None:
        self.pauses.append(seconds)

    def run(self, start: Callable[[], Flow[Any]], policy: RetryPolicy) -> Any:
        return self._drive(self._engine.run(start, policy))

    def send(self, request: Request | Upload, policy: RetryPolicy) -> Response:
        response: Response = self._drive(self._engine.exchange(request, policy))
        return response

    def outcome(self, *starts: Callable[[], Flow[Any]], policy: RetryPolicy = NO_RETRY) -> Any:
        """Run flows; return the result of the last one, or the error."""
        try:
            return [self.run(start, policy) for start in starts][-1]
        except BulkJobError as error:
            return error

    @property
    def requests(self) -> list[tuple[str, str]]:
        return [(sent.method, sent.path) for sent in self.sent]

    def _drive(self, steps: Any) -> Any:
        try:
            effect = next(steps)
            while True:
                try:
                    outcome = self._perform(effect)
                except (NetworkError, ResponseTooLargeError, BulkJobError) as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration as end:
            return end.value
        finally:
            steps.close()

    def _perform(self, effect: Any) -> Response | None:
        match effect:
            case Send():
                request = effect.request
                body = urlencode(request.form).encode() if request.form else request.body or b""
                headers = {**BASE_HEADERS, **effect.headers, **request.headers}
                return self._respond(request.method, request.path, headers, body)
            case Transfer():
                with effect.upload.open() as file:
                    return self._respond("PUT", effect.upload.url, effect.upload.headers, file.read())
            case Share():
                response: Response = self._drive(self._engine.fetch(effect.request, effect.policy))
                return response
            case Refresh() if self._engine.is_refresh_due:
                self._drive(self._engine.refresh())
        return None

    def _respond(self, method: str, path: str, headers: Any, body: bytes) -> Response:
        self.sent.append(Sent(method, path, {name.lower(): value for name, value in headers.items()}, body))
        # An unexpected request gets a status that no fixture has, and is recorded.
        answer = self.answers.popleft() if self.answers else {"status": 418, "body": {}}
        if breaks := answer.get("breaks"):
            raise NetworkError(breaks, sent=breaks != "refused")
        raw = answer["body"] if isinstance(answer.get("body"), bytes) else raw_body(answer)
        raw = raw.replace(HERE.encode(), FILES.encode())
        if len(raw) > MAX_BODY:
            raise ResponseTooLargeError(MAX_BODY)
        return Response(answer.get("status", 200), CaseInsensitiveDict(answer.get("headers", {})), raw)


def play(of: VendorSample, *answers: Answer, host: str = HOST, **conn: Any) -> tuple[InMemoryTransport, Account]:
    """Return a transport with these responses, after those to the token request if the vendor needs a token."""
    account = make_account(of.vendor, host, **{**of.conn, **conn})
    return InMemoryTransport(of.vendor, account, [*of.token, *answers]), account
