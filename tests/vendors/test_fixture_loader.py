# SPDX-License-Identifier: Apache-2.0
"""Missing and malformed fixture files: the error names the file and the key."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from vendors import fixture_loader
from vendors.fixture_loader import FIXTURES, at, changed, without

from airflow_provider_bulkjobs.vendors.klaviyo import Klaviyo

KIND = "klaviyo/profiles"
FILES = {
    f"{KIND}/sample.json": "sample",
    f"{KIND}/status.json": "status",
    f"{KIND}/results.json": "results",
    f"{KIND}/submit/import.json": "submit",
    "hubspot/import/cancel.json": "cancel",
    "klaviyo/vendor.json": "vendor",
}


def error_of(folder: Path, name: str, content: Any) -> str:
    path = folder / "fixtures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(AssertionError) as caught:
        fixture_loader.read_json(path, FILES[name])
    assert str(caught.value).startswith(name)
    return str(caught.value)


def test_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(fixture_loader.SCHEMA)


@pytest.mark.parametrize("name", FILES)
def test_missing_and_unknown_keys_are_named(tmp_path: Path, name: str) -> None:
    whole = json.loads((FIXTURES / name).read_text())
    for key in fixture_loader.SCHEMA["$defs"][FILES[name]]["required"]:
        assert f"'{key}' is a required property" in error_of(tmp_path, name, without(whole, key))
    assert "'anwsers'" in error_of(tmp_path, name, {**whole, "anwsers": []})


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("words.queued", "waiting", "words.queued"),
        ("words.queued", {"state": "pending", "knwon": False}, "words.queued"),
        ("job.state", "done", "job.state: 'done' is not one of"),
        ("body", [], "body: [] is not of type 'object'"),
        ("docs", "Klaviyo's reference", "docs:"),
        ("pages.cursor", "2", "pages.cursor:"),
    ],
)
def test_place_of_a_wrong_value_is_named(tmp_path: Path, path: str, value: Any, words: str) -> None:
    whole = json.loads((FIXTURES / f"{KIND}/sample.json").read_text())
    assert words in error_of(tmp_path, f"{KIND}/sample.json", changed(whole, path, value))


def test_case_needs_either_job_or_error(tmp_path: Path) -> None:
    for case in ({"answers": []}, {"answers": [], "error": "VendorAPIError", "job": {"state": "failed"}}):
        content = {"docs": "https://example.com", "cases": {"a case": case}}
        assert "cases.a case" in error_of(tmp_path, f"{KIND}/status.json", content)


def test_invalid_json_is_named(tmp_path: Path) -> None:
    assert "is not JSON" in error_of(tmp_path, "klaviyo/vendor.json", "{")


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "fixtures"
    with pytest.raises(AssertionError, match=r"klaviyo/vendor\.json is missing: see CONTRIBUTING"):
        fixture_loader.vendor_sample(Klaviyo(), folder)
    of = fixture_loader.vendor_sample(Klaviyo())
    with pytest.raises(AssertionError, match=r"klaviyo/profiles/sample\.json is missing"):
        list(fixture_loader.kind_samples(of, folder))
    with pytest.raises(AssertionError, match=r"klaviyo/profiles/submit/import\.json is missing"):
        fixture_loader.read_operations(Klaviyo(), folder)


def test_paths_of_nested_keys() -> None:
    body = {"a": {"b": 1, "c": [{"d": 2}]}}
    assert at(body, "a.c.0.d") == 2
    assert changed(body, "a.b", 3) == {"a": {"b": 3, "c": [{"d": 2}]}}
    assert changed(body, "a.c.0.d", 3) == {"a": {"b": 1, "c": [{"d": 3}]}}
    assert changed({}, "a.b", 3) == {"a": {"b": 3}}
    assert without(body, "a.b") == {"a": {"c": [{"d": 2}]}}
    assert without(body, "a.c.0") == {"a": {"b": 1, "c": []}}
    assert body == {"a": {"b": 1, "c": [{"d": 2}]}}
