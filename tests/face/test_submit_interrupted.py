# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and the timeout of a task wait for the response to the request in flight, and it is recorded."""

import os
import signal

import pytest
from face.submit_cases import IMPORT, Store, TaskInstance, books, each_once, make, sent, submit

from airflow_provider_bulkjobs._airflow import AirflowTaskTimeout
from airflow_provider_bulkjobs.exceptions import BulkJobError, PartialSubmitError
from airflow_provider_bulkjobs.http import retry
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport


class Terminated(BaseException):
    """As Airflow 2 raises at SIGTERM."""


ERRORS = {signal.SIGTERM: Terminated, signal.SIGALRM: AirflowTaskTimeout}
each_signal = pytest.mark.parametrize("number", ERRORS, ids=lambda number: number.name)


@pytest.fixture(autouse=True)
def handlers(long_jobs):
    """Install Airflow's handlers of the signals: they raise an error."""

    def interrupt(number, _frame):
        raise ERRORS[number]

    before = {number: signal.signal(number, interrupt) for number in ERRORS}
    yield interrupt
    for number, handler in before.items():
        assert signal.getsignal(number) is not None
        signal.signal(number, handler)


@pytest.fixture
def during_request(monkeypatch):
    """Call a function when the response to a request has arrived, and nothing has read it yet."""

    def call(function, request=2):
        send, number = RequestsTransport._send, iter(range(1, 99))

        def interrupted(self, *arguments):
            response = send(self, *arguments)
            if next(number) == request:
                function()
            return response

        monkeypatch.setattr(RequestsTransport, "_send", interrupted)

    return call


def deliver(number):
    os.kill(os.getpid(), number)


@each_signal
def test_request_in_flight_is_recorded_first(number, during_request, handlers, sim, account):
    conn_id, store = account("activecampaign"), Store()
    during_request(lambda: deliver(number))
    with pytest.raises(ERRORS[number]):
        submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())
    assert signal.getsignal(number) is handlers
    assert len(sent(sim, "activecampaign")) == 2
    assert len(submit({"task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())) == 3
    assert books(sim, "activecampaign") == each_once(600)


@each_signal
def test_without_a_store_the_error_names_the_job_of_that_request(number, during_request, sim, account):
    ti = TaskInstance()
    during_request(lambda: deliver(number))
    with pytest.raises(PartialSubmitError, match=r"2 of 3 batches accepted.*Batch 3.*: not accepted") as caught:
        submit({"ti": ti}, conn_id=account("activecampaign"), **IMPORT.arguments())
    assert len(ti.pushed[-1]) == 2
    assert all(job_id in str(caught.value) for job_id in ti.pushed[-1])


def test_nothing_is_sent_after_a_handler_that_returns(during_request, sim, account):
    """Airflow 3 calls on_kill at SIGTERM, and kills the process five seconds later."""
    conn_id, store = account("activecampaign"), Store()
    operator = make(conn_id=conn_id, wait_for_completion=False, **IMPORT.arguments())
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    during_request(lambda: deliver(signal.SIGTERM))
    with pytest.raises(BulkJobError, match=r"terminated the task.*2 of 3 batches accepted"):
        operator.execute({"task_state_store": store})
    assert len(sent(sim, "activecampaign")) == 2
    submit({"task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())
    assert books(sim, "activecampaign") == each_once(600)


@pytest.mark.parametrize("returns", [False, True])
def test_nothing_is_sent_after_a_signal_during_the_write_before_it(returns, sim, account):
    conn_id = account("activecampaign")
    operator = make(conn_id=conn_id, wait_for_completion=False, **IMPORT.arguments())
    if returns:
        signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    store = Store(lambda value: value["in_flight"] and deliver(signal.SIGTERM))
    with pytest.raises(BulkJobError if returns else Terminated):
        operator.execute({"task_state_store": store})
    assert sent(sim, "activecampaign") == []
    submit({"task_state_store": Store()}, conn_id=conn_id, **IMPORT.arguments(1))
    store.dies = lambda _value: False
    submit({"task_state_store": store}, conn_id=conn_id, **IMPORT.arguments(2))  # other records: nothing is in doubt


@each_signal
def test_delay_before_a_retry_is_interrupted(number, sim, account, monkeypatch):
    sim.fault("activecampaign", "rate_limit", count=1, retry_after=30)
    monkeypatch.setattr(retry.time, "sleep", lambda _seconds: deliver(number))
    store = Store()
    with pytest.raises(ERRORS[number]):
        submit({"task_state_store": store}, conn_id=account("activecampaign"), **IMPORT.arguments(1))
    assert len(sent(sim, "activecampaign")) == 1
