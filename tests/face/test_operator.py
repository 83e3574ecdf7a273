# SPDX-License-Identifier: Apache-2.0
"""Submitting over real HTTP: nothing twice and nothing lost, by the simulator's own books."""

import gzip
import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from face.modes import fire

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs._airflow import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.http import requests_transport as requests_driver
from airflow_provider_bulkjobs.http import retry as patience_module
from airflow_provider_bulkjobs.links import PAGE_KEY
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.operators.checkpoint_store import PART, STATE, TaskCheckpointStore
from airflow_provider_bulkjobs.simulator import activecampaign as simulated_activecampaign
from airflow_provider_bulkjobs.submitting import submission
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint
from airflow_provider_bulkjobs.vendors import VENDORS, activecampaign

SIMULATED = {"acquia_campaign_studio": "acquia"}


def person(number):
    return {"email": f"person-{number}@example.com"}


def known(number):
    return {"id": f"{number:036}"}


def company(number):
    return {"company_id": f"c-{number}", "name": "Example"}


def ticket(number):
    return {"ticket_type_id": "1", "contacts": [{"id": str(number)}]}


class Case(NamedTuple):
    """An operation, and as many records as make three requests."""

    vendor: str
    kind: str
    operation: str
    record: Callable[[int], dict[str, Any]]
    number: int
    idempotent: bool

    def arguments(self, number: int | None = None) -> dict[str, Any]:
        records = [self.record(n) for n in range(1, (self.number if number is None else number) + 1)]
        return {"job_kind": self.kind, "operation": self.operation, "records": records}


# Written out, so that what may be repeated does not come from the code it is to check.
IN_PIECES = (
    Case("intercom", "contacts", "create", person, 250, idempotent=False),
    Case("intercom", "contacts", "update", known, 250, idempotent=True),
    Case("intercom", "contacts", "delete", known, 250, idempotent=False),
    Case("intercom", "companies", "upsert", company, 250, idempotent=True),
    Case("intercom", "companies", "update", known, 250, idempotent=True),
    Case("intercom", "companies", "delete", known, 250, idempotent=False),
    Case("intercom", "job", "enqueue", ticket, 3, idempotent=False),
    Case("sendgrid", "contacts", "upsert", person, 60_001, idempotent=True),
    Case("sendgrid", "contacts", "delete", known, 250, idempotent=False),
    Case("activecampaign", "contacts", "import", person, 600, idempotent=False),
    Case("acquia", "contacts", "create", person, 20_001, idempotent=False),
    Case("acquia", "contacts", "edit", known, 20_001, idempotent=True),
    Case("acquia", "contacts", "replace", known, 20_001, idempotent=False),
)
CSV = Case("sendgrid", "contacts", "import_csv", person, 250, idempotent=True)  # a million rows are one request
WITH_RECORDS = (*IN_PIECES, CSV)
EXPORTS = {
    ("intercom", "export", "export"): {"created_at_after": 1, "created_at_before": 2},
    ("sendgrid", "export", "export"): {"file_type": "json"},
}
IMPORT, CREATE, UPSERT = (
    next(case for case in IN_PIECES if (case.vendor, case.operation) == wanted)
    for wanted in (("activecampaign", "import"), ("acquia", "create"), ("sendgrid", "upsert"))
)


def cases(which):
    return pytest.mark.parametrize("case", which, ids=lambda case: "-".join(case[:3]))


every_case = cases(WITH_RECORDS)
in_pieces = cases(IN_PIECES)
once_only = cases([case for case in IN_PIECES if not case.idempotent])
idempotent = cases([case for case in IN_PIECES if case.idempotent])
both_modes = pytest.mark.parametrize("mode", ["poke", "deferrable"])
every_flag = pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
lost_answers = pytest.mark.parametrize("fault", ["reset", "half_body", "not_json", "slow", "server_error"])


class TaskInstance:
    """As much of a task instance as a submit asks for.

    :param on_id: called when the first job id is there, which is after the first request and before the second.
    """

    def __init__(self, on_id: Callable[[], Any] = lambda: None) -> None:
        self.on_id = on_id
        self.pushed: list[list[str]] = []
        self.page: str | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        if key == PAGE_KEY:
            self.page = value
            return
        if key == "return_value":
            return
        assert key == "job_ids"
        self.pushed.append(json.loads(json.dumps(value)))
        if value and not any(self.pushed[:-1]):
            self.on_id()


