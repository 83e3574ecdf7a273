# SPDX-License-Identifier: Apache-2.0
"""The file storage of the vendors: signed URLs on what counts as another host, which rejects any other credential."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from aiohttp import web

from airflow_provider_bulkjobs.simulator.incoming import RefusedError

UPLOADS, DOWNLOADS = "uploads", "downloads"
SIGNATURE = "X-Amz-Signature"


def csv_response(header: Sequence[str], lines: Iterable[Sequence[str]]) -> web.Response:
    """Return a response with a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *lines])
    return web.Response(text=text.getvalue(), content_type="text/csv")


def storage_error(status: int, code: str, message: str) -> RefusedError:
    """Return an error in the format of the storage."""
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return RefusedError(web.Response(status=status, text=text, content_type="application/xml"))
