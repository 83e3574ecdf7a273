# SPDX-License-Identifier: Apache-2.0
"""Foreign words made fit to be logged."""

import time

import pytest

from airflow_provider_bulkjobs.protocol.redact import MAX_LENGTH, redact


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("nothing to hide", "nothing to hide"),
        ("", ""),
        ("ada@example.com is twice there", "<e-mail address> is twice there"),
        ('{"email":"ada+x@example.com"}', '{"email":"<e-mail address>"}'),
        ("<ada@example.com>, (bob@example.org)", "<<e-mail address>>, (<e-mail address>)"),
        ("email=ada@example.com;name=Ada", "email=<e-mail address>;name=Ada"),
        ("ÄDA@exämple.com", "<e-mail address>"),
        ("see https://files.example/a/b?sig=XYZ&x=1 now", "see https://files.example/a/b now"),
        ("see HTTPS://files.example/a#part now", "see HTTPS://files.example/a now"),
        ("'https://files.example/?q=ada@example.com'", "'https://files.example/'"),
        ("one\r\ntwo\tthree\x00four\u2028five", "one two three four five"),
        ("red \x1b[31m alert", "red [31m alert"),
        ("  wide   open  ", "wide open"),
    ],
)
def test_redact(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_secrets_are_redacted_anywhere() -> None:
    assert redact("key k3y-of-ours, Bearer k3y-of-ours.", ["k3y-of-ours"]) == "key ***, Bearer ***."


@pytest.mark.parametrize("form", ["to/k en=+", "to%2Fk%20en%3D%2B", "to%2Fk+en%3D%2B"])
def test_encoded_secrets_are_redacted(form: str) -> None:
    assert redact(f"no such client: client_secret={form}!", ["to/k en=+"]) == "no such client: client_secret=***!"


def test_a_secret_in_an_address_does_not_uncover_the_address() -> None:
    assert redact("k3y-of-ours@example.com", ["k3y-of-ours"]) == "<e-mail address>"


def test_a_secret_of_a_few_letters_leaves_the_sentence_readable() -> None:
    assert redact("an answer", ["an"]) == "an answer"


def test_long_words_are_cut() -> None:
    assert redact("a" * MAX_LENGTH) == "a" * MAX_LENGTH
    assert redact("a" * (MAX_LENGTH + 1)) == "a" * MAX_LENGTH + "…"


def test_truncation_does_not_reveal_half_an_address() -> None:
    assert "ada" not in redact("a " * (MAX_LENGTH // 2 - 2) + "ada@example.com")


def test_long_text_is_redacted_quickly() -> None:
    began = time.perf_counter()
    redact("a" * 15_000)
    assert time.perf_counter() - began < 0.1


def test_addresses_in_urls_are_redacted() -> None:
    assert "ada" not in redact("GET https://vendor.example/contacts/ada%40example.com was refused")