class Store:
    """As much of the task's state as Airflow keeps from 3.3 on: JSON, by key.

    :param dies: the worker dies when this is to be noted down.
    """

    def __init__(self, dies: Callable[[Any], bool] = lambda _value: False) -> None:
        self.dies = dies
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        assert retention == timedelta.max, "it must not expire before the wait ends"
        if self.dies(value):
            raise WorkerDiedError
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class WorkerDiedError(BaseException):
    """What no code of the worker survives."""


@pytest.fixture(autouse=True)
def no_pace(request, monkeypatch):
    """Send imports to ActiveCampaign as fast as can be; the simulator does not mind, unless asked to."""
    if "pace" not in request.fixturenames:
        hurried = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _seconds: None)
        monkeypatch.setattr(submission, "time", hurried)


@pytest.fixture
def pace():
    """Keep to the pace after all."""


@pytest.fixture
def impatient(monkeypatch):
    """Let ten failures in a row take a moment instead of minutes."""
    original = patience_module.RetryPolicy.__init__
    monkeypatch.setattr(
        patience_module.RetryPolicy,
        "__init__",
        lambda self, **kwargs: original(self, **{**kwargs, "initial_delay": 0.001, "max_delay": 0.002}),
    )


@pytest.fixture
def long_jobs(sim):
    """Let no job end while it is submitted to."""
    sim.settings(job_seconds=60)


def make(mode="poke", **arguments):
    arguments = {"task_id": "import", "poke_interval": 0.05, "timeout": 20, **arguments}
    return BulkJobOperator(deferrable=mode == "deferrable", **arguments)


def run(mode="poke", context=None, **arguments):
    """Return what the operator returns; raise what it raises."""
    context = {} if context is None else context
    try:
        return make(mode, **arguments).execute(context)
    except TaskDeferred as deferred:
        event = fire(deferred.trigger)
        kwargs = json.loads(json.dumps(deferred.kwargs))
        # Another worker resumes the task: it has only the arguments and the kwargs.
        return getattr(make(mode, **arguments), deferred.method_name)(context, event, **kwargs)


def submit(context=None, **arguments):
    return run(context=context, wait_for_completion=False, **arguments)


def sent(sim, vendor):
    return [request for request in sim.requests(vendor) if request.method != "GET"]


def books(sim, vendor):
    return sim.state()[vendor]["contacts"]


def each_once(number):
    return {"total": number, "distinct": number}


# Every operation.


def test_every_operation_of_those_that_the_simulator_serves_is_here(sim):
    there_are = {
        (name, kind.name, operation.name)
        for vendor in VENDORS
        if (name := SIMULATED.get(vendor.conn_type, vendor.conn_type)) in sim.state()
        for kind in vendor.kinds
        for operation in kind.operations
    }
    assert {case[:3] for case in WITH_RECORDS} | set(EXPORTS) == there_are


@both_modes
@every_case
def test_it_submits_and_waits(mode, case, sim, account):
    number = min(case.number, 250)
    result = run(mode, conn_id=account(case.vendor), **case.arguments(number))
    assert books(sim, case.vendor) == each_once(number)
    assert (result["state"], result["job_kind"]) == ("succeeded", case.kind)
    assert result["total"] in {number, None}
    assert {job["job_id"] for job in result["jobs"]} == {job["job_id"] for job in sim.state()[case.vendor]["jobs"]}


@both_modes
@pytest.mark.parametrize("operation", EXPORTS, ids="-".join)
def test_it_orders_exports(mode, operation, sim, account):
    vendor, kind, name = operation
    result = run(mode, conn_id=account(vendor), job_kind=kind, operation=name, options=EXPORTS[operation])
    assert (result["state"], result["job_count"]) == ("succeeded", 1)
    assert len(sent(sim, vendor)) == 1


