# SPDX-License-Identifier: Apache-2.0
"""Keeping count of the requests that come in."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

MAX_RECORDED = 10_000


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came in.

    :param path_qs: path and query, as sent.
    :param headers: with lower-case names.
    :param time: when, in seconds since 1970.
    """

    method: str
    path_qs: str
    headers: Mapping[str, str]
    time: float


class Traffic:
    """The requests to one vendor."""

    def __init__(self) -> None:
        self.requests: deque[RecordedRequest] = deque(maxlen=MAX_RECORDED)
        self.by_route: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.max_concurrent = 0
        self.max_per_second = 0
        self._concurrent = 0
        self._last_second: deque[float] = deque()

    @contextmanager
    def visit(self, request: web.Request, route: str) -> Iterator[None]:
        """Count a request, and that it is there for as long as the block lasts."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(RecordedRequest(request.method, request.path_qs, headers, time.time()))
        self.by_route[route] += 1
        now = time.monotonic()
        self._last_second.append(now)
        while now - self._last_second[0] >= 1:
            self._last_second.popleft()
        self.max_per_second = max(self.max_per_second, len(self._last_second))
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        try:
            yield
        finally:
            self._concurrent -= 1
