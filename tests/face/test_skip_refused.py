# SPDX-License-Identifier: Apache-2.0
"""skip_invalid leaves out the records that the vendor refuses, like those that are invalid by themselves."""

import json
from pathlib import Path
from typing import Any

import pytest
from face.submit_cases import run

from airflow_provider_bulkjobs.exceptions import BadArgumentError, PartialSubmitError, VendorAPIError
from airflow_provider_bulkjobs.submitting import submission

GOOD, REFUSED, INVALID = {"email": "ada@example.com"}, {"email": "bob smith@example.com"}, {"email": "no address"}


def rejected(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def arguments(account, sim, tmp_path: Path) -> dict[str, Any]:
    values = {"conn_id": account("activecampaign"), "results_path": str(tmp_path / "rejected.jsonl")}
    return {"skip_invalid": True, **values}


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_refused_records_are_in_the_file_and_in_the_result(mode: str, arguments, sim, tmp_path: Path) -> None:
    result = run(mode, records=[INVALID, GOOD, REFUSED], **arguments)
    assert (result["state"], result["submitted"], result["rejected"]) == ("succeeded", 1, 2)
    rows = rejected(tmp_path / "rejected.jsonl")
    assert [(row["status"], row["line"], row["item"]) for row in rows] == [
        ("rejected", 1, INVALID),
        ("rejected", 3, REFUSED),
    ]
    assert rows[1]["error"] == "was refused by ActiveCampaign: Field 'email' incorrect format"


def test_without_skip_invalid_nothing_is_submitted(arguments, sim, tmp_path: Path) -> None:
    with pytest.raises(VendorAPIError, match="line 2: Field 'email' incorrect format"):
        run(records=[GOOD, REFUSED], **{**arguments, "skip_invalid": False})
    assert not sim.state()["activecampaign"]["jobs"]


def test_all_records_refused_is_an_error(arguments, sim, tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match="all 1 records are invalid or were refused by ActiveCampaign"):
        run(records=[REFUSED], **arguments)
    assert [row["line"] for row in rejected(tmp_path / "rejected.jsonl")] == [1]


def test_all_records_refused_is_a_success_if_empty_is_allowed(arguments, sim, tmp_path: Path) -> None:
    result = run(records=[REFUSED], allow_empty=True, **arguments)
    assert (result["submitted"], result["rejected"], result["job_count"]) == (0, 1, 0)


def test_refused_records_are_in_the_file_if_a_later_batch_fails(arguments, sim, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(submission, "MAX_REFUSED", 1)
    records = [REFUSED, *({"email": f"person-{number}@example.com"} for number in range(249)), REFUSED]
    with pytest.raises(PartialSubmitError, match="1 of 2 batches accepted"):
        run(records=records, **arguments)
    assert [row["line"] for row in rejected(tmp_path / "rejected.jsonl")] == [1]