@both_modes
@every_case
def test_without_the_wait_it_returns_the_job_ids(mode, case, sim, account, long_jobs):
    job_ids = run(mode, conn_id=account(case.vendor), wait_for_completion=False, **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert job_ids == [job["job_id"] for job in sim.state()[case.vendor]["jobs"]]
    assert len(sent(sim, case.vendor)) == (2 if case is CSV else 3)  # an import is opened, and its file put
    assert not [request for request in sim.requests(case.vendor) if "status" in request.path_qs]


def test_the_only_operation_need_not_be_named(sim, account):
    run(conn_id=account("activecampaign"), records=[person(1)])
    assert books(sim, "activecampaign") == each_once(1)


def test_deleting_all_contacts_takes_no_records(sim, account):
    conn_id = account("sendgrid")
    run(conn_id=conn_id, operation="upsert", records=[person(1), person(2)])
    result = run(conn_id=conn_id, operation="delete", options={"delete_all_contacts": "true"})
    assert result["deleted"] == 2


def test_options_reach_the_vendor(sim, account):
    with pytest.raises(errors.JobNotFoundError, match="list id does not exist"):
        submit(conn_id=account("sendgrid"), options={"list_ids": ["bad-list"]}, **UPSERT.arguments(1))


@pytest.mark.parametrize("source", [tuple, iter, "lazy"])
def test_records_are_any_sequence_also_a_lazy_one(source, sim, account):
    class Lazy(Sequence):
        """As the results of mapped tasks come."""

        def __getitem__(self, index):
            return records[index]

        def __len__(self):
            return len(records)

    records = [person(n) for n in range(300)]
    given = Lazy() if source == "lazy" else source(records)
    submit(conn_id=account("activecampaign"), records=given)
    assert books(sim, "activecampaign") == each_once(300)


@pytest.mark.parametrize("name", ["people.jsonl", "people.csv", "people.jsonl.gz", "people.csv.gz"])
def test_records_come_from_a_file(name, sim, account, tmp_path):
    emails = [person(n)["email"] for n in range(300)]
    lines = [json.dumps({"email": email}) for email in emails] if "jsonl" in name else ["email", *emails]
    data = "\n".join(lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    submit(conn_id=account("activecampaign"), records=str(tmp_path / name))
    assert books(sim, "activecampaign") == each_once(300)


# XCom.


@in_pieces
def test_each_job_id_is_in_xcom_before_the_next_request(case, sim, account, long_jobs):
    seen = []

    class Watching(TaskInstance):
        def xcom_push(self, key, value):
            super().xcom_push(key, value)
            if key == "job_ids":
                seen.append((len(value), len(sent(sim, case.vendor))))

    task_instance = Watching()
    job_ids = submit({"ti": task_instance}, conn_id=account(case.vendor), **case.arguments())
    open_jobs = [each for each in seen if each[0]]
    supports_append = case.vendor == "intercom" and case.kind != "job"
    assert open_jobs == ([(1, 1)] if supports_append else [(1, 1), (2, 2), (3, 3)])
    assert task_instance.pushed[-1] == job_ids


@both_modes
def test_nothing_personal_is_in_xcom_the_state_or_the_log(mode, sim, account, caplog, capsys):
    caplog.set_level(logging.DEBUG, "airflow")
    task_instance, store = TaskInstance(), Store()
    context = {"ti": task_instance, "task_state_store": store}
    noted = []
    store.dies = noted.append  # it returns None: no task is killed
    result = run(mode, context, conn_id=account("activecampaign"), **IMPORT.arguments())
    printed = capsys.readouterr()
    output = f"{task_instance.pushed} {noted} {result} {caplog.text} {printed.out} {printed.err}"
    assert "Batch 3 of 3 accepted (lines 501-600): job " in output
    assert noted
    assert "example.com" not in output
    assert simulator.ACTIVECAMPAIGN_KEY not in output


# A second try.


@in_pieces
def test_a_retry_goes_on_with_the_first_request_that_was_not_accepted(case, sim, account, long_jobs):
    conn_id, store = account(case.vendor), Store()
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "unauthorized", count=1))
    with pytest.raises(errors.AuthenticationError, match=r"1 of 3 batches accepted.*Batch 2 \(.*\): not accepted\."):
        submit({"ti": first, "task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert len(sent(sim, case.vendor)) == 2

    second = TaskInstance()
    job_ids = submit({"ti": second, "task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert len(sent(sim, case.vendor)) == 4
    assert job_ids == [job["job_id"] for job in sim.state()[case.vendor]["jobs"]]
    assert second.pushed[0] == first.pushed[-1], "Airflow empties the XCom between two tries"
    assert second.pushed[-1] == job_ids


@both_modes
def test_a_retry_waits_for_the_jobs_of_both_tries(mode, sim, account):
    conn_id, store = account("activecampaign"), Store()
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "unauthorized", count=1))
    with pytest.raises(errors.AuthenticationError):
        run(mode, {"ti": first, "task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())
    result = run(mode, {"task_state_store": store}, conn_id=conn_id, **IMPORT.arguments())
    assert (result["job_count"], result["created"]) == (3, 600)


@in_pieces
def test_a_worker_that_dies_between_two_requests_costs_nothing(case, sim, account, long_jobs):
    def die():
        raise WorkerDiedError

    conn_id, store = account(case.vendor), Store()
    with pytest.raises(WorkerDiedError):
        submit({"ti": TaskInstance(die), "task_state_store": store}, conn_id=conn_id, **case.arguments())
    submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert len(sent(sim, case.vendor)) == 3


@once_only
@pytest.mark.parametrize("answered", [True, False])
def test_after_a_death_in_the_middle_of_a_request_nothing_is_sent(answered, case, sim, account, long_jobs, monkeypatch):
    def noted_down_in_vain(value):
        return isinstance(value, dict) and value["accepted"] == 1 and not value["in_flight"]

    def die(*_args, **_kwargs):
        raise WorkerDiedError

    conn_id, store = account(case.vendor), Store(noted_down_in_vain if answered else lambda _value: False)
    with monkeypatch.context() as broken:
        if not answered:
            broken.setattr(requests_driver.RequestsTransport, "_send", die)
        with pytest.raises(WorkerDiedError):
            submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    before = len(sim.requests(case.vendor))
    store.dies = lambda _value: False
    for _ in range(2):
        with pytest.raises(PartialSubmitError, match=r"request was in flight.*Batch 1 .*outcome unknown"):
            submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert len(sim.requests(case.vendor)) == before == int(answered)


@idempotent
def test_what_may_be_repeated_goes_on_also_after_a_death_in_the_middle(case, sim, account, long_jobs):
    store = Store(lambda value: isinstance(value, dict) and value["accepted"] == 2)
    conn_id = account(case.vendor)
    with pytest.raises(WorkerDiedError):
        submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    store.dies = lambda _value: False
    submit({"task_state_store": store}, conn_id=conn_id, **case.arguments())
    assert len(sent(sim, case.vendor)) == 4
    assert books(sim, case.vendor)["distinct"] == case.number


@pytest.mark.parametrize(
    "changes",
    [
        {"records": [person(n) for n in range(600)]},
        {"records": [{**person(n), "first_name": "A"} for n in range(1, 601)]},
        {"records": [person(n) for n in range(1, 600)]},
        {"records": [person(n) for n in range(600, 0, -1)]},
        {"options": {"exclude_automations": True}},
        {"options": {"callback": {"url": "https://example.com/done"}}},
        {"conn_id": "another"},
    ],
    ids=["others", "more fields", "fewer", "another order", "options of records", "options", "connection"],
)
def test_a_retry_with_something_else_stops(changes, sim, account):
    arguments = {"conn_id": account("activecampaign"), **IMPORT.arguments()}
    account("activecampaign", "another")
    store = Store()
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "unauthorized", count=1))
    with pytest.raises(errors.AuthenticationError):
        submit({"ti": first, "task_state_store": store}, **arguments)
    before = len(sim.requests("activecampaign"))
    with pytest.raises(errors.BulkJobError, match=r"from different records or options.*Nothing was sent") as caught:
        submit({"task_state_store": store}, **{**arguments, **changes})
    assert first.pushed[-1][0] in str(caught.value)
    assert len(sim.requests("activecampaign")) == before
    submit({"task_state_store": store}, **arguments)  # with what there was before it still goes on
    assert books(sim, "activecampaign") == each_once(600)


@both_modes
@pytest.mark.parametrize("ending", ["passed", "failed", "skipped", "not waited for"])
def test_a_run_after_the_verdict_submits_anew(mode, ending, sim, account):
    arguments = {"conn_id": account("sendgrid"), "operation": "upsert", "records": [person(1), {"email": "nobody"}]}
    arguments |= {"allowed_failures": 1} if ending == "passed" else {}
    arguments |= {"soft_fail": True} if ending == "skipped" else {}
    arguments |= {"wait_for_completion": False} if ending == "not waited for" else {}
    outcome = {"failed": JobFailedError, "skipped": AirflowSkipException}.get(ending)
    store = Store()
    for runs in (1, 2):
        cleared = TaskInstance()
        cleared.max_tries = runs  # a clear raises it
        context = {"ti": cleared, "task_state_store": store}
        if outcome:
            with pytest.raises(outcome):
                run(mode, context, **arguments)
        else:
            run(mode, context, **arguments)
        assert len(sent(sim, "sendgrid")) == runs


@both_modes
def test_a_job_that_is_gone_is_submitted_anew(mode, sim, account):
    arguments = {"conn_id": account("acquia"), "timeout": 5, **CREATE.arguments(1)}
    store = Store()
    sim.settings(job_seconds=60)
    with pytest.raises(TaskDeferred) as deferred:
        make("deferrable", **arguments).execute({"task_state_store": store})
    assert STATE in store.values
    [job] = sim.state()["acquia"]["jobs"]
    sim.expire(job["job_id"])
    with pytest.raises(JobExpiredError):
        make(**arguments).execute_complete({"task_state_store": store}, fire(deferred.value.trigger))
    sim.settings(job_seconds=0)
    cleared = TaskInstance()
    cleared.max_tries = 1
    run(mode, {"ti": cleared, "task_state_store": store}, **arguments)
    assert len(sent(sim, "acquia")) == 2


@both_modes
def test_a_retry_of_the_wait_sends_nothing(mode, sim, account, impatient):
    arguments, store = {"conn_id": account("activecampaign"), **IMPORT.arguments(250)}, Store()
    sim.fault("activecampaign", "server_error", path="/import/info")
    with pytest.raises(errors.VendorUnavailableError):
        run(mode, {"task_state_store": store}, **arguments)
    sim.clear_faults()
    again = TaskInstance()
    result = run(mode, {"ti": again, "task_state_store": store}, **arguments)
    assert (result["created"], len(sent(sim, "activecampaign"))) == (250, 1)
    assert again.pushed[-1:] == [[result["jobs"][0]["job_id"]]]


def test_a_timeout_keeps_what_was_submitted(sim, account, long_jobs):
    arguments, store = {"conn_id": account("sendgrid"), **UPSERT.arguments(1)}, Store()
    for timeout in (0.1, 0.2):
        with pytest.raises(AirflowSensorTimeout):
            run("poke", {"task_state_store": store}, timeout=timeout, **arguments)
    assert len(sent(sim, "sendgrid")) == 1


@pytest.mark.parametrize("number", [1, PART, PART + 1, 3 * PART])
def test_any_number_of_job_ids_is_kept_in_small_pieces(number):
    sizes = []
    store = Store(lambda value: sizes.append(len(json.dumps(value))))
    checkpoints, progress = TaskCheckpointStore({"task_state_store": store}), Checkpoint("fingerprint")
    for count in range(1, number + 1):
        progress.accepted = count
        progress.job_ids.append(f"job-{count:036}")
        checkpoints.save(progress)
    assert TaskCheckpointStore({"task_state_store": store}).load() == progress
    assert max(sizes) < 50 * PART


# Answers that get lost.


@once_only
@lost_answers
def test_what_the_vendor_would_do_twice_is_sent_once(fault, case, sim, account, long_jobs, monkeypatch):
    monkeypatch.setattr(requests_driver, "TOTAL_TIMEOUT", 1 if fault == "slow" else 20)
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, fault, count=1, after=True, seconds=2))
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
def test_what_comes_to_the_same_is_sent_again(fault, case, sim, account, long_jobs, impatient, monkeypatch):
    monkeypatch.setattr(requests_driver, "TOTAL_TIMEOUT", 1 if fault == "slow" else 20)
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, fault, count=1, after=True, seconds=2))
    submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    assert len(sent(sim, case.vendor)) == 4
    assert books(sim, case.vendor)["distinct"] == case.number


