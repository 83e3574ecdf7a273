# SPDX-License-Identifier: Apache-2.0
"""Invalid records and arguments: nothing is sent."""

import gzip
import json
import re

import pytest
from face.submit_cases import Store, books, both_modes, each_once, make, person, run, submit

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

MIXED = [person(1), {"first_name": "B"}, person(3), {}, "person", person(6)]


@both_modes
def test_invalid_records_are_skipped_and_reported(mode, sim, account, tmp_path):
    path = tmp_path / "new" / "rejected.jsonl"
    arguments = {"conn_id": account("activecampaign"), "records": MIXED}
    result = run(mode, skip_invalid=True, results_path=str(path), **arguments)
    assert (result["created"], books(sim, "activecampaign")) == (3, each_once(3))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["line"], row["item"], row["error"]) for row in rows] == [
        (2, {"first_name": "B"}, "lacks field 'email'"),
        (4, {}, "is empty"),
        (5, {}, "is a str, not a dict"),
    ]
    assert {(row["job_id"], row["status"]) for row in rows} == {(None, "rejected")}


def test_without_invalid_records_the_file_is_empty(sim, account, tmp_path):
    path = tmp_path / "rejected.jsonl"
    submit(conn_id=account("activecampaign"), records=[person(1)], skip_invalid=True, results_path=str(path))
    assert path.read_text() == ""


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("skip_invalid", [True, False])
@both_modes
def test_nothing_to_submit_is_no_error_where_it_is_allowed(mode, skip_invalid, wait, sim, account, tmp_path):
    path = tmp_path / "rejected.jsonl"
    records = [{"first_name": "B"}] if skip_invalid else []
    arguments = {"conn_id": account("activecampaign"), "records": records, "wait_for_completion": wait}
    result = run(mode, allow_empty=True, skip_invalid=skip_invalid, results_path=str(path), **arguments)
    if wait:
        counts = ("total", "succeeded", "failed", "created", "updated", "deleted", "job_count")
        assert {result[name] for name in counts} == {0}
        assert (result["state"], result["jobs"]) == ("succeeded", [])
    else:
        assert result == []
    assert sim.requests("activecampaign") == []
    assert path.exists() == skip_invalid


@pytest.mark.parametrize(
    ("skip_invalid", "words"), [(True, "all 1 records are invalid"), (False, "nothing was sent: line 1 lacks")]
)
def test_nothing_but_invalid_records(skip_invalid, words, sim, account, tmp_path):
    arguments = {"skip_invalid": skip_invalid, "results_path": str(tmp_path / "rejected.jsonl")}
    with pytest.raises(errors.BadArgumentError, match=words):
        run(conn_id=account("activecampaign"), records=[{"first_name": "B"}], **arguments)
    assert sim.requests("activecampaign") == []


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.csv", ""), ("a.csv", "email\n")])
def test_empty_file_is_an_error(name, text, sim, account, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(errors.BadArgumentError, match=r"there are none.*allow_empty"):
        run(conn_id=account("activecampaign"), records=str(tmp_path / name))
    assert sim.requests("activecampaign") == []


def test_error_lists_ten_problems_without_personal_data(sim, account):
    records = [{"email": "person.example.com", "first_name": "Secretive"}] * 12 + [person(1)]
    with pytest.raises(
        errors.BadArgumentError, match=r"12 of 13 records .*line 1 has no.*line 10 .*and 2 more"
    ) as caught:
        run(conn_id=account("activecampaign"), records=records)
    assert not any(word in str(caught.value) for word in ("line 11", "Secretive", "person.example"))
    assert sim.requests("activecampaign") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "reschedule"}, "mode='reschedule' would submit the records again at each poke"),
        ({"skip_invalid": True}, "skip_invalid=True requires results_path"),
        ({"conn_id": " "}, "conn_id"),
        ({"allowed_failures": 1.5}, "allowed_failures=1.5"),
        ({"expected_items": 0}, "expected_items=0"),
    ],
)
def test_literals_are_checked_when_the_dag_is_parsed(arguments, words):
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        BulkJobOperator(task_id="i", **{"conn_id": "sendgrid_default", "records": [person(1)], **arguments})


