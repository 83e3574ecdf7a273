# SPDX-License-Identifier: Apache-2.0
"""Fetching how each item fared, over real HTTP."""

import gzip
import json
import logging
import re
from types import SimpleNamespace

import pytest
from aiohttp import web

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs._airflow import AirflowSkipException
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.intercom import simulated as simulated_intercom
from airflow_provider_bulkjobs.vendors.sendgrid import simulated as simulated_sendgrid

# For each kind: the state that a job ends in, one that it does not, and the rows of four items of which one failed.
CREATED = [{"status": "created", "error": None, "item": {"id": str(n)}} for n in (1, 2, 3)]
EXPORTED = {"status": "exported", "error": None}
KINDS = {
    ("intercom", "contacts"): (
        *("completed_with_errors", "running"),
        [{"status": "failed", "error": "some or all task items failed", "item": {"task_id": "task", "items": 4}}],
    ),
    ("intercom", "companies"): (
        *("completed_with_errors", "pending"),
        [{"status": "failed", "error": "some or all task items failed", "item": {"task_id": "task", "items": 4}}],
    ),
    ("intercom", "job"): (
        *("success", "pending"),
        [{"status": "created", "error": None, "item": {"resource_type": "ticket", "resource_id": "1"}}],
    ),
    ("intercom", "export"): (
        *("completed", "in_progress"),
        [{**EXPORTED, "item": {"id": "1", "message": "Welcome", "created_at": "1713360000"}}],
    ),
    ("sendgrid", "contacts"): (
        *("errored", "pending"),
        [
            {
                "status": "failed",
                "error": "A valid email is required.",
                "item": {"email": "contact-4.example.com", "error": "A valid email is required."},
            }
        ],
    ),
    ("sendgrid", "export"): (
        *("ready", "pending"),
        [
            *({**EXPORTED, "item": {"EMAIL": f"contact-{n}@example.com", "CONTACT_ID": str(n)}} for n in (1, 2, 3)),
            {**EXPORTED, "item": {"EMAIL": "contact-4.example.com", "CONTACT_ID": "4"}},
        ],
    ),
    ("activecampaign", "contacts"): (
        *("completed", "active"),
        [*CREATED, {"status": "failed", "error": None, "item": {"email": "contact-4.example.com"}}],
    ),
    ("acquia", "contacts"): (
        *("completed", "in_progress"),
        [
            *({"status": "created", "error": None, "item": {"id": n, "statusCode": 201}} for n in (1, 2, 3)),
            {
                "status": "failed",
                "error": "email: A valid email is required.",
                "item": {
                    "id": 4,
                    "statusCode": 400,
                    "errors": {
                        "code": 400,
                        "message": "email: A valid email is required.",
                        "details": {"email": ["A valid email is required."]},
                        "type": None,
                    },
                },
            },
        ],
    ),
}
# Terminal states without item results.
NOTHING_TOLD = [
    ("intercom", "contacts", "completed"),
    ("intercom", "export", "no_data"),
    ("intercom", "export", "failed"),
    ("intercom", "export", "canceled"),
    ("sendgrid", "contacts", "completed"),
    ("sendgrid", "export", "failure"),
]
FILES = [("sendgrid", "contacts"), ("sendgrid", "export"), ("intercom", "export")]
PLACES = {"sendgrid": "/sendgrid-downloads/", "intercom": "/download/content/"}

ODD_CSV = 'email,error\n"a,b@example.com","broken\nin two"\n'.encode("utf-8-sig")
ODD_ITEMS = [{"email": "a,b@example.com", "error": "broken\nin two"}]

pytestmark = pytest.mark.usefixtures("quick_retries")
every_kind = pytest.mark.parametrize(("vendor", "kind"), KINDS)
every_file = pytest.mark.parametrize(("vendor", "kind"), FILES)


@pytest.fixture
def path(tmp_path):
    """Where the results go: into a folder that has to be made."""
    return tmp_path / "results" / "rows.jsonl"


def fetch(**arguments):
    return BulkJobResultsOperator(task_id="results", **arguments).execute({})


def ended(sim, vendor, kind, **items):
    return sim.job(vendor, kind, states=[KINDS[vendor, kind][0]], **{"items": 4, "failed": 1, **items})


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def downloads(sim, vendor):
    return [request for request in sim.requests(vendor) if PLACES[vendor] in request.path_qs]


