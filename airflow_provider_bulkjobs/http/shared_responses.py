# SPDX-License-Identifier: Apache-2.0
"""Responses that all flows of an account may share while they are fresh."""

from __future__ import annotations

from airflow_provider_bulkjobs.protocol.flow import Request, Response

Key = tuple[str, tuple[tuple[str, str], ...]]


def key_of(request: Request) -> Key:
    """Return what identical requests have in common; they are all GETs of the same account."""
    return request.path, tuple(sorted(request.headers.items()))


class SharedResponses:
    """The latest responses to requests with a ``max_age``."""

    def __init__(self) -> None:
        self._responses: dict[Key, tuple[float, float, Response]] = {}  # with time and age at which they expire
        self._sent: dict[Key, float] = {}  # when requests that have no response yet were sent

    def get(self, request: Request, now: float) -> Response | None:
        """Return a response that is young enough for a request."""
        found = self._responses.get(key_of(request))
        return found[2] if found is not None and now - found[0] < request.max_age else None

    def record_send(self, request: Request, now: float) -> None:
        """Record that a request is sent now, and has waited for the rate limiter: its response is no older."""
        self._sent[key_of(request)] = now

    def put(self, request: Request, response: Response) -> None:
        """Keep the response to a request that was sent; forget those that have expired."""
        sent_at = self._sent.pop(key_of(request))
        kept = {key: each for key, each in self._responses.items() if sent_at - each[0] < each[1]}
        self._responses = {**kept, key_of(request): (sent_at, request.max_age, response)}

    def discard(self, response: Response) -> None:
        """Forget a response that was unusable, or in which a job was not found."""
        self._responses = {key: each for key, each in self._responses.items() if each[2] is not response}
