# SPDX-License-Identifier: Apache-2.0
"""Records and counts of the received requests."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

MAX_RECORDED = 10_000


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A received request.

    :param path_qs: the path and the query, as sent.
    :param headers: the headers, with lower-case names.
    :param time: the time of arrival, in epoch seconds.
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
    def record(self, request: web.Request, route: str) -> Iterator[None]:
        """Record a request, and count it as concurrent inside the block."""
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

    def as_json(self) -> dict[str, Any]:
        """Return the counts for the control API."""
        return {
            "requests": dict(self.by_route),
            "total_requests": sum(self.by_route.values()),
            "statuses": dict(self.statuses),
            "max_concurrent": self.max_concurrent,
            "max_per_second": self.max_per_second,
        }