@pytest.fixture
def vendors_file(monkeypatch):
    """Let the vendors hand out this file, whichever they are asked for."""

    def hand_out(data: bytes, **headers: str) -> None:
        monkeypatch.setattr(simulated_sendgrid, "csv_response", lambda *_: web.Response(body=data, headers=headers))
        as_it_is = SimpleNamespace(compress=lambda *_args, **_options: data)
        monkeypatch.setattr(simulated_intercom, "gzip", as_it_is)

    return hand_out


# The results.


@every_kind
def test_rows_of_every_kind(vendor, kind, sim, account, path):
    job_id = ended(sim, vendor, kind)
    returned = fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    rows = rows_of(path)
    for row in rows:
        if "task_id" in row["item"]:
            assert row["item"].pop("task_id").startswith("task_v2_")
            row["item"] = {"task_id": "task", **row["item"]}
    assert rows == [{"job_id": job_id, **row} for row in KINDS[vendor, kind][2]]
    assert returned == {"path": str(path), "rows": len(rows), "bytes": path.stat().st_size}


@pytest.mark.parametrize(("vendor", "kind", "word"), NOTHING_TOLD)
def test_no_item_results_write_an_empty_file(vendor, kind, word, sim, account, path):
    job_id = sim.job(vendor, kind, states=[word], items=4)
    returned = fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    assert returned == {"path": str(path), "rows": 0, "bytes": 0}
    assert path.read_bytes() == b""


def test_the_first_kind_is_the_default(sim, account, path):
    fetch(conn_id=account("acquia"), job_id=ended(sim, "acquia", "contacts"), path=str(path))
    assert len(rows_of(path)) == 4


def test_all_pages_of_the_details(sim, account, path):
    job_id = ended(sim, "acquia", "contacts", items=350, failed=120)
    assert fetch(conn_id=account("acquia"), job_id=job_id, path=str(path))["rows"] == 350
    rows = rows_of(path)
    assert [row["item"]["id"] for row in rows] == list(range(1, 351))
    assert sum(row["status"] == "failed" for row in rows) == 120


@every_kind
def test_many_jobs_in_their_order(vendor, kind, sim, account, path):
    job_ids = [ended(sim, vendor, kind) for _ in range(3)]
    returned = fetch(conn_id=account(vendor), job_id=job_ids, job_kind=kind, path=str(path))
    rows = rows_of(path)
    each = len(KINDS[vendor, kind][2])
    assert [row["job_id"] for row in rows] == [job_id for job_id in job_ids for _ in range(each)]
    assert (returned["rows"], returned["bytes"]) == (3 * each, path.stat().st_size)


def test_results_contain_the_submitted_records(sim, account, path):
    conn_id = account("sendgrid")
    records = [{"email": "zoë@example.com"}, {"email": "nobody"}]
    common = {"conn_id": conn_id, "poke_interval": 0.05, "deferrable": False, "allowed_failures": 1}
    done = BulkJobOperator(task_id="import", operation="upsert", records=records, **common).execute({})
    fetch(conn_id=conn_id, job_id=done["jobs"][0]["job_id"], path=str(path))
    assert [row["item"]["email"] for row in rows_of(path)] == ["nobody"]

    options = {"file_type": "json"}
    done = BulkJobOperator(task_id="export", job_kind="export", options=options, **common).execute({})
    returned = fetch(conn_id=conn_id, job_id=done["jobs"][0]["job_id"], job_kind="export", path=str(path))
    assert [row["item"]["email"] for row in rows_of(path)] == ["zoë@example.com"]
    assert returned["bytes"] == path.stat().st_size


@every_file
@pytest.mark.parametrize("gzipped", [True, False])
def test_a_file_may_be_gzipped(vendor, kind, gzipped, sim, account, path, vendors_file):
    vendors_file(gzip.compress(ODD_CSV) if gzipped else ODD_CSV)
    fetch(conn_id=account(vendor), job_id=ended(sim, vendor, kind), job_kind=kind, path=str(path))
    assert [row["item"] for row in rows_of(path)] == ODD_ITEMS


def test_content_encoding_of_a_file_is_decoded(sim, account, path, vendors_file):
    vendors_file(gzip.compress(ODD_CSV), **{"Content-Encoding": "gzip"})
    fetch(conn_id=account("sendgrid"), job_id=ended(sim, "sendgrid", "contacts"), path=str(path))
    assert [row["item"] for row in rows_of(path)] == ODD_ITEMS


