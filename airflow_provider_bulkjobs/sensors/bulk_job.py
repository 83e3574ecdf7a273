# SPDX-License-Identifier: Apache-2.0
"""The sensor: waits for bulk jobs of any vendor, and succeeds only if their result passes the gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER, delete_result
from airflow_provider_bulkjobs.arguments import check_literal, read_job_ids
from airflow_provider_bulkjobs.sensors.base import DEFERRABLE, BulkJobBaseSensor
from airflow_provider_bulkjobs.sensors.starting import (
    TOO_LARGE,
    StartFromTrigger,
    StartTriggerArguments,
    is_too_large,
    needs_worker,
)
from airflow_provider_bulkjobs.waiting.messages import task_docs, worker_start_message

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class BulkJobSensor(BulkJobBaseSensor):
    """Wait for one or many bulk jobs of a vendor, and succeed only if their result passes the gate.

    Returns (and pushes to XCom) a dict with the worst state, the numbers of items and the worst jobs: see
    docs/reference/result.md. Raises :class:`~airflow_provider_bulkjobs.exceptions.JobFailedError` if a job failed, was
    canceled or has too many failed items, ``AirflowSensorTimeout`` if the jobs are not finished in ``timeout``, and one
    of :mod:`airflow_provider_bulkjobs.exceptions` if the wait itself failed. All arguments of ``BaseSensorOperator``
    work the same in poke, reschedule and deferrable mode. Skips if ``job_id`` is an empty list: nothing was submitted.

    https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/sensors.html

    Example::

        gate = BulkJobSensor(
            task_id="gate",
            conn_id="sendgrid_default",
            job_id=["a1b2", "c3d4"],
            allowed_failures=0.01,
            deferrable=True,
        )

    :param conn_id: the connection; its type selects the vendor. (templated)
    :param job_id: the vendor's id of the job, or a list of ids to wait for together; the lists of a mapped task
        are flattened. (templated)
    :param job_kind: one of the vendor's job kinds; default: the first one.
    :param allowed_failures: maximum of failed items over all jobs: a number of items as an int, a share of all items as
        a float below 1, or ``None`` for any number. (templated)
    :param expected_items: the number of items submitted, for vendors that do not report it. If such a vendor counts
        fewer, the others have failed. (templated)
    :param cancel_on_kill: cancel the unfinished jobs when a user kills the task.
    :param deferrable: wait in the triggerer; default: ``[operators] default_deferrable``.
    :param start_from_trigger: start a deferrable wait in the triggerer, without a worker, on Airflow 3.3 and later.
        ``None``: if that changes nothing but the cost, see docs/waiting.md; ``False``: never; ``True``: as ``None``,
        and log the reason if the wait starts on a worker.
    """

    template_fields: Sequence[str] = ("job_id", *BulkJobBaseSensor.template_fields)
    template_fields_renderers = {"job_id": "json"}  # noqa: RUF012  (as Airflow declares it)
    may_start_in_trigger = False  # until all attributes are set

    if STARTS_IN_TRIGGER:
        start_trigger_args = StartTriggerArguments()
        start_from_trigger = StartFromTrigger()

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
        start_from_trigger: bool | None = None,
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
        self.may_start_in_trigger = self.deferrable and start_from_trigger is not False
        self.explain_start = bool(start_from_trigger)
        # Templates and outputs are rendered when the task runs, so this has to be known before.
        self.worker_reason = needs_worker(self) if start_from_trigger else None

    def execute(self, context: Context) -> Any:
        """Wait in the selected mode; return the result."""
        if self.explain_start and (reason := self._reason_for_worker(context)):
            self.log.info(worker_start_message(reason))
        return super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral."""
        if STARTS_IN_TRIGGER and (task_instance := context.get("ti")):
            delete_result(task_instance)
        return super().resume_execution(next_method, next_kwargs, context)

    def _reason_for_worker(self, context: Context) -> str | None:
        if getattr(context.get("ti"), "map_index", -1) >= 0:
            return "it is mapped"
        return self.worker_reason or (TOO_LARGE if is_too_large(self) else None)  # the DAG was not complete before
