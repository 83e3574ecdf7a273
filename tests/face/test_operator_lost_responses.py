# SPDX-License-Identifier: Apache-2.0
"""Lost responses: only idempotent requests are sent again."""

import json
import re

import pytest
from face.submit_cases import (
    EXPORTS,
    IMPORT,
    Store,
    TaskInstance,
    books,
    both_modes,
    each_once,
    every_flag,
    idempotent,
    in_pieces,
    lost_answers,
    not_found,
    once_only,
    person,
    run,
    sent,
    submit,
)

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import (
    AirflowFailException,
    AirflowTaskTimeout,
)
from airflow_provider_bulkjobs.exceptions import PartialSubmitError
from airflow_provider_bulkjobs.http import requests_transport as requests_driver


@not_found
@lost_answers
def test_non_idempotent_request_of_unknown_outcome_is_sent_once(fault, case, sim, account, long_jobs, monkeypatch):
    monkeypatch.setattr(requests_driver, "TOTAL_TIMEOUT", 2 if fault == "slow" else 20)
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, fault, count=1, after=True, seconds=3))
    with pytest.raises(PartialSubmitError) as caught:
        submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    message = str(caught.value)
    assert re.search(r"1 of 3 batches accepted \(lines? [\d-]+; job ids ", message), message
    assert re.search(r"\. Batch 2 \(lines? [\d-]+\): outcome unknown\. Batch 3: not sent\. Check ", message), message
    assert first.pushed[-1][0] in message
    assert "@" not in message
    assert len(sent(sim, case.vendor)) == 2
    state = books(sim, case.vendor)
    assert state["total"] == state["distinct"] > case.number // 3, "the second request was obeyed"


@idempotent
@lost_answers
def test_idempotent_request_is_retried(fault, case, sim, account, long_jobs, quick_retries, monkeypatch):
    monkeypatch.setattr(requests_driver, "TOTAL_TIMEOUT", 2 if fault == "slow" else 20)
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, fault, count=1, after=True, seconds=3))
    submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    assert len(sent(sim, case.vendor)) >= 4  # on a busy machine, others may time out as well
    assert books(sim, case.vendor)["distinct"] == case.number


@pytest.mark.parametrize("operation", EXPORTS, ids="-".join)
def test_lost_response_of_an_export_request(operation, sim, account, quick_retries):
    vendor, kind, name = operation
    arguments = {"conn_id": account(vendor), "job_kind": kind, "operation": name, "options": EXPORTS[operation]}
    sim.fault(vendor, "reset", count=1, after=True)
    if vendor == "sendgrid":
        assert len(submit(**arguments)) == 1
        assert len(sent(sim, vendor)) == 2
    else:  # a workspace may have one at a time
        with pytest.raises(PartialSubmitError, match="The outcome of the request is unknown"):
            submit(**arguments)
        assert len(sent(sim, vendor)) == 1


@once_only
@pytest.mark.parametrize("durable", [True, False])
def test_429_proves_that_nothing_was_executed(durable, case, sim, account, long_jobs, quick_retries):
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "rate_limit", count=3, retry_after=0.01))
    context = {"ti": first} | ({"task_state_store": Store()} if durable else {})
    submit(context, conn_id=account(case.vendor), **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert len(sent(sim, case.vendor)) == 6


def test_refused_connection_proves_that_nothing_was_sent_by_a_submit(connection, quick_retries):
    conn_id = connection("nobody", conn_type="activecampaign", host="http://127.0.0.1:1", password="x")
    with pytest.raises(errors.VendorUnavailableError, match=r"Batch 1 .*not accepted"):
        submit(conn_id=conn_id, **IMPORT.arguments())


@pytest.mark.parametrize("operation", ["upsert", "import_csv"])
def test_csv_without_a_header_names_no_person(operation, sim, account, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("ada@example.com,Ada\nbob@example.com,Bob\n")
    with pytest.raises(errors.BadArgumentError) as raised:
        submit(conn_id=account("sendgrid"), operation=operation, records=str(path))
    assert "@" not in str(raised.value)
    assert books(sim, "sendgrid")["total"] == 0


def test_reported_lines_are_lines_of_the_file(sim, account, tmp_path):
    path = tmp_path / "people.jsonl"
    path.write_text("\n\n".join(json.dumps(person(n)) for n in range(300)))  # every second line is empty
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "reset", count=1, after=True))
    with pytest.raises(PartialSubmitError, match=r"\(lines 1-499; .*Batch 2 \(lines 501-599\): outcome unknown"):
        submit({"ti": first}, conn_id=account("activecampaign"), records=str(path))


@once_only
def test_without_a_store_a_non_idempotent_submit_is_not_retried(case, sim, account, long_jobs):
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "unauthorized", count=1))
    with pytest.raises(
        PartialSubmitError, match=r"1 of 3 batches accepted.*Batch 2 .*not accepted.*Not retried"
    ) as caught:
        submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    assert isinstance(caught.value, AirflowFailException)


@idempotent
def test_without_a_store_an_idempotent_submit_is_retried(case, sim, account, long_jobs):
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "unauthorized", count=1))
    with pytest.raises(
        errors.AuthenticationError, match=r"1 of 3 batches accepted.*Batch 2 .*not accepted\. Batch 3: not sent"
    ):
        submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    submit({}, conn_id=account(case.vendor), **case.arguments())
    assert books(sim, case.vendor)["distinct"] == case.number


@in_pieces
def test_without_a_store_a_submit_that_sent_nothing_is_retried(case, sim, account):
    sim.fault(case.vendor, "unauthorized", count=1)
    with pytest.raises(
        errors.AuthenticationError, match=r"0 of 3 batches .*Batch 1 .*not accepted\. Batches 2-3: not sent"
    ):
        submit(conn_id=account(case.vendor), **case.arguments())


@pytest.mark.parametrize("error", [SystemExit(1), AirflowTaskTimeout("execution_timeout")], ids=type)
def test_without_a_store_an_interrupted_submit_is_not_retried(error, sim, account):
    def break_off():
        raise error

    with pytest.raises(PartialSubmitError, match="1 of 3 batches accepted"):
        submit({"ti": TaskInstance(break_off)}, conn_id=account("activecampaign"), **IMPORT.arguments())


@every_flag
@both_modes
@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize(
    "fault", [{"fault": "reset", "after": True}, {"fault": "unauthorized"}], ids=["lost", "refused"]
)
def test_partial_submit_is_never_skipped(fault, durable, mode, flag, sim, account):
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", count=1, **fault))
    context = {"ti": first} | ({"task_state_store": Store()} if durable else {})
    refused = durable and "after" not in fault
    with pytest.raises(errors.AuthenticationError if refused else PartialSubmitError):
        run(mode, context, conn_id=account("activecampaign"), **{flag: True}, **IMPORT.arguments())


@every_flag
def test_unknown_outcome_of_an_earlier_try_is_never_skipped(flag, sim, account):
    arguments, store = {"conn_id": account("activecampaign"), **IMPORT.arguments()}, Store()
    sim.fault("activecampaign", "reset", count=1, after=True)
    for _ in range(2):
        with pytest.raises(PartialSubmitError):
            run("poke", {"task_state_store": store}, **{flag: True}, **arguments)
