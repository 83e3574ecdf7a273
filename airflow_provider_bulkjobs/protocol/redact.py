# SPDX-License-Identifier: Apache-2.0
"""Remove private data from a vendor's messages: e-mail addresses, phone numbers, URL signatures and secrets."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote_plus

MAX_LENGTH = 500
ADDRESS, PHONE, VALUE = "<e-mail address>", "<phone number>", "<value>"
MIN_VALUE_LENGTH = 4  # a shorter value may be an ordinary word, unless it is written as a name

EMAIL = re.compile(
    r"""(?:\\?"[^"\n]{1,64}"|(?:[^\s"'<>(),;:=\[\]]|(?<=\w)'(?=\w))+)"""  # the local part can be quoted
    r"""(?:@|%(?:25)*40|&\#64;|\\u0040)"""
    r"""(?:[^\s"'<>(),;:=\[\]]+|\[[^\s\]]*\])"""
)
AT_SIGNS = ("@", "40", "&#64;")  # every match of EMAIL has one; it is slow to find that there is none
URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#]*)[?#][^\s\"'<>]*", re.IGNORECASE)
USER_INFO = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s\"'<>/?#]*@", re.IGNORECASE)
# The query of any other URL, also of a relative one; without "=", a question mark may be punctuation or a pattern.
QUERY = re.compile(r"(?<=[\w/.*)\]-])[?#][\w.%\[\]-]+(?:=|%3D)[^\s\"'<>]*", re.IGNORECASE)
SECRET_PARAMETER = re.compile(
    r"\b((?:x-(?:amz|goog)-(?:signature|credential|security-token)|sig|signature|(?:\w+[_-])?token|awsaccesskeyid"
    r"|googleaccessid|key-pair-id|api[_-]?key|password)(?:=|%3D))[\w.%~+/=-]+",
    re.IGNORECASE,
)

SEPARATORS = r"\s().\-/\u2010-\u2015"
NUMBER = re.compile(rf"(?<!\w)(?<!\w[-.])(?<!\d:)(?:\+|%2B|00)?\(?\d[\d{SEPARATORS}]*\d(?!\w)(?!-\w)", re.IGNORECASE)
_DAY, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:19|20)\d\d"  # a month fits as well
DATE = re.compile(rf"(?<!\d)(?:{_YEAR}([-./]){_DAY}\1{_DAY}|{_DAY}([-./]){_DAY}\2{_YEAR})(?!\d)")
DOTTED = re.compile(r"[1-9]\d*(?:\.\d+){3}|(?:0|[1-9]\d*)\.\d+")  # an IPv4 address, a version, a decimal number
GROUPED = re.compile(r"[1-9]\d?(?:[ \u00a0\u202f.]\d{3})+")  # a number above a thousand
NORTH_AMERICAN = re.compile(rf"(?:1[{SEPARATORS}]*)?\(?[2-9]\d{{2}}[{SEPARATORS}]+\d{{3}}[{SEPARATORS}]+\d{{4}}")
ABOUT_PHONES = re.compile(r"phone|mobile|\bsms\b|whatsapp|\bfax\b|msisdn|e\.?164", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a vendor's message on one line, without secrets, e-mail addresses, phone numbers and URL queries.

    :param secrets: values to remove, as in the connection.
    """
    if len(text) > 2 * MAX_LENGTH:  # long texts are slow to match; half an address might not match, so cut at a space
        text = text[: 2 * MAX_LENGTH].rpartition(" ")[0]
    for secret in secrets:
        if len(secret) > 3:  # a shorter one would match inside ordinary words
            for form in {*_forms(secret), *_base64(secret)}:  # a vendor may repeat the encoded value
                text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)
    text = URL_QUERY.sub(r"\1", text)
    text = USER_INFO.sub(r"\1", text)
    text = QUERY.sub("", text)
    text = SECRET_PARAMETER.sub(r"\1***", text)
    if any(sign in text for sign in AT_SIGNS):
        text = EMAIL.sub(ADDRESS, text)
    text = _hide_phones(text, about_phones=bool(ABOUT_PHONES.search(text)))
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= MAX_LENGTH else f"{cut(text, MAX_LENGTH)}…"


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text, without half a word: half a name would not be recognized as one."""
    if len(text) <= limit:
        return text
    head, _, rest = text[: limit + 1].rpartition(" ")
    return head if head or not rest else text[:limit]


def _forms(value: str) -> set[str]:
    """Return a value as it stands in a URL, in HTML or in JSON."""
    quoted = quote(value, safe="")
    escaped = html.escape(value)
    return {
        *(value, quoted, quote(value), quote_plus(value), quote(quoted, safe="")),
        *(escaped, escaped.replace("&#x27;", "&#39;"), html.escape(value, quote=False)),
        *(json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]),
    }


def _base64(secret: str) -> set[str]:
    data = secret.encode(errors="replace")
    return {encode(data).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)}


def redact_values(text: str, values: Iterable[str]) -> str:
    """Return a text without these values, where they stand as whole words; long ones in any case."""
    readings = (text, html.unescape(text), unquote_plus(text), _unescape(text))
    shown, exact = "\n".join(readings).casefold(), "\n".join(readings)
    for value in sorted(set(values), key=len, reverse=True):
        is_long = len(value) >= MIN_VALUE_LENGTH
        if value.casefold() in shown if is_long else _is_short_name(value) and value in exact:
            words = "|".join(map(re.escape, sorted(_forms(value), key=len, reverse=True)))
            text = re.sub(rf"(?<!\w)(?:{words})(?!\w)", VALUE, text, flags=re.IGNORECASE if is_long else 0)
    return text


def _is_short_name(value: str) -> bool:
    """Return whether a short value is a name ("Bob", "Li", "\u674e\u4f1f"), not an ordinary word, code or number."""
    return len(value) > 1 and value[0].isalpha() and (value.istitle() or not value.isascii())


def _unescape(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)


def _hide_phones(text: str, *, about_phones: bool) -> str:
    def hide(found: re.Match[str]) -> str:
        number = found[0]
        if date := DATE.search(number):
            before, after = number[: date.start()], number[date.end() :]
            return NUMBER.sub(hide, before) + date[0] + NUMBER.sub(hide, after)
        return PHONE if _is_phone(number, about_phones=about_phones) else number

    return NUMBER.sub(hide, text)


def _is_phone(number: str, *, about_phones: bool) -> bool:
    """Return whether a number is a phone number, as opposed to an id, a count, a version or an IP address."""
    digits = sum(character.isdigit() for character in number.removeprefix("%2B").removeprefix("%2b"))
    if digits < 7:
        return False
    if number[0] in "+%":
        return True
    if DOTTED.fullmatch(number):
        return False
    if about_phones:
        return True
    if GROUPED.fullmatch(number):
        return False
    if number.isdigit():  # an id or a count, unless it starts with 0 as national numbers do
        return number[0] == "0" and 9 <= digits <= 15
    if (number[0] == "0" and number[1].isdigit()) or "(" in number:
        return True
    groups = re.findall(r"\d+", number)
    return bool(NORTH_AMERICAN.fullmatch(number)) or (len(groups) > 2 and digits >= 9 and number.count(" ") > 1)