@both_modes
@pytest.mark.parametrize(
    ("vendor", "arguments", "words"),
    [
        ("sendgrid", {"operation": None}, "Missing operation for Twilio SendGrid .* upsert, import_csv, delete"),
        ("sendgrid", {"operation": "create"}, "Unknown operation='create' for Twilio SendGrid"),
        ("sendgrid", {"job_kind": "leads"}, "job_kind='leads' is unknown"),
        ("sendgrid", {"options": {"lists": []}}, "Unknown option 'lists' .* list_ids"),
        ("sendgrid", {"options": {"list_ids": "a"}}, "option 'list_ids' is a str, not a list"),
        ("sendgrid", {"options": ["list_ids"]}, "options is a list. Pass a dict"),
        ("sendgrid", {"allowed_failures": "None"}, "allowed_failures='None'"),
        ("sendgrid", {"expected_items": "0"}, "expected_items='0'"),
        ("sendgrid", {"cancel_on_kill": True}, "does not support canceling a contact import"),
        ("sendgrid", {"records": None}, "records is None"),
        ("sendgrid", {"records": 7}, "records is a int"),
        ("sendgrid", {"records": person(1)}, "records is a dict"),
        ("sendgrid", {"records": []}, "records: there are none"),
        ("sendgrid", {"records": "/there/is/no/such.csv"}, "'/there/is/no/such.csv' cannot be read: No such file"),
        ("sendgrid", {"records": "/there/is/no/such.xlsx"}, "is not JSON Lines"),
        ("sendgrid", {"records": "nowhere://a/b.csv"}, "'nowhere://a/b.csv' cannot be opened"),
        ("sendgrid", {"records": "[{'email': 'a@example.com'}]"}, "render_template_as_native_obj"),
        ("sendgrid", {"records": [[person(1)], [person(2)]]}, "line 1 is a list, not a dict; line 2 is a list"),
        ("sendgrid", {"records": [person(1), {"first_name": "B"}]}, "1 of 2 records .*line 2 lacks"),
        ("sendgrid", {"records": [{**person(1), "city": object()}]}, "line 1 has a object in field 'city'"),
        ("sendgrid", {"records": [{**person(1), "city": float("nan")}]}, "line 1 has NaN .float. in field 'city'"),
        ("sendgrid", {"records": [{**person(1), "postal_code": "1" * 6_000_000}]}, "line 1 is 60000.* bytes"),
        ("sendgrid", {"records": [person(1)], "skip_invalid": True, "results_path": "nowhere://a"}, "cannot be opened"),
        ("sendgrid", {"operation": "import_csv", "records": [{"email": ["a"]}]}, "line 1 has a list in field 'email'"),
        (
            "sendgrid",
            {"operation": "delete", "options": {"delete_all_contacts": True}},
            "records: the operation .* takes none",
        ),
        ("sendgrid", {"operation": "delete", "records": [{"id": ""}]}, "line 1 lacks field 'id'"),
        ("sendgrid", {"job_kind": "export", "operation": None}, "records: the operation 'export' takes none"),
        (
            "sendgrid",
            {"job_kind": "export", "operation": None, "records": None, "options": {"file_type": "xml"}},
            "'file_type' is 'xml'. Use one of csv, json",
        ),
        (
            "intercom",
            {"job_kind": "export", "operation": None, "records": None},
            "option 'created_at_after' is missing",
        ),
        ("intercom", {"operation": "create", "records": [{"mail": "a@example.com"}]}, "line 1 lacks"),
        (
            "intercom",
            {"operation": "create", "records": [{**person(1), "pet": 1}]},
            "field 'pet', which the vendor would",
        ),
        ("intercom", {"operation": "update", "records": [person(1)]}, "line 1 lacks field 'id'"),
        (
            "intercom",
            {"job_kind": "job", "operation": None, "records": [{"ticket_type_id": "1"}]},
            "lacks field 'contacts'",
        ),
        ("activecampaign", {"operation": None, "records": [{"email": "@example.com"}]}, "line 1 has no e-mail address"),
        ("acquia", {"operation": "edit", "records": [person(1)]}, "line 1 lacks field 'id'"),
    ],
)
def test_invalid_arguments_fail_before_any_request(mode, vendor, arguments, words, sim, account):
    good = {"operation": "upsert", "records": [person(1)]}
    operator = make(mode, conn_id=account(vendor), skip_invalid=False)
    for name, value in {**good, **arguments}.items():  # as templates leave them, so that nothing is checked before
        setattr(operator, name, value)
    with pytest.raises((errors.BadArgumentError, errors.RecordsReadError), match=words):
        operator.execute({"task_state_store": Store()})
    assert sim.requests(vendor) == []


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jsonl", b'{"email": "a@example.com"}\n{"email"\n', "line 2 is not JSON"),
        ("a.jsonl", b'["a@example.com"]\n', "line 1 is JSON, but not an object"),
        ("a.csv", b"email,city\na@example.com\n", "line 2 has 1 columns, and the header has 2"),
        ("a.csv", b"email,email\na@example.com,b\n", "the header must have unique, non-empty column names"),
        ("a.csv", b'email\n"a@example.com\n', "is not CSV"),
        ("a.csv", b"email\n\xff\n", "not UTF-8"),
        ("a.csv.gz", b"email\na@example.com\n", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"email\na@example.com\n", mtime=0)[:-9], "cannot be read"),
    ],
)
def test_unreadable_file_fails_before_any_request(name, data, words, sim, account, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises((errors.BadArgumentError, errors.RecordsReadError), match=words):
        run(conn_id=account("sendgrid"), operation="upsert", records=str(tmp_path / name))
    assert sim.requests("sendgrid") == []


@both_modes
def test_invalid_connection_is_an_error(mode, connection):
    conn_id = connection("elsewhere", conn_type="http", host="http://127.0.0.1:1")
    for wrong in (conn_id, "nowhere"):
        with pytest.raises(errors.BadConnectionError, match=wrong):
            run(mode, conn_id=wrong, records=[person(1)])