@pytest.mark.parametrize("operation", EXPORTS, ids="-".join)
def test_a_lost_order_of_an_export(operation, sim, account, impatient):
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
def test_too_many_requests_is_proof_that_nothing_was_done(durable, case, sim, account, long_jobs, impatient):
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "rate_limit", count=3, retry_after=0.01))
    context = {"ti": first} | ({"task_state_store": Store()} if durable else {})
    submit(context, conn_id=account(case.vendor), **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert len(sent(sim, case.vendor)) == 6


def test_a_server_that_is_not_there_is_proof_that_nothing_was_done(connection, impatient):
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


# Without a store, the next try does not know what this one has sent.


@once_only
def test_without_a_store_a_submit_that_must_not_be_repeated_is_not_retried(case, sim, account, long_jobs):
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "unauthorized", count=1))
    with pytest.raises(
        PartialSubmitError, match=r"1 of 3 batches accepted.*Batch 2 .*not accepted.*Not retried"
    ) as caught:
        submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    assert isinstance(caught.value, AirflowFailException)


@idempotent
def test_without_a_store_what_may_be_repeated_is_retried(case, sim, account, long_jobs):
    first = TaskInstance(on_id=lambda: sim.fault(case.vendor, "unauthorized", count=1))
    with pytest.raises(
        errors.AuthenticationError, match=r"1 of 3 batches accepted.*Batch 2 .*not accepted\. Batch 3: not sent"
    ):
        submit({"ti": first}, conn_id=account(case.vendor), **case.arguments())
    submit({}, conn_id=account(case.vendor), **case.arguments())
    assert books(sim, case.vendor)["distinct"] == case.number


