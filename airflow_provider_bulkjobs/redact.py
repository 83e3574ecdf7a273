# SPDX-License-Identifier: Apache-2.0
"""Make foreign words fit to be logged: no address of a person, no signed URL, no secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

EMAIL = re.compile(r"[^\s\"'<>(),;:=\[\]]+(?:@|%40)[^\s\"'<>(),;:=\[\]]+")
URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#]*)[?#][^\s\"'<>]*", re.IGNORECASE)
MOST = 500


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a vendor's words on one line, without secrets, addresses of people and the queries of URLs.

    :param secrets: values that must not be shown, as they stand in the connection.
    """
    if len(text) > 2 * MOST:  # patterns take their time with long texts; a word cut in two might pass unnoticed
        text = text[: 2 * MOST].rpartition(" ")[0]
    for secret in secrets:
        if len(secret) > 3:  # a shorter one would blank out half of every sentence
            for form in (secret, quote(secret, safe=""), quote_plus(secret)):  # a vendor may repeat what it was sent
                text = text.replace(form, "***")
    text = URL_QUERY.sub(r"\1", text)
    text = EMAIL.sub("<e-mail address>", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= MOST else f"{text[:MOST]}…"
