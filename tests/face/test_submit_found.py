# SPDX-License-Identifier: Apache-2.0
"""A request of unknown outcome was appended to a job: its number of items proves that the request was executed."""

import pytest
from face.submit_cases import (
    IN_PIECES,
    Store,
    TaskInstance,
    WorkerDiedError,
    books,
    each_once,
    lost_answers,
    sent,
    submit,
)

from airflow_provider_bulkjobs.exceptions import PartialSubmitError
from airflow_provider_bulkjobs.http import requests_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport

CREATE = next(case for case in IN_PIECES if case[:3] == ("intercom", "contacts", "create"))


def died_at(accepted):
    """Let the worker die when a request has been accepted, and before that is recorded."""
    return Store(lambda value: isinstance(value, dict) and value["accepted"] == accepted and not value["in_flight"])


def resume(store, conn_id):
    store.dies = lambda _value: False
    return submit({"task_state_store": store}, conn_id=conn_id, **CREATE.arguments())


@pytest.fixture(autouse=True)
def open_jobs(long_jobs):
    """Let no job close during a test."""


@pytest.mark.parametrize("accepted", [2, 3])
def test_next_try_finds_the_request_and_continues(accepted, sim, account):
    conn_id, store = account("intercom"), died_at(accepted)
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **CREATE.arguments())
    assert len(resume(store, conn_id)) == 1
    assert books(sim, "intercom") == each_once(CREATE.number)
    assert len(sent(sim, "intercom")) == 3


def test_first_request_has_no_job_to_be_found_in(sim, account):
    conn_id, store = account("intercom"), died_at(1)
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **CREATE.arguments())
    with pytest.raises(PartialSubmitError, match=r"request was in flight.*Batch 1 .*outcome unknown"):
        resume(store, conn_id)
    assert len(sent(sim, "intercom")) == 1


def test_request_that_is_not_found_stays_unknown(sim, account, monkeypatch):
    """Its worker may be suspended, and send it later."""
    conn_id, store, send = account("intercom"), Store(), RequestsTransport._send

    def die(transport, effect, policy):
        if "job" in (effect.request.body or b"").decode():
            raise WorkerDiedError
        return send(transport, effect, policy)

    with monkeypatch.context() as broken:
        broken.setattr(RequestsTransport, "_send", die)
        with pytest.raises(WorkerDiedError):
            submit({"task_state_store": store}, conn_id=conn_id, **CREATE.arguments())
    with pytest.raises(PartialSubmitError, match=r"request was in flight.*Batch 2 .*outcome unknown"):
        resume(store, conn_id)
    assert len(sent(sim, "intercom")) == 1


@pytest.mark.parametrize("fault", ["unauthorized", "server_error"])
def test_outcome_stays_unknown_if_the_vendor_cannot_be_asked(fault, sim, account, quick_retries):
    conn_id, store = account("intercom"), died_at(2)
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **CREATE.arguments())
    sim.fault("intercom", fault)
    with pytest.raises(PartialSubmitError, match=r"Batch 2 .*outcome unknown"):
        resume(store, conn_id)
    sim.clear_faults()
    assert len(resume(store, conn_id)) == 1, "asked again"
    assert books(sim, "intercom") == each_once(CREATE.number)


@lost_answers
def test_lost_response_is_looked_up_in_the_same_try(fault, sim, account, monkeypatch):
    monkeypatch.setattr(requests_transport, "TOTAL_TIMEOUT", 2 if fault == "slow" else 20)
    first = TaskInstance(on_id=lambda: sim.fault("intercom", fault, count=1, after=True, seconds=3))
    assert len(submit({"ti": first}, conn_id=account("intercom"), **CREATE.arguments())) == 1
    assert books(sim, "intercom") == each_once(CREATE.number)
    assert len(sent(sim, "intercom")) == 3
