# SPDX-License-Identifier: Apache-2.0
"""Keep queries of URLs out of urllib3's log lines, which have the path and query of every request at level DEBUG.

A query may hold a signature, an access token or the ids of people. Only requests of this package are affected: other
users of urllib3 in the same process keep their log lines as they are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry")
QUERY = re.compile(r"[?#][^\s\"'<>]*")

_action: ContextVar[Literal["cut", "drop"] | None] = ContextVar("bulkjobs_urllib3_log_lines", default=None)


def _filter(record: logging.LogRecord) -> bool:
    action = _action.get()
    if action == "cut":
        record.msg, record.args = QUERY.sub("", record.getMessage()), ()
        record.exc_info = record.exc_text = None  # an exception of urllib3 repeats the URL
    return action != "drop"


for _name in LOGGERS:
    logging.getLogger(_name).addFilter(_filter)


@contextmanager
def hide_queries() -> Iterator[None]:
    """Cut queries out of what urllib3 logs about the requests in this block."""
    token = _action.set("cut")
    try:
        yield
    finally:
        _action.reset(token)


@contextmanager
def hide_requests() -> Iterator[None]:
    """Drop what urllib3 logs about the requests in this block: all of a signed URL is as good as a key."""
    token = _action.set("drop")
    try:
        yield
    finally:
        _action.reset(token)
