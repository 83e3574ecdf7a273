# SPDX-License-Identifier: Apache-2.0
"""A query is submitted as it was read in the first try, or not at all."""

import json
import sqlite3
from contextlib import closing

import pytest
from face.submits import Store, TaskInstance, make, submits

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, RecordsReadError
from airflow_provider_bulkjobs.records import SqlRecords

NUMBER = 600  # three requests of ActiveCampaign
BY_ID = "SELECT email FROM contacts ORDER BY id"


class WorkerLost(BaseException):
    """The worker is lost at this moment."""


class LostStore(Store):
    """The worker is lost right after the first batch was accepted."""

    is_lost = False

    def set(self, key, value, *, retention):
        super().set(key, value, retention=retention)
        if not self.is_lost and isinstance(value, dict) and value.get("accepted") == 1:
            self.is_lost = True
            raise WorkerLost


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Return a function that executes a statement in a database of contacts."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def run(sql):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(sql)

    run("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)")
    run(
        f"WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM t WHERE id < {NUMBER}) "
        "INSERT INTO contacts SELECT id, 'person-' || id || '@example.com' FROM t"
    )
    return run


def run(store, sql, conn_id="activecampaign_default"):
    operator = make(conn_id, wait_for_completion=False, records=SqlRecords("warehouse", sql))
    return operator.execute({"ti": TaskInstance(max_tries=1), "task_state_store": store})


@pytest.fixture
def interrupted(sim, account, execute):
    """The store of a try that was lost after its first request."""
    store = LostStore()
    with pytest.raises(WorkerLost):
        run(store, BY_ID, account("activecampaign"))
    assert submits(sim) == 1
    return store


def test_rows_of_a_query_are_submitted_once(sim, account, execute):
    assert len(run(Store(), BY_ID, account("activecampaign"))) == submits(sim) == 3


def test_retry_that_reads_the_same_rows_submits_the_rest(sim, interrupted):
    assert len(run(interrupted, BY_ID)) == submits(sim) == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE contacts SET email = 'other@example.com' WHERE id = 500",
        "DELETE FROM contacts WHERE id = 500",
        "INSERT INTO contacts VALUES (999, 'other@example.com')",
    ],
)
def test_rows_that_changed_are_not_submitted(change, sim, interrupted, execute):
    execute(change)
    with pytest.raises(BulkJobError, match=r"1 batches accepted .* from different records or options\. Nothing"):
        run(interrupted, BY_ID)
    assert submits(sim) == 1


def test_same_rows_in_another_order_need_an_order_by(sim, interrupted):
    words = r"\(the same records in another order\)\. Nothing was sent. .*a query needs an ORDER BY over a unique key"
    with pytest.raises(BulkJobError, match=words):
        run(interrupted, "SELECT email FROM contacts ORDER BY id DESC")
    assert submits(sim) == 1


def test_same_rows_with_other_options_are_different(sim, interrupted):
    operator = make("activecampaign_default", wait_for_completion=False, records=SqlRecords("warehouse", BY_ID))
    operator.options = {"exclude_automations": True}
    with pytest.raises(BulkJobError, match=r"from different records or options\. "):
        operator.execute({"ti": TaskInstance(max_tries=1), "task_state_store": interrupted})
    assert submits(sim) == 1


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("SELECT email, json(iif(id < 500, '1', 'x')) AS n FROM contacts", RecordsReadError, "the query failed"),
        ("SELECT email, email FROM contacts", BadArgumentError, "column 'email' twice"),
        (
            "SELECT iif(id < 599, email, 'nothing') AS email FROM contacts",
            BadArgumentError,
            "row 599 has no e-mail",
        ),
        ("SELECT id FROM contacts", BadArgumentError, "none of the 1 columns is 'email'. Set columns to"),
        ("SELECT email FROM contacts WHERE id < 0", BadArgumentError, "records: there are none"),
    ],
)
def test_nothing_is_sent_for_a_query_that_cannot_be_submitted(sql, error, words, sim, account, execute):
    with pytest.raises(error, match=words):
        run(Store(), sql, account("activecampaign"))
    assert submits(sim) == 0