# What must not be.


@every_kind
def test_unfinished_job_has_no_results(vendor, kind, sim, account, path):
    job_id = sim.job(vendor, kind, states=[KINDS[vendor, kind][1]], items=4)
    with pytest.raises(errors.JobNotFinishedError, match="BulkJobSensor"):
        fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    assert not path.exists()


def test_unfinished_job_is_an_error(sim, account, path):
    job_id = sim.job("activecampaign", states=[False])
    with pytest.raises(errors.JobNotFinishedError):
        fetch(conn_id=account("activecampaign"), job_id=job_id, path=str(path))


@every_kind
def test_deleted_job_is_an_error(vendor, kind, sim, account, path):
    job_id = ended(sim, vendor, kind)
    sim.expire(job_id)
    with pytest.raises(errors.JobNotFoundError):
        fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    assert not path.exists()


@every_kind
def test_undocumented_state_is_an_error(vendor, kind, sim, account, path):
    job_id = sim.job(vendor, kind, states=["wobbling"])
    with pytest.raises(errors.UnknownStateError):
        fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    assert not path.exists()


@every_kind
def test_incomplete_file_is_never_published(vendor, kind, sim, account, path):
    path.parent.mkdir()
    path.write_text("of yesterday")
    job_ids = [ended(sim, vendor, kind), sim.job(vendor, kind, states=[KINDS[vendor, kind][1]])]
    with pytest.raises(errors.JobNotFinishedError):
        fetch(conn_id=account(vendor), job_id=job_ids, job_kind=kind, path=str(path))
    assert path.read_text() == "of yesterday"
    fetch(conn_id=account(vendor), job_id=job_ids[0], job_kind=kind, path=str(path))
    assert rows_of(path)
    assert list(path.parent.iterdir()) == [path]


@every_file
@pytest.mark.parametrize("gzipped", [True, False])
def test_file_above_max_bytes_is_refused(vendor, kind, gzipped, sim, account, path, vendors_file):
    text = b"email\n" + b"a@example.com\n" * 10_000
    vendors_file(gzip.compress(text) if gzipped else text)
    arguments = {"conn_id": account(vendor), "job_id": ended(sim, vendor, kind), "job_kind": kind, "path": str(path)}
    with pytest.raises(errors.UntrustedResponseError, match="larger than max_bytes"):
        fetch(max_bytes=len(text) - 1, **arguments)
    assert not path.exists()
    assert fetch(max_bytes=len(text), **arguments)["rows"] == 10_000


@every_file
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"fault": "half_body"}, errors.VendorUnavailableError),
        ({"fault": "reset"}, errors.VendorUnavailableError),
        ({"fault": "server_error"}, errors.VendorUnavailableError),
        ({"fault": "redirect"}, errors.VendorAPIError),
        ({"fault": "server_error", "status": 403}, errors.VendorAPIError),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_a_download_that_fails(vendor, kind, fault, error, sim, account, path):
    job_id = ended(sim, vendor, kind)
    sim.fault(vendor, path=PLACES[vendor], **fault)
    with pytest.raises(error) as caught:
        fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    assert "Signature" not in str(caught.value)
    assert not path.exists()
    assert sim.requests("elsewhere") == []


@every_file
def test_a_gzipped_file_that_ends_in_the_middle(vendor, kind, sim, account, path, vendors_file):
    vendors_file(gzip.compress(b"email\n" + b"a@example.com\n" * 1000)[:-10])
    with pytest.raises(errors.VendorUnavailableError, match=r"cannot be decompressed .* 10 times in a row"):
        fetch(conn_id=account(vendor), job_id=ended(sim, vendor, kind), job_kind=kind, path=str(path))
    assert not path.exists()


@every_kind
def test_lost_response_is_requested_again(vendor, kind, sim, account, path):
    job_id = ended(sim, vendor, kind)
    for fault in ("server_error", "reset", "half_body", "rate_limit"):
        sim.fault(vendor, fault, count=1, retry_after=0)
    returned = fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    assert returned["rows"] == len(KINDS[vendor, kind][2])


