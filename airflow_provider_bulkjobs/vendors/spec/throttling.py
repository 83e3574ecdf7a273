# SPDX-License-Identifier: Apache-2.0
"""What a vendor publishes about its rate limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of, text_at

RATE_HEADERS = ("x-ratelimit-", "ratelimit-")
SECONDS = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(?:s|secs?|seconds?)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The rate limit of a group of endpoints, which applies in addition to that of the account.

    :param paths: the beginnings of the paths in the group.
    :param requests: how many requests are allowed per ``seconds``.
    :param method: the only method in the group; empty for all.
    :param burst: how many requests may be sent at once.
    :param pause: the seconds to wait after "too many requests", if the response does not say.
    """

    paths: tuple[str, ...]
    requests: float
    seconds: float
    method: str = ""
    burst: int = 1
    pause: float | None = None

    def applies_to(self, request: Request) -> bool:
        """Return whether a request belongs to the group."""
        return request.path.startswith(self.paths) and self.method in {"", request.method}


@dataclass(frozen=True, slots=True)
class Throttling:
    """How a vendor limits the rate of requests, in addition to ``Retry-After``, which always counts.

    :param headers: the prefixes of the headers ``…remaining`` and ``…reset``. The reset may be a timestamp, or the
        remaining seconds, also with their unit (``432 seconds``).
    :param retry_after: where the body has the seconds to wait: a path (several with ``or``), or a function of the body.
    :param limits: the rate limits of groups of endpoints; a request belongs to the first one that applies.
    """

    headers: tuple[str, ...] = RATE_HEADERS
    retry_after: str | Callable[[Any], float | None] = ""
    limits: tuple[RateLimit, ...] = ()

    def pause(self, response: Response) -> float | None:
        """Return the seconds to wait that the body of a response has, if any."""
        if not self.retry_after:
            return None
        body = body_of(response)
        if callable(self.retry_after):
            return self.retry_after(body)
        return parse_seconds(text_at(body, self.retry_after))


def parse_seconds(text: str) -> float | None:
    """Return a number of seconds, which may have its unit: ``7``, ``7.5``, ``600s``, ``432 seconds``."""
    found = SECONDS.fullmatch(text.strip())
    return float(found[1]) if found else None
