# SPDX-License-Identifier: Apache-2.0
"""A submit of several steps that ends before anything was imported: Airflow may retry the task, without any store."""

import pytest
from face.submit_cases import WITH_RECORDS, Store, TaskInstance, both_modes, cases, run, submit

from airflow_provider_bulkjobs.exceptions import PartialSubmitError, VendorAPIError, VendorUnavailableError
from airflow_provider_bulkjobs.operators.checkpoint_store import TaskCheckpointStore

UPLOAD = {  # its path
    ("salesforce_bulk", "insert"): "/batches",
    ("salesforce_bulk", "upsert"): "/batches",
    ("mailjet", "import"): "CSVData",
    ("eloqua", "import"): "/data",
}
START = {  # its path, and the step after which it follows
    ("salesforce_bulk", "insert"): ("/ingest/", "uploaded"),
    ("salesforce_bulk", "upsert"): ("/ingest/", "uploaded"),
    ("mailjet", "import"): ("csvimport", "DataID"),
    ("eloqua", "import"): ("/syncs", "staged"),
}
ALL = [case for case in WITH_RECORDS if (case.vendor, case.operation) in START]
all_of_them = cases(ALL)
upload_and_start = pytest.mark.parametrize("what", ["upload", "start"])
once_only = cases([case for case in ALL if not case.idempotent])


@pytest.fixture
def at_start(sim, monkeypatch):
    """Inject a fault into the request that starts the import."""

    def inject(case, fault, **values):
        path, step = START[case.vendor, case.operation]
        save = TaskCheckpointStore.save

        def save_and_inject(self, checkpoint):
            save(self, checkpoint)
            if step in checkpoint.progress and not injected:
                injected.append(step)
                sim.fault(case.vendor, fault, path=path, **values)

        injected = []
        monkeypatch.setattr(TaskCheckpointStore, "save", save_and_inject)

    return inject


def jobs_left_open(sim, case):
    return [job for job in sim.state()[case.vendor]["jobs"] if job.get("state") == "Open"]


def assert_imported_once(sim, case):
    assert not jobs_left_open(sim, case)
    assert len(sim.contacts(case.vendor)) == 5


@pytest.fixture
def refuse(sim, at_start):
    """Let the vendor refuse the first upload, or the first request that starts the import."""

    def inject(what, case):
        fault = {"fault": "server_error", "status": 400, "count": 1}
        if what == "upload":
            sim.fault(case.vendor, path=UPLOAD[case.vendor, case.operation], **fault)
        else:
            at_start(case, **fault)

    return inject


@all_of_them
@both_modes
@upload_and_start
def test_refused_step_is_retried(what, mode, case, sim, account, refuse):
    arguments = {"conn_id": account(case.vendor), **case.arguments(5)}
    refuse(what, case)
    with pytest.raises(VendorAPIError, match="400"):
        run(mode, {"ti": TaskInstance()}, **arguments)
    assert not jobs_left_open(sim, case)
    assert run(mode, {"ti": TaskInstance()}, **arguments)["succeeded"] == 5
    assert_imported_once(sim, case)


@once_only
def test_upload_that_stays_down_is_retried(case, sim, account, quick_retries):
    arguments = {"conn_id": account(case.vendor), **case.arguments(5)}
    sim.fault(case.vendor, "reset", path=UPLOAD[case.vendor, case.operation])
    with pytest.raises(VendorUnavailableError):
        submit({"ti": TaskInstance()}, **arguments)
    sim.clear_faults()
    submit({"ti": TaskInstance()}, **arguments)
    assert_imported_once(sim, case)


@once_only
@pytest.mark.parametrize("after", [True, False], ids=["arrived", "lost"])
def test_start_of_unknown_outcome_stays_unknown(after, case, sim, account, at_start, quick_retries):
    at_start(case, "reset", after=after)
    with pytest.raises(PartialSubmitError, match="begun"):
        submit({"ti": TaskInstance()}, conn_id=account(case.vendor), **case.arguments(5))


@all_of_them
@upload_and_start
def test_next_try_may_have_other_records(what, case, sim, account, refuse):
    conn_id, store = account(case.vendor), Store()
    refuse(what, case)
    with pytest.raises(VendorAPIError):
        submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=conn_id, **case.arguments(4))
    submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=conn_id, **case.arguments(5))
    assert_imported_once(sim, case)