@in_pieces
def test_without_a_store_a_submit_that_never_began_is_retried(case, sim, account):
    sim.fault(case.vendor, "unauthorized", count=1)
    with pytest.raises(
        errors.AuthenticationError, match=r"0 of 3 batches .*Batch 1 .*not accepted\. Batches 2-3: not sent"
    ):
        submit(conn_id=account(case.vendor), **case.arguments())


@pytest.mark.parametrize("error", [SystemExit(1), AirflowTaskTimeout("execution_timeout")], ids=type)
def test_without_a_store_nothing_else_that_breaks_it_off_is_retried_either(error, sim, account):
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
def test_no_flag_skips_a_submit_that_broke_off(fault, durable, mode, flag, sim, account):
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", count=1, **fault))
    context = {"ti": first} | ({"task_state_store": Store()} if durable else {})
    refused = durable and "after" not in fault
    with pytest.raises(errors.AuthenticationError if refused else PartialSubmitError):
        run(mode, context, conn_id=account("activecampaign"), **{flag: True}, **IMPORT.arguments())


@every_flag
def test_no_flag_skips_what_an_earlier_try_left_open(flag, sim, account):
    arguments, store = {"conn_id": account("activecampaign"), **IMPORT.arguments()}, Store()
    sim.fault("activecampaign", "reset", count=1, after=True)
    for _ in range(2):
        with pytest.raises(PartialSubmitError):
            run("poke", {"task_state_store": store}, **{flag: True}, **arguments)


