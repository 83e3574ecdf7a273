# SPDX-License-Identifier: Apache-2.0
"""Incomplete fixtures: the error names the file and the key."""

import json
from pathlib import Path
from typing import Any

import pytest
from vendors import fixture_loader

from airflow_provider_bulkjobs.vendors.klaviyo import Klaviyo

WHOLE = json.loads((fixture_loader.FIXTURES / "klaviyo/vendor.json").read_text())


def error_of(path: Path, monkeypatch: pytest.MonkeyPatch, content: Any) -> str:
    monkeypatch.setattr(fixture_loader, "FIXTURES", path)
    (path / "klaviyo").mkdir()
    (path / "klaviyo/vendor.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(AssertionError) as caught:
        fixture_loader.facts_of(Klaviyo())
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "lacking"),
    [
        ("credential", "'credential.header', 'credential.value'"),
        ("refusal", "'refusal'"),
        ("check", "'check.expected_requests', 'check.answers', 'check.expected_message'"),
        ("kinds", "'kinds.profiles.path', 'kinds.profiles.words'"),
    ],
)
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_missing_key_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, lacking: str, how: str
) -> None:
    content = {name: value for name, value in WHOLE.items() if name != key}
    if how == "empty" and key != "refusal":
        content[key] = {}
    assert error_of(tmp_path, monkeypatch, content).startswith(f"klaviyo/vendor.json lacks {lacking}: see CONTRIBUTING")


def test_all_missing_keys_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_of(tmp_path, monkeypatch, {})
    assert all(f"'{key}'" in message for key in fixture_loader.VENDOR_KEYS)


def test_invalid_json_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert error_of(tmp_path, monkeypatch, "{").startswith("klaviyo/vendor.json is not JSON")


def test_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixture_loader, "FIXTURES", tmp_path)
    with pytest.raises(AssertionError, match=r"klaviyo/vendor\.json is missing"):
        fixture_loader.facts_of(Klaviyo())
