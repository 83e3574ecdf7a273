# SPDX-License-Identifier: Apache-2.0
"""Remove URL queries from urllib3's log lines, which contain the path and query of every request at level DEBUG.

A query may contain a signature, an access token or ids of contacts. Only requests of this package are affected: log
lines of other urllib3 users in the same process are unchanged.
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
    """Remove queries from urllib3's log lines about the requests in this block."""
    token = _action.set("cut")
    try:
        yield
    finally:
        _action.reset(token)


@contextmanager
def hide_requests() -> Iterator[None]:
    """Drop urllib3's log lines about the requests in this block: a signed URL is a credential."""
    token = _action.set("drop")
    try:
        yield
    finally:
        _action.reset(token)
