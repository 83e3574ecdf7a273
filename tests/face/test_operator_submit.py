# SPDX-License-Identifier: Apache-2.0
"""Every operation over real HTTP: each record is submitted once, and XCom has the job ids."""

import gzip
import json
import logging
from collections.abc import Sequence

import pytest
from face.submit_cases import (
    EXPORTS,
    IMPORT,
    SIMULATED,
    UPSERT,
    WITH_RECORDS,
    Store,
    TaskInstance,
    books,
    both_modes,
    create_known,
    each_once,
    every_case,
    in_pieces,
    person,
    run,
    sent,
    submit,
)

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs.vendors import VENDORS


def test_every_simulated_operation_is_tested(sim):
    there_are = {
        (name, kind.name, operation.name)
        for vendor in VENDORS
        if (name := SIMULATED.get(vendor.conn_type, vendor.conn_type)) in sim.state()
        for kind in vendor.kinds
        for operation in kind.operations
    }
    assert {case[:3] for case in WITH_RECORDS} | set(EXPORTS) == there_are


@pytest.mark.usefixtures("bucket")
@every_case
def test_submits_and_waits(case, sim, account):
    mode = ("poke", "deferrable")[WITH_RECORDS.index(case) % 2]  # both of every vendor with several operations
    number = min(case.number, 250)
    create_known(sim, case, number)
    result = run(mode, conn_id=account(case.vendor), **case.arguments(number))
    assert books(sim, case.vendor) == each_once(number)
    assert (result["state"], result["job_kind"]) == ("succeeded", case.kind)
    assert result["total"] in {number, None}
    assert {job["job_id"] for job in result["jobs"]} == set(case.job_ids(sim))


@both_modes
@pytest.mark.parametrize("operation", EXPORTS, ids="-".join)
def test_submits_exports(mode, operation, sim, account):
    vendor, kind, name = operation
    result = run(mode, conn_id=account(vendor), job_kind=kind, operation=name, options=EXPORTS[operation])
    assert (result["state"], result["job_count"]) == ("succeeded", 1)
    assert len(sent(sim, vendor)) == 1


@pytest.mark.usefixtures("bucket")
@every_case
def test_without_wait_for_completion_returns_the_job_ids(case, sim, account, long_jobs):
    mode = ("deferrable", "poke")[WITH_RECORDS.index(case) % 2]
    job_ids = run(mode, conn_id=account(case.vendor), wait_for_completion=False, **case.arguments())
    assert books(sim, case.vendor) == each_once(case.number)
    assert job_ids == case.job_ids(sim)
    assert len(sent(sim, case.vendor)) == case.requests
    assert not [request for request in sim.requests(case.vendor) if "status" in request.path_qs]


def test_only_operation_is_the_default(sim, account):
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
def test_records_may_be_any_sequence(source, sim, account):
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
def test_no_personal_data_in_xcom_state_or_log(mode, sim, account, caplog, capsys):
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
