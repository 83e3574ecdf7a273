# SPDX-License-Identifier: Apache-2.0
"""Decode response bodies here: requests and aiohttp differ in which encodings and malformed bodies they accept."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from airflow_provider_bulkjobs.http.responses import NetworkError, ResponseTooLargeError

ACCEPTED_ENCODINGS = "gzip, deflate"
MAX_BODY = 16 * 1024 * 1024  # bytes, decoded
MAX_MEMBERS = 100  # of a gzip body: each one costs a copy of all that follows


def decode_body(headers: Mapping[str, str], body: bytes, limit: int) -> bytes:
    """Return a body without its ``Content-Encoding``.

    :param limit: the largest size of the result in bytes.
    :raises NetworkError: the encoding is unknown, or the body is not in that encoding.
    :raises ResponseTooLargeError: the result would be larger.
    """
    for encoding in reversed(headers.get("Content-Encoding", "").lower().split(",")):
        match encoding.strip():
            case "" | "identity":
                continue
            case "gzip" | "x-gzip":
                decode = _gunzip
            case "deflate":
                decode = _inflate
            case _:
                raise NetworkError("unsupported Content-Encoding", sent=True)
        body = decode(body, limit)
    return body


def check_length(headers: Mapping[str, str]) -> None:
    """Reject a response whose body has no unambiguous end.

    :raises NetworkError: ``Content-Length`` is not a number, or is combined with ``Transfer-Encoding``.
    """
    length = headers.get("Content-Length")
    if length is not None and (not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in headers):
        raise NetworkError("invalid Content-Length", sent=True)


def _gunzip(body: bytes, limit: int) -> bytes:
    decoded = b""
    members = 0
    while body:  # a gzip body may have several members
        if (members := members + 1) > MAX_MEMBERS:
            raise NetworkError("gzip body of too many members", sent=True)
        decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
        decoded += _decompress(decompressor.decompress, body, limit - len(decoded))
        if not decompressor.eof:
            raise NetworkError("incomplete gzip body", sent=True)
        body = decompressor.unused_data if decompressor.unused_data.startswith(b"\x1f\x8b") else b""
    return decoded


def _inflate(body: bytes, limit: int) -> bytes:
    # The standard requires a zlib header; some servers omit it.
    is_raw = len(body) < 2 or body[0] & 0x0F != zlib.DEFLATED or int.from_bytes(body[:2]) % 31
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS if is_raw else zlib.MAX_WBITS)
    decoded = _decompress(decompressor.decompress, body, limit)
    if not decompressor.eof:
        raise NetworkError("incomplete deflate body", sent=True)
    return decoded


def _decompress(decompress: Callable[[bytes, int], bytes], body: bytes, limit: int) -> bytes:
    try:
        decoded = decompress(body, limit + 1)
    except zlib.error:
        raise NetworkError("the body is not in its Content-Encoding", sent=True) from None
    if len(decoded) > limit:
        raise ResponseTooLargeError(limit)
    return decoded
