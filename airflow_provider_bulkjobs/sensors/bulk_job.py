# SPDX-License-Identifier: Apache-2.0
"""The sensor: wait for bulk jobs of any vendor, and let the DAG go on only if their result is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_bulkjobs.arguments import check_literal, read_job_ids
from airflow_provider_bulkjobs.sensors.base import DEFERRABLE, BulkJobBaseSensor
from airflow_provider_bulkjobs.waiting.messages import task_docs


class BulkJobSensor(BulkJobBaseSensor):
    """Wait for one or many bulk jobs of a vendor, and pass only if their result is good enough.

    Returns (and pushes to XCom) a dict with the worst state, the numbers of items and the worst jobs; see the
    README. Raises :class:`~airflow_provider_bulkjobs.exceptions.JobFailedError` if a job failed, was canceled or has
    too many failed items, ``AirflowSensorTimeout`` if the jobs are not finished in ``timeout``, and one of
    :mod:`airflow_provider_bulkjobs.exceptions` if the wait itself went wrong. All arguments of ``BaseSensorOperator``
    mean the same in poke, reschedule and deferrable mode. Skips if ``job_id`` is an empty list: nothing was submitted.

    https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/sensors.html

    :param conn_id: the connection; its type says which vendor. (templated)
    :param job_id: the vendor's id of the job, or a list of ids that are waited for together; the lists of a
        mapped task are flattened. (templated)
    :param job_kind: which of the vendor's job kinds; its first one if not given.
    :param allowed_failures: how many failed items still pass, over all jobs: a whole number of items, a share of
        all items as a float below 1, or ``None`` for any number. (templated)
    :param expected_items: how many items were submitted, for vendors that never say. (templated)
    :param cancel_on_kill: ask the vendor to stop the jobs when a user kills the task.
    :param deferrable: wait in the triggerer; ``[operators] default_deferrable`` if not given.
    """

    template_fields: Sequence[str] = ("job_id", *BulkJobBaseSensor.template_fields)
    template_fields_renderers = {"job_id": "json"}  # noqa: RUF012  (as Airflow declares it)

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: Any,
        job_kind: str | None = None,
        allowed_failures: Any = 0,
        expected_items: Any = None,
        cancel_on_kill: bool = False,
        deferrable: bool = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("doc_md", task_docs("Waits for", conn_id, job_kind, allowed_failures))
        super().__init__(
            conn_id=conn_id,
            job_kind=job_kind,
            allowed_failures=allowed_failures,
            expected_items=expected_items,
            cancel_on_kill=cancel_on_kill,
            deferrable=deferrable,
            **kwargs,
        )
        check_literal(job_id, read_job_ids)
        self.job_id = job_id
