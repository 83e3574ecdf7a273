# SPDX-License-Identifier: Apache-2.0
"""What identifies people or opens files is cut out of a vendor's words; ids, counts, dates and versions stay."""

import pytest

from airflow_provider_bulkjobs.protocol.redact import redact, redact_values

PHONES = [
    "+4915112345678",
    "+49 151 12345678",
    "+49 (0)151 1234-5678",
    "+49-151-1234-5678",
    "+1 (555) 123-4567",
    "+1.555.123.4567",
    "+33 6 12 34 56 78",
    "+44\u00a020\u00a07946\u00a00958",
    "+49\u2011151\u20111234567",
    "+442079460958",
    "%2B4915112345678",
    "004915112345678",
    "0049 151 12345678",
    "015112345678",
    "0151 12345678",
    "0151/12345678",
    "0151-12345678",
    "(0151) 12345678",
    "030.12345678",
    "030 1234567",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "020 7946 0958",
    "(555) 123-4567",
    "(555)123-4567",
    "555-123-4567",
    "555.123.4567",
    "555 123 4567",
    "1-555-123-4567",
    "612 345 678",
    "91 234 56 78",
]
NO_PHONES = [
    "7",
    "1234567",
    "1713360000",
    "1713360000000",
    "20260314120000",
    "4915112345678",
    "9007199254740993",
    "1,000,000",
    "1 000 000",
    "12 345 678 901",
    "0123456789-abcd",
    "9b1a2c3d-4e5f-6789-abcd-012345678901",
    "12.345.678",
    "2026-03-14",
    "14.03.2026",
    "03/14/2026",
    "2026-03-14T12:00:00+02:00",
    "2026-03-14 12:00:00.250000",
    "2026-03-14 2026-03-15",
    "12:00:00",
    "10.0.19045.3803",
    "v1.22.333",
    "192.168.100.200",
    "0.123456789",
    "1234567.891",
    "1000-2000",
    "job-1234567-89",
    "id_5551234567",
    "9b1a2c3d-4e5f-6789-0123-012345678901",
    "12345678-1234-1234-1234-123456789012",
    "bd17df6a-c5b7-4fa6-8df4-cbae45cb89af",
    "0641fbdd-f62f-4c2c-ba02-3a83d5d11ac9",
]


@pytest.mark.parametrize("words", ["{}", "'{}' is wrong", "tel:{}", "line 3: {}.", '{{"value":"{}"}}', "<{}>"])
@pytest.mark.parametrize("number", PHONES)
def test_phone_number_is_cut(number: str, words: str) -> None:
    assert redact(words.format(number)) == words.format("<phone number>")


@pytest.mark.parametrize("words", ["{}", "'{}' is wrong", "job {} has failed", "{}, {}"])
@pytest.mark.parametrize("number", NO_PHONES)
def test_other_numbers_stay(number: str, words: str) -> None:
    text = words.format(number, number)
    assert redact(text) == text


@pytest.mark.parametrize("words", ["phone number", "phone_number", "mobile", "SMS", "WhatsApp", "E.164", "PHONE"])
@pytest.mark.parametrize("number", ["5551234567", "4915112345678", "555-1234", "12345-67890", "91 234 567 890"])
def test_any_long_number_is_cut_from_words_about_phones(words: str, number: str) -> None:
    assert redact(f"{number} is not a valid {words} value") == f"<phone number> is not a valid {words} value"


@pytest.mark.parametrize("number", ["2026-03-14", "14.03.2026", "192.168.100.200", "10.0.19045.3803", "123456"])
def test_date_host_and_version_stay_in_words_about_phones(number: str) -> None:
    assert redact(f"the phone service {number} is away") == f"the phone service {number} is away"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0151 12345678 2026-03-14", "<phone number> 2026-03-14"),
        ("2026-03-14 0151 12345678", "2026-03-14 <phone number>"),
        ("0151 12-34-5678", "<phone number>"),
        ("+49 151 12345678, +49 151 87654321", "<phone number>, <phone number>"),
    ],
)
def test_phone_number_next_to_other_numbers_is_cut(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "address",
    [
        '"john doe"@example.com',
        '\\"john doe\\"@example.com',
        "ada%40example.com",
        "ada%2540example.com",
        "%22john%20doe%22%40example.com",
        "ada&#64;example.com",
        "ada\\u0040example.com",
        "o'brien@example.com",
        "mary.o'brien+x@example.com",
        "ada@[192.168.0.1]",
        "ädä@exämple.com",
    ],
)
def test_address_is_cut_in_any_notation(address: str) -> None:
    assert redact(f"the value {address} is taken") == "the value <e-mail address> is taken"
    assert redact(f"('{address}')") == "('<e-mail address>')"


def test_quoted_words_before_an_address_stay() -> None:
    assert redact('field "email" of "x" is ada@example.com') == 'field "email" of "x" is <e-mail address>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/key.csv?X-Amz-Signature=abc&x=1", "s3://bucket/key.csv"),
        ("gs://bucket/key?X-Goog-Signature=abc.", "gs://bucket/key"),
        ("ftp://host/a?token=abc", "ftp://host/a"),
        ("GET /files/1?sig=abc&se=2 was refused", "GET /files/1 was refused"),
        ("files/1.csv?Signature=abc", "files/1.csv"),
        ("/callback#access_token=abc", "/callback"),
        ("https://user:pa-ss@host/a", "https://host/a"),
        ("sftp://ada:pa@ss@host/a?x=y", "sftp://host/a"),
        ("postgresql://user:pass@host:5432/db", "postgresql://host:5432/db"),
        ("X-Amz-Signature=abc%2Fd&x=1", "X-Amz-Signature=***&x=1"),
        ("url=https%3A%2F%2Fa%2Fb%3FX-Amz-Signature%3Dabc", "url=https%3A%2F%2Fa%2Fb%3FX-Amz-Signature%3D***"),
        ("refresh_token=abc, sig=def", "refresh_token=***, sig=***"),
        ("is it s3://bucket/part-?.csv", "is it s3://bucket/part-?.csv"),
        ("which field? email=empty", "which field? email=empty"),
    ],
)
def test_signatures_and_passwords_in_urls_are_cut(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_values_are_cut_as_whole_words_in_any_case() -> None:
    text = "Ada Lovelace-King and ada lovelace are no Adalovelace"
    assert redact_values(text, ["Ada Lovelace"]) == "<value>-King and <value> are no Adalovelace"


def test_longer_values_are_cut_first_and_short_ones_stay() -> None:
    assert redact_values("Anna Maria of ulm, Anna", ["Anna", "Anna Maria", "ulm"]) == "<value> of ulm, <value>"
