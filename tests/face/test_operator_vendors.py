# SPDX-License-Identifier: Apache-2.0
"""Submits that are particular to one vendor."""

import json
from dataclasses import replace

import pytest
from face.submit_cases import CSV, IMPORT, IN_PIECES, Store, TaskInstance, books, each_once, person, run, sent, submit

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs.http import retry as patience_module
from airflow_provider_bulkjobs.vendors.activecampaign import vendor as activecampaign
from airflow_provider_bulkjobs.vendors.spec.throttling import Throttling


@pytest.mark.parametrize("durable", [True, False])
def test_the_import_limit_of_activecampaign_is_retried(durable, sim, account, monkeypatch):
    limit = replace(activecampaign.IMPORT_LIMIT, pause=0.05)
    monkeypatch.setattr(activecampaign.ActiveCampaign, "throttling", Throttling(limits=(limit,)))
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "import_limit", count=2))
    context = {"ti": first} | ({"task_state_store": Store()} if durable else {})
    submit(context, conn_id=account("activecampaign"), **IMPORT.arguments())
    assert books(sim, "activecampaign") == each_once(600)
    assert len(sent(sim, "activecampaign")) == 5


def test_zero_rate_limit_disables_the_pause(sim, account, monkeypatch):
    pauses = []
    monkeypatch.setattr(patience_module.RetryPolicy, "sleep", lambda _self, seconds: pauses.append(seconds))
    sim.fault("activecampaign", "rate_limit", count=1, retry_after=0)
    submit(conn_id=account("activecampaign"), **IMPORT.arguments(1))
    assert max(pauses) <= 1


def test_activecampaign_imports_are_limited_to_100_a_minute(sim, account):
    submit(conn_id=account("activecampaign", extra={}), **IMPORT.arguments())
    first, _, third = (request.time for request in sent(sim, "activecampaign"))
    assert third - first >= 1.15


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "gone"])
def test_closed_intercom_job_is_followed_by_a_new_one(closed, operation, sim, account):
    [case] = [case for case in IN_PIECES if case[:3] == ("intercom", "contacts", operation)]
    sim.settings(job_seconds=0 if closed else 60)
    first = TaskInstance()
    first.on_id = lambda: None if closed else sim.expire(first.pushed[-1][0])
    job_ids = submit({"ti": first, "task_state_store": Store()}, conn_id=account("intercom"), **case.arguments())
    assert len(job_ids) == len(set(job_ids)) == (3 if closed else 2)
    assert first.pushed[-1] == job_ids
    assert books(sim, "intercom") == each_once(250)


def test_missing_permission_is_not_taken_for_a_closed_job(sim, account):
    sim.fault("intercom", "server_error", status=403)
    with pytest.raises(errors.PermissionDeniedError):
        submit(conn_id=account("intercom"), operation="create", records=[person(1)])
    assert len(sent(sim, "intercom")) == 1


@pytest.mark.parametrize(
    ("fault", "error", "outcome", "uploads"),
    [
        ("unauthorized", errors.VendorAPIError, "not accepted", 1),
        ("redirect", errors.VendorAPIError, "not accepted", 1),
        ("server_error", errors.VendorUnavailableError, r"begun \(job_id .+\)", 10),
        ("reset", errors.VendorUnavailableError, r"begun \(job_id .+\)", 10),
    ],
)
def test_an_upload_that_fails_is_a_failed_submit(fault, error, outcome, uploads, sim, account, quick_retries):
    sim.fault("sendgrid", fault, path="/sendgrid-uploads/")
    task_instance = TaskInstance()
    with pytest.raises(error, match=rf"[Uu]pload.*0 of 1 batches accepted.*{outcome}") as caught:
        run(context={"ti": task_instance}, conn_id=account("sendgrid"), **CSV.arguments())
    assert not any(task_instance.pushed)
    assert "Signature" not in str(caught.value)
    puts = [request for request in sim.requests("sendgrid") if "/sendgrid-uploads/" in request.path_qs]
    assert len(puts) == uploads
    assert sim.requests("elsewhere") == []
    for request in puts:
        assert not {"authorization", "cookie", "on-behalf-of"} & request.headers.keys()
        assert simulator.SENDGRID_KEY not in str(request.headers)


def test_an_upload_goes_through_after_failures(sim, account, quick_retries):
    sim.fault("sendgrid", "server_error", path="/sendgrid-uploads/", count=3)
    sim.fault("sendgrid", "reset", path="/sendgrid-uploads/", count=1, after=True)
    assert run(conn_id=account("sendgrid"), **CSV.arguments())["created"] == 250
    assert books(sim, "sendgrid") == each_once(250)


def test_upload_has_a_length_and_only_the_given_headers(sim, account):
    run(conn_id=account("sendgrid", extra={"on_behalf_of": "subuser"}), **CSV.arguments())
    [put] = [request for request in sim.requests("sendgrid") if "/sendgrid-uploads/" in request.path_qs]
    ours = put.headers.keys() - {"host", "accept-encoding", "content-length", "user-agent"}  # HTTP's own
    assert ours == {"x-amz-server-side-encryption"}
    assert 0 < int(put.headers["content-length"]) < sum(len(json.dumps(person(n))) for n in range(250)) / 2, "gzipped"


@pytest.mark.parametrize(
    ("records", "options", "words"),
    [
        ([{"email": "a@example.com", "shoe_size": "9"}], None, "no field for column 'shoe_size'"),
        ([{"email": "a@example.com", "x": "9"}], {"field_mappings": ["_rf2_T"]}, "1 entries for 2 columns"),
    ],
)
def test_unknown_columns_are_refused_before_the_import(records, options, words, sim, account):
    with pytest.raises(errors.BadArgumentError, match=words):
        submit(conn_id=account("sendgrid"), operation="import_csv", records=records, options=options)
    assert sent(sim, "sendgrid") == []


def test_columns_are_mapped_by_option(sim, account):
    records = [{"email": "a@example.com", "x": "9"}]
    arguments = {"operation": "import_csv", "options": {"field_mappings": ["_rf2_T", None]}}
    assert run(conn_id=account("sendgrid"), records=records, **arguments)["created"] == 1
    assert not [request for request in sim.requests("sendgrid") if "field_definitions" in request.path_qs]
