# SPDX-License-Identifier: Apache-2.0
"""The file storage of the vendors: signed URLs on what counts as another host, which rejects any other credential."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from aiohttp import web

from airflow_provider_bulkjobs.simulator.incoming import RefusedError

UPLOADS, DOWNLOADS = "uploads", "downloads"
SIGNATURE = "X-Amz-Signature"
RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})", re.ASCII)


def csv_response(header: Sequence[str], lines: Iterable[Sequence[str]]) -> web.Response:
    """Return a response with a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *lines])
    return web.Response(text=text.getvalue(), content_type="text/csv")


def in_range(response: web.Response, wanted: str) -> web.Response:
    """Return the piece of a file that a request asks for with its Range header; the whole file without one."""
    found, data = RANGE.fullmatch(wanted), response.body
    if found is None or response.status != 200 or not isinstance(data, bytes):
        return response
    first, last = int(found[1]), min(int(found[2]), len(data) - 1)
    if first > last:
        raise storage_error(416, "InvalidRange", "The requested range cannot be satisfied.")
    headers = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
    return web.Response(status=206, body=data[first : last + 1], headers=headers, content_type=response.content_type)


def storage_error(status: int, code: str, message: str) -> RefusedError:
    """Return an error in the format of the storage."""
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return RefusedError(web.Response(status=status, text=text, content_type="application/xml"))
