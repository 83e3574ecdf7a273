# SPDX-License-Identifier: Apache-2.0
"""The failed items of one import are the records of the next."""

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError, JobFailedError, VendorAPIError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

GOOD = {"email": "ada@example.com"}
BAD: dict[str, dict[str, Any]] = {  # a record that fails, for each vendor that returns it
    "sendgrid upsert": {"email": "bob@example.invalid", "first_name": "Bob"},
    "sendgrid import_csv": {"email": "bob@example.invalid", "first_name": "Bob"},
    "hubspot upsert": {"email": "bob@example.invalid", "firstname": "Bob, Jr."},
    "klaviyo import": {"email": "bob@example.invalid", "properties": {"tier": ["a", 1]}},
    "activecampaign import": {"email": "bob@example.invalid"},
}

pytestmark = pytest.mark.usefixtures("quick_retries")


def submit(conn_id: str, operation: str, records: Any, **arguments: Any) -> Any:
    return BulkJobOperator(
        task_id="import",
        conn_id=conn_id,
        operation=operation,
        records=records,
        poke_interval=0.05,
        timeout=10,
        deferrable=False,
        **{"allowed_failures": None, **arguments},
    ).execute({})


def fetch(conn_id: str, job_id: Any, path: Path, **arguments: Any) -> Any:
    results = BulkJobResultsOperator(task_id="failed", conn_id=conn_id, job_id=job_id, path=str(path), **arguments)
    return results.execute({})


def ids(result: Any) -> list[str]:
    return [job["job_id"] for job in result["jobs"]]


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("case", BAD)
def test_failed_records_are_written_as_they_were_submitted(case: str, sim, account, tmp_path: Path) -> None:
    vendor, operation = case.split()
    conn_id = account(vendor)
    result = submit(conn_id, operation, [GOOD, BAD[case]])
    assert result["failed"] == 1
    written = fetch(conn_id, ids(result), tmp_path / "failed.jsonl", only="failed", as_records=True)
    assert (written["rows"], rows(tmp_path / "failed.jsonl")) == (1, [BAD[case]])


@pytest.mark.parametrize("ending", ["jsonl", "csv", "jsonl.gz", "csv.gz"])
def test_written_records_are_submitted_again(ending: str, sim, account, tmp_path: Path) -> None:
    conn_id, path = account("sendgrid"), tmp_path / f"failed.{ending}"
    first = submit(conn_id, "upsert", [GOOD, BAD["sendgrid upsert"]])
    fetch(conn_id, ids(first), path, as_records=True)
    with pytest.raises(JobFailedError):  # they are as invalid as before
        submit(conn_id, "upsert", str(path))
    last = [job["job_id"] for job in sim.state()["sendgrid"]["jobs"]][-1]
    assert last not in ids(first)
    third = fetch(conn_id, last, tmp_path / "again.jsonl", as_records=True)
    assert (third["rows"], rows(tmp_path / "again.jsonl")) == (1, [BAD["sendgrid upsert"]])


def test_only_failed_leaves_out_the_others(sim, account, tmp_path: Path) -> None:
    conn_id = account("activecampaign")
    result = submit(conn_id, "import", [GOOD, BAD["activecampaign import"]])
    assert fetch(conn_id, ids(result), tmp_path / "all.csv")["rows"] == 2
    assert fetch(conn_id, ids(result), tmp_path / "failed.csv", only="failed")["rows"] == 1
    [row] = csv.DictReader((tmp_path / "failed.csv").read_text().splitlines())
    assert (row["status"], json.loads(row["item"])) == ("failed", {"email": "bob@example.invalid"})


@pytest.mark.parametrize(
    ("vendor", "kind", "says"),
    [
        ("intercom", "contacts", "Intercom returns which tasks"),
        ("intercom", "companies", "Intercom returns which tasks"),
        ("intercom", "export", "Intercom does not return the failed records of a data export"),
        ("acquia", "contacts", "Campaign Studio returns the ids of failed contacts"),
        ("sendgrid", "export", "Twilio SendGrid does not return the failed records of a contact export"),
    ],
)
def test_vendor_without_failed_records_says_what_is_missing(vendor, kind, says, sim, account, tmp_path: Path) -> None:
    conn_id = account(vendor)
    with pytest.raises(BadArgumentError, match=f"^as_records=True: {says}"):
        fetch(conn_id, "j-1", tmp_path / "failed.jsonl", job_kind=kind, as_records=True)
    assert not sim.requests(vendor)
    assert list(tmp_path.iterdir()) == []


def test_warning_says_which_fields_are_missing(sim, account, tmp_path: Path, caplog, capsys) -> None:
    conn_id = account("activecampaign")
    result = submit(conn_id, "import", [GOOD])
    with caplog.at_level(logging.WARNING):
        fetch(conn_id, ids(result), tmp_path / "failed.jsonl", as_records=True)
    assert "ActiveCampaign returns only the addresses of failed contacts" in caplog.text + capsys.readouterr().out


def test_failure_without_its_record_is_an_error(sim, account, tmp_path: Path) -> None:
    job_id = sim.job(
        "hubspot", "import", states=["DONE"], items=3, failed=2
    )  # not submitted, so the simulator has no columns
    with pytest.raises(VendorAPIError, match="2 failures without the records of 2 of them"):
        fetch(account("hubspot"), job_id, tmp_path / "failed.jsonl", as_records=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("only", ["succeeded", "", ["failed"]])
def test_only_accepts_failed(only: Any, tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match="use 'failed'"):
        BulkJobResultsOperator(task_id="failed", conn_id="c", job_id="1", path=str(tmp_path), only=only)
