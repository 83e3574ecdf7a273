# SPDX-License-Identifier: Apache-2.0
"""A request of unknown outcome has a unique name: the vendor's list of jobs proves that it was executed (HubSpot)."""

import json

import pytest
from face.submit_cases import (
    IN_ONE_FILE,
    Store,
    TaskInstance,
    WorkerDiedError,
    both_modes,
    lost_answers,
    run,
    sent,
    submit,
)

from airflow_provider_bulkjobs.exceptions import PartialSubmitError
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.http import requests_transport

CASE = next(case for case in IN_ONE_FILE if case[:3] == ("hubspot", "import", "create"))
SUBMIT = CASE.arguments(5)


@pytest.fixture(autouse=True)
def open_jobs(long_jobs, quick_retries):
    """Let no import end during a test: the list has active imports only."""


def imports(sim):
    return [job["job_id"] for job in sim.state()["hubspot"]["jobs"]]


def names(conn_id):
    """Return the names of the active imports."""
    found = hook_for(conn_id).get_conn().get("/crm/v3/imports").json()["results"]
    return [each["importName"] for each in found]


def died():
    """Let the worker die when a request has been accepted, and before that is recorded."""
    return Store(lambda value: isinstance(value, dict) and value["accepted"] == 1)


@lost_answers
def test_lost_response_is_looked_up_in_the_same_try(fault, sim, account, monkeypatch):
    monkeypatch.setattr(requests_transport, "TOTAL_TIMEOUT", 2 if fault == "slow" else 20)
    sim.fault("hubspot", fault, count=1, after=True, seconds=3)
    assert submit({"ti": TaskInstance()}, conn_id=account("hubspot"), **SUBMIT) == imports(sim)
    assert len(sent(sim, "hubspot")) == 1


@both_modes
def test_wait_continues_with_the_import_that_was_found(mode, sim, account):
    sim.settings(job_seconds=1)
    sim.fault("hubspot", "reset", count=1, after=True)
    assert run(mode, conn_id=account("hubspot"), **SUBMIT)["state"] == "succeeded"
    assert len(imports(sim)) == 1


def test_next_try_finds_the_import_on_a_later_page(sim, account):
    for _ in range(101):
        sim.job("hubspot", "import", items=1)
    conn_id, store = account("hubspot"), died()
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)
    store.dies = lambda _value: False
    assert submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT) == imports(sim)[-1:]
    assert len(sent(sim, "hubspot")) == 1


def test_import_of_the_same_records_by_another_submit_is_not_taken(sim, account):
    conn_id = account("hubspot")
    submit(conn_id=conn_id, **SUBMIT)
    sim.fault("hubspot", "reset", count=1, after=False)
    with pytest.raises(PartialSubmitError, match="outcome unknown"):
        submit(conn_id=conn_id, **SUBMIT)
    assert len(imports(sim)) == 1


@pytest.mark.parametrize("fault", ["unauthorized", "server_error", "not_json"])
def test_outcome_stays_unknown_if_the_vendor_cannot_be_asked(fault, sim, account):
    conn_id, store = account("hubspot"), died()
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)
    store.dies = lambda _value: False
    sim.fault("hubspot", fault)
    with pytest.raises(PartialSubmitError, match="outcome unknown"):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)
    sim.clear_faults()
    assert submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT) == imports(sim), "asked again"


def test_import_that_is_not_listed_any_more_stays_unknown(sim, account):
    conn_id, store = account("hubspot"), died()
    sim.settings(job_seconds=0)
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)
    store.dies = lambda _value: False
    with pytest.raises(PartialSubmitError, match="outcome unknown"):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)
    assert len(sent(sim, "hubspot")) == 1


def test_checkpoint_of_an_earlier_version_has_no_name_to_look_for(sim, account):
    conn_id, store = account("hubspot"), died()
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)
    store.dies = lambda _value: False
    store.values = {
        key: json.dumps({name: each for name, each in json.loads(value).items() if name != "submit_id"})
        for key, value in store.values.items()
    }
    with pytest.raises(PartialSubmitError, match="outcome unknown"):
        submit({"task_state_store": store}, conn_id=conn_id, **SUBMIT)


def test_each_import_has_its_own_name(sim, account):
    conn_id = account("hubspot")
    for options in ({}, {"name": "Newsletter"}, {"name": "Newsletter"}):
        submit(conn_id=conn_id, **SUBMIT, options=options)
    assert len(set(names(conn_id))) == 3
    assert [name.partition(" (")[0] for name in names(conn_id)] == ["Airflow", "Newsletter", "Newsletter"]
