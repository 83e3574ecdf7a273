# SPDX-License-Identifier: Apache-2.0
"""From Airflow 3.3 on: what the next try does where the records are others than those of an earlier one."""

import pytest
from face.submits import PERSON, Store, TaskInstance, make, submits

from airflow_provider_bulkjobs.exceptions import BulkJobError, PartialSubmitError, VendorAPIError

OTHERS = pytest.mark.parametrize("others", [[], [{"email": "other@example.com"}]], ids=["none", "others"])

CSV, UPLOAD = {"operation": "import_csv"}, "/sendgrid-uploads/"


class WorkerLost(BaseException):
    """The worker is lost at this moment."""


def lost_when(**values):
    """Return a store; the worker is lost right after it has written these values."""

    class LostStore(Store):
        is_lost = False

        def set(self, key, value, *, retention):
            super().set(key, value, retention=retention)
            if not self.is_lost and isinstance(value, dict) and values.items() <= value.items():
                self.is_lost = True
                raise WorkerLost

    return LostStore()


def run(store, conn_id="activecampaign_default", **arguments):
    operator = make(conn_id, wait_for_completion=False, allow_empty=True, **arguments)
    return operator.execute({"ti": TaskInstance(max_tries=1), "task_state_store": store})


@OTHERS
def test_accepted_batches_of_other_records_are_not_forgotten(others, sim, account):
    store = lost_when(accepted=1, in_flight=False)
    with pytest.raises(WorkerLost):
        run(store, account("activecampaign"))
    with pytest.raises(BulkJobError, match="1 batches accepted") as caught:
        run(store, records=others)
    assert sim.state()["activecampaign"]["jobs"][0]["job_id"] in str(caught.value)
    assert submits(sim) == 1


@OTHERS
def test_unknown_outcome_of_other_records_ends_the_task(others, sim, account):
    store = lost_when(in_flight=True)
    with pytest.raises(WorkerLost):
        run(store, account("activecampaign"))
    with pytest.raises(PartialSubmitError, match=r"0 batches accepted .* and one of unknown outcome"):
        run(store, records=others)
    assert submits(sim) == 0


def test_corrected_records_are_submitted_after_a_refusal(sim, account):
    store, conn_id = Store(), account("activecampaign")
    sim.fault("activecampaign", "unauthorized", count=1)
    with pytest.raises(VendorAPIError):
        run(store, conn_id)
    assert len(run(store, records=[PERSON, {"email": "other@example.com"}])) == 1


def test_other_records_are_submitted_after_a_refused_upload(sim, account):
    store, conn_id = Store(), account("sendgrid")
    sim.fault("sendgrid", "server_error", path=UPLOAD, status=403, count=1)
    with pytest.raises(VendorAPIError, match=r"403.*not accepted"):
        run(store, conn_id, **CSV)
    [job_id] = run(store, conn_id, **CSV, records=[{"email": "other@example.com"}])
    assert [job["job_id"] for job in sim.state()["sendgrid"]["jobs"]][-1] == job_id
    assert [person["email"] for person in sim.contacts("sendgrid")] == ["other@example.com"]


def test_upload_refused_after_one_of_unknown_outcome_is_not_forgotten(sim, account, quick_retries):
    store, conn_id = Store(), account("sendgrid")
    sim.fault("sendgrid", "reset", path=UPLOAD, count=1, after=True)
    sim.fault("sendgrid", "server_error", path=UPLOAD, status=403, count=1)
    with pytest.raises(VendorAPIError, match=r"begun \(job_id .*\), not completed"):
        run(store, conn_id, **CSV)
    with pytest.raises(BulkJobError, match="Cannot resume"):
        run(store, conn_id, **CSV, records=[{"email": "other@example.com"}])
    assert len(run(store, conn_id, **CSV)) == 1


def test_upload_refused_in_the_retry_of_an_interrupted_one_is_not_forgotten(sim, account):
    store, conn_id = lost_when(in_flight=False, accepted=0), account("sendgrid")
    with pytest.raises(WorkerLost):  # it has written the id of the job, and could have uploaded the file
        run(store, conn_id, **CSV)
    sim.fault("sendgrid", "server_error", path=UPLOAD, status=403, count=1)
    with pytest.raises(VendorAPIError, match=r"begun \(job_id .*\), not completed"):
        run(store, conn_id, **CSV)
    with pytest.raises(BulkJobError, match="Cannot resume"):
        run(store, conn_id, **CSV, records=[{"email": "other@example.com"}])


def test_no_records_after_a_refusal_are_no_error(sim, account):
    store, conn_id = Store(), account("activecampaign")
    sim.fault("activecampaign", "unauthorized", count=1)
    with pytest.raises(VendorAPIError):
        run(store, conn_id)
    assert run(store, records=[]) == []
