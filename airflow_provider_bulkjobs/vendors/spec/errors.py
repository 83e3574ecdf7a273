# SPDX-License-Identifier: Apache-2.0
"""How a vendor reports errors: messages, codes and their meaning, failures in successful responses, invalid items."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bulkjobs.exceptions import InvalidItem
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of, find, text_at


class Message:
    """Where an error response has messages.

    :param at: the path of the errors (see :func:`~.body_path.find`). A text at this path is itself a message.
    :param parts: the paths in each error that form its message, joined with a colon: ``"code", "message"``. With
        ``or``, the first one that is present counts: ``"detail or title"``.
    """

    __slots__ = ("at", "parts")

    def __init__(self, at: str, *parts: str) -> None:
        self.at = at
        self.parts = parts

    def read(self, body: Any) -> list[str]:
        """Return the messages in a body."""
        errors = find(body, self.at)
        texts = [one if isinstance(one, str) else ": ".join(filter(None, self._parts(one))) for one in errors]
        return [text for text in texts if text]

    def _parts(self, error: Any) -> list[str]:
        return [text_at(error, part) for part in self.parts] if isinstance(error, dict) else []


def read_messages(messages: Iterable[Message], body: Any) -> str | None:
    """Return all messages in a body, or in the result of an item, as one text; ``None`` if there are none."""
    return "; ".join(dict.fromkeys(text for message in messages for text in message.read(body))) or None


MINUTE, DAY = 60.0, 24 * 3600.0
LATE = 600.0  # seconds after 00:00 UTC, in which nobody uses up the quota of a day
OAUTH2_ERROR = Message("", "error", "error_description")  # RFC 6749, section 5.2


def until_utc_midnight(now: float) -> float:
    """Return the seconds until a minute after the next 00:00 UTC, when a daily quota starts again.

    The quota may start late, and clocks differ: right after 00:00, it is that of the day before.

    :param now: epoch seconds.
    """
    today = now % DAY
    return MINUTE + (0.0 if today < LATE else DAY - today)


@dataclass(frozen=True, slots=True)
class InvalidItems:
    """Where an error response names invalid items of the request, of which the vendor has then executed nothing.

    With ``skip_invalid``, the request is sent again without these items.

    :param at: the path of the errors.
    :param position: the path in each error of the text with the position.
    :param pattern: matches that text; its first group is the position from 0, its second one, if any, the field.
    :param message: the path in each error of its message; several with ``or``.
    """

    at: str
    position: str
    pattern: re.Pattern[str]
    message: str

    def read(self, body: Any) -> list[InvalidItem]:
        """Return the invalid items in a body."""
        found = [(error, self.pattern.match(text_at(error, self.position))) for error in find(body, self.at)]
        return [
            InvalidItem(int(match[1]), _field(match), text_at(error, self.message) or None)
            for error, match in found
            if match
        ]


def _field(match: re.Match[str]) -> str | None:
    name = match[2] if match.re.groups > 1 else None
    return name.replace("/", ".") if name else None


@dataclass(frozen=True, slots=True)
class Errors:
    """How a vendor reports errors.

    :param messages: where the messages are. All that are found are shown.
    :param codes: the paths of the vendor's error codes.
    :param meaning: the HTTP status that an error code (text), or another HTTP status (number), stands for:
        ``{"601": 401, "606": 429, 403: 401}``. The engine treats the response as one with that status: it refreshes
        the token at 401, waits at 429, and retries at 5xx.
    :param failed: whether a body is a failure although the status is 2xx. It stands for 400, unless its code has a
        meaning. The body is any JSON value but null, not only an object.
    :param pauses: the seconds to wait after an error code that stands for 429, if the response does not say; or a
        function of the time in epoch seconds that returns them, as :func:`until_utc_midnight`.
    :param hints: what an error code (text) means for the user, or what to do; or the HTTP status (number) of a response
        without JSON, which has no code. It follows the general advice.
    :param invalid_items: where invalid items are named.
    """

    messages: tuple[Message, ...]
    codes: tuple[str, ...] = ()
    meaning: Mapping[str | int, int] = field(default_factory=dict)
    failed: Callable[[Any], object] | None = None
    pauses: Mapping[str, float | Callable[[float], float]] = field(default_factory=dict)
    hints: Mapping[str | int, str] = field(default_factory=dict)
    invalid_items: InvalidItems | None = None

    def text(self, body: Any) -> str | None:
        """Return the messages in the body of an error response."""
        return read_messages(self.messages, body) or read_messages((OAUTH2_ERROR,), body)

    def status(self, response: Response) -> int:
        """Return the HTTP status that a response stands for."""
        status = response.status
        if 200 <= status < 300:
            body = body_of(response) if self.failed is not None else None
            if self.failed is None or body is None or not self.failed(body):
                return status
            return self._meaning_of_code(body, 400)
        other = self.meaning.get(status, status)
        return self._meaning_of_code(body_of(response), other) if self.codes else other

    def pause(self, response: Response, now: float) -> float | None:
        """Return the seconds to wait that the error code of a response has, if any.

        :param now: the vendor's time in epoch seconds.
        """
        if not self.pauses:
            return None
        codes = self._codes(body_of(response))
        pause = next((self.pauses[code] for code in codes if code in self.pauses), None)
        return pause(now) if callable(pause) else pause

    def hint(self, response: Response) -> str:
        """Return the hint for the error code of a response, or its status; empty if there is none."""
        if not self.hints:
            return ""
        body = body_of(response)
        if body is None:
            return self.hints.get(response.status, "")
        return next((self.hints[code] for code in self._codes(body) if code in self.hints), "")

    def _meaning_of_code(self, body: Any, otherwise: int) -> int:
        return next((self.meaning[code] for code in self._codes(body) if code in self.meaning), otherwise)

    def _codes(self, body: Any) -> list[str]:
        return [str(code) for path in self.codes for code in find(body, path)]
