# SPDX-License-Identifier: Apache-2.0
"""The options of the package in Airflow's configuration: those that are documented are those that are read."""

import pytest

from airflow_provider_bulkjobs.configuration import MAX_OUTAGE, OPTIONS, SECTION, max_outage, rate_limit_storage
from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.provider import get_provider_info

READ = {"max_outage": max_outage, "rate_limit_storage": rate_limit_storage}


def test_every_option_is_in_the_metadata_of_the_provider() -> None:
    assert get_provider_info()["config"][SECTION]["options"].keys() == READ.keys()


@pytest.mark.parametrize(
    ("name", "text", "value"), [("max_outage", "90", 90.0), ("rate_limit_storage", "redis://a", "redis://a")]
)
def test_an_option_is_read(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW__{SECTION.upper()}__{name.upper()}", text)
    assert READ[name]() == value


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("is_empty", [False, True])
def test_the_documented_default_holds(name: str, is_empty: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_empty:
        monkeypatch.setenv(f"AIRFLOW__{SECTION.upper()}__{name.upper()}", "")
    assert READ[name]() == type(READ[name]())(OPTIONS[name]["default"])
    assert max_outage() == MAX_OUTAGE


@pytest.mark.parametrize("value", ["soon", "-1", "nan"])
def test_an_invalid_time_is_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__BULKJOBS__MAX_OUTAGE", value)
    with pytest.raises(BadArgumentError, match=r"\[bulkjobs\] max_outage .* is '.*'\. Set a number of seconds"):
        max_outage()


def test_a_url_with_a_password_is_masked() -> None:
    assert OPTIONS["rate_limit_storage"]["sensitive"]