# What single vendors do.


@pytest.mark.parametrize("durable", [True, False])
def test_the_import_limit_of_activecampaign_is_retried(durable, sim, account, monkeypatch):
    monkeypatch.setattr(activecampaign, "IMPORT_PAUSE", 0.05)
    first = TaskInstance(on_id=lambda: sim.fault("activecampaign", "import_limit", count=2))
    context = {"ti": first} | ({"task_state_store": Store()} if durable else {})
    submit(context, conn_id=account("activecampaign"), **IMPORT.arguments())
    assert books(sim, "activecampaign") == each_once(600)
    assert len(sent(sim, "activecampaign")) == 5


def test_no_pause_at_all_is_what_was_asked_for(sim, account, monkeypatch):
    pauses = []
    monkeypatch.setattr(patience_module.RetryPolicy, "sleep", lambda _self, seconds: pauses.append(seconds))
    sim.fault("activecampaign", "rate_limit", count=1, retry_after=0)
    submit(conn_id=account("activecampaign"), **IMPORT.arguments(1))
    assert max(pauses) <= 1


def test_imports_of_activecampaign_keep_to_a_hundred_a_minute(pace, sim, account):
    submit(conn_id=account("activecampaign", extra={"requests_per_second": 0}), **IMPORT.arguments())
    first, _, third = (request.time for request in sent(sim, "activecampaign"))
    assert third - first >= 1.15


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "gone"])
def test_a_job_of_intercom_that_takes_no_more_is_followed_by_another(closed, operation, sim, account):
    [case] = [case for case in IN_PIECES if case[:3] == ("intercom", "contacts", operation)]
    sim.settings(job_seconds=0 if closed else 60)
    first = TaskInstance()
    first.on_id = lambda: None if closed else sim.expire(first.pushed[-1][0])
    job_ids = submit({"ti": first, "task_state_store": Store()}, conn_id=account("intercom"), **case.arguments())
    assert len(job_ids) == len(set(job_ids)) == (3 if closed else 2)
    assert first.pushed[-1] == job_ids
    assert books(sim, "intercom") == each_once(250)


def test_a_token_that_may_not_submit_is_no_closed_job(sim, account):
    sim.fault("intercom", "server_error", status=403)
    with pytest.raises(errors.PermissionDeniedError):
        submit(conn_id=account("intercom"), operation="create", records=[person(1)])
    assert len(sent(sim, "intercom")) == 1


