# SPDX-License-Identifier: Apache-2.0
"""Secrets and values of records are cut out in every form in which a vendor may repeat them."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_bulkjobs.protocol.redact import MAX_LENGTH, redact, redact_values

SECRET = "pä$$ w&rd<\"x'y>/+="
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quoted": quote,
    "quoted in lower case": lambda text: quote(text, safe="").lower(),
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "quoted with plus": quote_plus,
    "html": html.escape,
    "html without quotes": lambda text: html.escape(text, quote=False),
    "json": lambda text: json.dumps(text)[1:-1],
    "json in utf-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
}
BASE64 = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", {**FORMS, **BASE64}.values(), ids={**FORMS, **BASE64})
def test_secret_is_redacted_in_each_form(form: Callable[[str], str]) -> None:
    shown = redact(f"the key {form(SECRET)} is bad", [SECRET])
    assert shown.rstrip("=") in {"the key *** is bad", "the key ***= is bad", "the key ***== is bad"}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("value", ["Zoë Quackenbush", "O'Neil & Söhne"])
def test_value_is_redacted_in_each_form(value: str, form: Callable[[str], str]) -> None:
    if form("%") != quote(quote("%")):  # nobody sends the data of people quoted twice
        assert redact_values(f"the name {form(value)} is bad", [value]) == "the name <value> is bad"


@pytest.mark.parametrize("name", ["Bob", "Li", "Ng", "Zoë", "李伟", "Jo", "ñu"])
def test_short_name_is_redacted(name: str) -> None:
    assert redact_values(f"'{name}' is bad, {name}.", [name]) == "'<value>' is bad, <value>."


@pytest.mark.parametrize("value", ["is", "bad", "US", "12", "-", "a", "A", ""])
def test_short_word_code_or_number_stays(value: str) -> None:
    assert redact_values("12 of US - is a bad A", [value]) == "12 of US - is a bad A"


def test_text_is_not_truncated_within_a_word() -> None:
    text = redact("x" * (MAX_LENGTH - 20) + " the name Quackenbush-Zimmermann is bad")
    assert text == "x" * (MAX_LENGTH - 20) + " the name…"