def test_vendor_outage_is_an_error(sim, account, path):
    job_id = ended(sim, "acquia", "contacts", items=250)
    sim.fault("acquia", "outage", path="page=2")  # the first page has been written by then
    with pytest.raises(errors.VendorUnavailableError, match="10 times in a row"):
        fetch(conn_id=account("acquia"), job_id=job_id, path=str(path))
    assert not path.exists()


# Personal data.


@pytest.mark.parametrize("kind", ["contacts", "export"])
def test_credentials_are_sent_to_the_vendor_only(kind, sim, account, path):
    conn_id = account("sendgrid", extra={"on_behalf_of": "subuser"})
    fetch(conn_id=conn_id, job_id=ended(sim, "sendgrid", kind), job_kind=kind, path=str(path))
    [download] = downloads(sim, "sendgrid")
    assert not {"authorization", "on-behalf-of", "cookie"} & download.headers.keys()
    assert simulator.SENDGRID_KEY not in str(download)


def test_intercom_export_is_downloaded_from_the_accounts_host(sim, account, path):
    job_id = sim.job(
        "intercom",
        "export",
        states=["completed"],
        body={"status": "completed", "download_url": f"{sim.url}/elsewhere/file"},
    )
    fetch(conn_id=account("intercom"), job_id=job_id, job_kind="export", path=str(path))
    assert len(downloads(sim, "intercom")) == 1
    assert sim.requests("elsewhere") == []


@every_kind
def test_no_personal_data_in_log_or_xcom(vendor, kind, sim, account, path, caplog, capsys):
    caplog.set_level(logging.DEBUG, "airflow")
    job_id = ended(sim, vendor, kind)
    returned = fetch(conn_id=account(vendor), job_id=job_id, job_kind=kind, path=str(path))
    printed = capsys.readouterr()
    log = caplog.text + printed.out + printed.err
    assert f"{returned['rows']} rows (" in log
    for text in (log, json.dumps(returned)):
        assert not any(word in text for word in ("example.com", "Welcome", "Signature", "email"))


def test_no_personal_data_in_errors(sim, account, path, vendors_file):
    vendors_file(b"email,error\na@example.com," + b"x" * 200_000 + b"\n")  # more than a cell of CSV may have
    with pytest.raises(errors.VendorAPIError, match="is not CSV") as caught:
        fetch(conn_id=account("sendgrid"), job_id=ended(sim, "sendgrid", "contacts"), path=str(path))
    assert "a@" not in str(caught.value)


# Arguments that make no sense.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_id": ""}, "job_id"),
        ({"job_id": None}, "job_id"),
        ({"job_id": []}, "empty list"),
        ({"job_id": ["a", "a"]}, "more than once"),
        ({"job_id": ".."}, "path"),
        ({"job_id": "['a', 'b']"}, "render_template_as_native_obj"),
        ({"conn_id": " "}, "conn_id"),
    ],
)
def test_literals_are_checked_when_the_dag_is_parsed(arguments, words):
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        BulkJobResultsOperator(task_id="r", **{"conn_id": "sendgrid_default", "job_id": "1", "path": "x", **arguments})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"job_kind": "leads"}, "contacts, export"),
        ({"path": 7}, "path='7' cannot be opened"),
        ({"path": None}, "path='None' cannot be opened"),
        ({"path": "nowhere://bucket/rows.jsonl"}, "cannot be opened"),
        ({"job_id": "None"}, "job_id"),
    ],
)
def test_bad_arguments_fail_before_any_request(arguments, words, sim, account, path):
    operator = BulkJobResultsOperator(task_id="results", conn_id="{{ conn }}", job_id="{{ job }}", path="{{ path }}")
    good = {"conn_id": account("sendgrid"), "job_id": ended(sim, "sendgrid", "contacts"), "path": str(path)}
    for name, value in {**good, **arguments}.items():
        setattr(operator, name, value)
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        operator.execute({})
    assert sim.requests("sendgrid") == []


def test_no_job_has_no_results(tmp_path):
    operator = BulkJobResultsOperator(task_id="r", conn_id="a", job_id="{{ x }}", path=str(tmp_path / "a.jsonl"))
    operator.job_id = []  # as a template renders it, after a submit that came to nothing
    with pytest.raises(AirflowSkipException, match="nothing was submitted"):
        operator.execute({})


def test_path_is_an_output_of_its_own():
    operator = BulkJobResultsOperator(task_id="results", conn_id="sendgrid_default", job_id="1", path="a.jsonl")
    assert operator.multiple_outputs is True