@pytest.mark.parametrize(
    ("fault", "error", "uploads"),
    [
        ({"fault": "unauthorized"}, errors.VendorAPIError, 1),
        ({"fault": "redirect"}, errors.VendorAPIError, 1),
        ({"fault": "server_error"}, errors.VendorUnavailableError, 10),
        ({"fault": "reset"}, errors.VendorUnavailableError, 10),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else None,
)
def test_an_upload_that_fails_is_a_failed_submit(fault, error, uploads, sim, account, impatient):
    sim.fault("sendgrid", path="/sendgrid-uploads/", **fault)
    task_instance = TaskInstance()
    with pytest.raises(error, match=r"[Uu]pload.*0 of 1 batches accepted") as caught:
        run(context={"ti": task_instance}, conn_id=account("sendgrid"), **CSV.arguments())
    assert not any(task_instance.pushed)
    assert "Signature" not in str(caught.value)
    puts = [request for request in sim.requests("sendgrid") if "/sendgrid-uploads/" in request.path_qs]
    assert len(puts) == uploads
    assert sim.requests("elsewhere") == []
    for request in puts:
        assert not {"authorization", "cookie", "on-behalf-of"} & request.headers.keys()
        assert simulator.SENDGRID_KEY not in str(request.headers)


def test_an_upload_goes_through_after_failures(sim, account, impatient):
    sim.fault("sendgrid", "server_error", path="/sendgrid-uploads/", count=3)
    sim.fault("sendgrid", "reset", path="/sendgrid-uploads/", count=1, after=True)
    assert run(conn_id=account("sendgrid"), **CSV.arguments())["created"] == 250
    assert books(sim, "sendgrid") == each_once(250)


def test_an_upload_has_a_length_and_nothing_but_the_headers_asked_for(sim, account):
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
def test_columns_without_a_field_open_no_import(records, options, words, sim, account):
    with pytest.raises(errors.BadArgumentError, match=words):
        submit(conn_id=account("sendgrid"), operation="import_csv", records=records, options=options)
    assert sent(sim, "sendgrid") == []


def test_columns_are_mapped_by_hand(sim, account):
    records = [{"email": "a@example.com", "x": "9"}]
    arguments = {"operation": "import_csv", "options": {"field_mappings": ["_rf2_T", None]}}
    assert run(conn_id=account("sendgrid"), records=records, **arguments)["created"] == 1
    assert not [request for request in sim.requests("sendgrid") if "field_definitions" in request.path_qs]


# Records that cannot be submitted.

MIXED = [person(1), {"first_name": "B"}, person(3), {}, "person", person(6)]


@both_modes
def test_invalid_records_are_left_out_and_written_down(mode, sim, account, tmp_path):
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
def test_a_file_of_nothing_is_an_error(name, text, sim, account, tmp_path):
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


# Arguments that make no sense.


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
def test_a_connection_that_makes_no_sense(mode, connection):
    conn_id = connection("elsewhere", conn_type="http", host="http://127.0.0.1:1")
    for wrong in (conn_id, "nowhere"):
        with pytest.raises(errors.BadConnectionError, match=wrong):
            run(mode, conn_id=wrong, records=[person(1)])


# The gate.


@both_modes
@pytest.mark.parametrize(
    ("allowed", "expected", "passes"),
    [(0.05, None, True), (0.04, None, False), (0.04, 200, True), (0.05, 50, False), (5, None, True), (4, None, False)],
)
def test_a_share_is_one_of_what_was_submitted(mode, allowed, expected, passes, sim, account, monkeypatch):
    # ActiveCampaign does not report the total, and rejects addresses only after it has accepted the request.
    monkeypatch.setattr(
        simulated_activecampaign, "item_error", lambda item: "bounces" * item["email"].startswith("bad")
    )
    records = [person(n) for n in range(95)] + [{"email": f"bad-{n}@example.com"} for n in range(5)]
    arguments = {"conn_id": account("activecampaign"), "records": records, "expected_items": expected}
    if passes:
        assert run(mode, allowed_failures=allowed, **arguments)["failed"] == 5
    else:
        with pytest.raises(JobFailedError, match=r"5 (of [0-9]+ )?items failed"):
            run(mode, allowed_failures=allowed, **arguments)


@both_modes
def test_the_numbers_are_those_of_all_jobs(mode, sim, account):
    records = [*CREATE.arguments(10_100)["records"], {"email": "nobody"}]
    arguments = {"conn_id": account("acquia"), "operation": "create", "records": records}
    result = run(mode, allowed_failures=1, **arguments)
    assert [result[name] for name in ("job_count", "total", "failed", "created")] == [2, 10_101, 1, 10_100]


# Being killed.


def deleted(sim):
    return [request.path_qs.rpartition("/")[2] for request in sim.requests("acquia") if request.method == "DELETE"]


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_kill_during_the_submit_stops_what_was_submitted(cancel_on_kill, sim, account, long_jobs):
    operator = make(
        conn_id=account("acquia"), cancel_on_kill=cancel_on_kill, wait_for_completion=False, **CREATE.arguments()
    )
    job_ids = operator.execute({"ti": TaskInstance(on_id=operator.on_kill)})
    assert deleted(sim) == (job_ids[:1] if cancel_on_kill else [])


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_kill_during_the_wait_stops_what_is_not_over(cancel_on_kill, sim, account, long_jobs):
    class Killed(BulkJobOperator):
        def poke(self, context):
            answer = super().poke(context)
            self.on_kill()
            return answer

    task_instance = TaskInstance()
    operator = Killed(
        task_id="import",
        conn_id=account("acquia"),
        cancel_on_kill=cancel_on_kill,
        poke_interval=0.05,
        timeout=0.3,
        deferrable=False,
        **CREATE.arguments(),
    )
    with pytest.raises(JobExpiredError if cancel_on_kill else AirflowSensorTimeout):
        operator.execute({"ti": task_instance})
    assert deleted(sim) == (task_instance.pushed[-1] if cancel_on_kill else [])


def test_a_kill_between_the_submit_and_the_wait_stops_what_was_submitted(sim, account, long_jobs):
    class Killed(BulkJobOperator):
        def _start(self, context):
            self.on_kill()
            raise WorkerDiedError

    task_instance = TaskInstance()
    operator = Killed(task_id="i", conn_id=account("acquia"), cancel_on_kill=True, **CREATE.arguments(1))
    with pytest.raises(PartialSubmitError):
        operator.execute({"ti": task_instance})
    assert deleted(sim) == task_instance.pushed[-1]


def test_a_kill_before_anything_was_submitted_stops_nothing(sim, account):
    make(conn_id=account("acquia"), cancel_on_kill=True, **CREATE.arguments(1)).on_kill()
    assert sim.requests("acquia") == []


def test_trigger_cancels_the_jobs(sim, account, long_jobs):
    with pytest.raises(TaskDeferred) as deferred:
        run_until_deferred(conn_id=account("acquia"), cancel_on_kill=True, **CREATE.arguments(1))
    assert deferred.value.trigger.cancel_on_kill
    arguments = json.dumps([deferred.value.trigger.serialize(), deferred.value.kwargs])
    assert "example.com" not in arguments
    assert simulator.ACQUIA_PASSWORD not in arguments


def run_until_deferred(**arguments):
    make("deferrable", **arguments).execute({})


def finished(**numbers):
    nothing_known = dict.fromkeys(("succeeded", "created", "updated", "deleted"))
    job = {"job_id": "j-1", "state": "succeeded", "vendor_state": "completed", "total": None, "failed": None}
    result = {"vendor": "acquia_campaign_studio", "state": "succeeded", "job_kind": "contacts", "job_count": 1}
    return {"status": "finished", "result": {**result, **nothing_known, "jobs": [job], **numbers}}


@pytest.mark.parametrize("failed", [0, None])
def test_records_missing_from_the_total_count_as_failed(failed, account):
    arguments = {"conn_id": account("acquia"), "operation": "create", "records": []}
    event = finished(total=10, failed=failed)
    with pytest.raises(JobFailedError, match="990 items failed, 0 allowed"):
        make("deferrable", **arguments).execute_complete({}, event, submitted=1000)
    passed = make("deferrable", allowed_failures=None, **arguments).execute_complete({}, event, submitted=1000)
    assert (passed["state"], passed["total"], passed["failed"]) == ("partially_failed", 1000, 990)


def test_a_vendor_that_counts_nothing_is_believed(account):
    operator = make("deferrable", conn_id=account("activecampaign"), records=[])
    result = operator.execute_complete({}, finished(total=None, failed=0), submitted=1000)
    assert (result["state"], result["total"], result["failed"]) == ("succeeded", None, 0)


def test_where_nothing_could_be_submitted_xcom_says_so(account):
    instance = TaskInstance()
    with pytest.raises(errors.BadArgumentError, match=r"Check the names of the fields; the first record has 'Email'\."):
        submit({"ti": instance}, conn_id=account("activecampaign"), records=[{"Email": "ada@example.com"}])
    assert instance.pushed == [[]]


@both_modes
def test_result_has_submitted_and_rejected(mode, account, tmp_path):
    arguments = {"conn_id": account("activecampaign"), "records": [person(1), person(2), {"email": "nobody"}]}
    result = run(mode, **arguments, skip_invalid=True, results_path=str(tmp_path / "rejected.jsonl"))
    assert (result["submitted"], result["rejected"], result["failed"]) == (2, 1, 0)


def test_a_mode_that_would_submit_at_each_poke_is_refused_wherever_it_comes_from():
    with pytest.raises(errors.BadArgumentError, match="would submit the records again at each poke"):
        make(conn_id="a", records=[], default_args={"mode": "reschedule"})


@both_modes
def test_without_a_store_an_error_of_the_wait_is_not_retried(mode, sim, account, monkeypatch):
    sim.fault("activecampaign", "unauthorized", path="import/info")
    arguments = {"conn_id": account("activecampaign"), "records": [person(1)]}
    with pytest.raises(PartialSubmitError, match="Use a BulkJobSensor"):
        run(mode, **arguments)
    with pytest.raises(errors.AuthenticationError):
        run(mode, {"task_state_store": Store()}, **arguments)
