# SPDX-License-Identifier: Apache-2.0
"""Cancel jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import BaseOperator
from airflow_provider_bulkjobs.arguments import check_literal, read_conn_id, read_job_ids

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook


class BulkJobCancelOperator(BaseOperator):
    """Cancel jobs, if the vendor supports it; see the comparison in docs/vendors/index.md.

    Items already written are not rolled back. Jobs that have finished or no longer exist are ignored. Returns how many
    jobs were ``canceled``, ``finished`` or ``gone``; all three are 0 for an empty list of ids.

    Example::

        cancel = BulkJobCancelOperator(task_id="cancel", conn_id="hubspot_default", job_id=["17", "18"])

    :param conn_id: the connection; its type selects the vendor. (templated)
    :param job_id: the vendor's id of the job, a list of ids, or the lists of a mapped task. (templated)
    :param job_kind: one of the vendor's job kinds; default: the first one.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")

    def __init__(self, *, conn_id: str, job_id: Any, job_kind: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_literal(conn_id, read_conn_id)
        check_literal(job_id, read_job_ids)
        self.conn_id = conn_id
        self.job_id = job_id
        self.job_kind = job_kind

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002
        """Cancel the jobs that have not finished."""
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for

        counts = Counter({"canceled": 0, "finished": 0, "gone": 0})
        try:
            job_ids = read_job_ids(self.job_id)
        except errors.NoJobsError:
            self.log.info("job_id is empty: no job to cancel.")
            return dict(counts)
        hook = hook_for(read_conn_id(self.conn_id))
        hook.cancelable_job_kind(self.job_kind)
        for job_id in job_ids:
            counts[self._cancel(hook, job_id)] += 1
        self.log.info("%s: %s", hook.vendor.label, ", ".join(f"{number} {what}" for what, number in counts.items()))
        return dict(counts)

    def _cancel(self, hook: BulkJobHook, job_id: str) -> str:
        try:
            if hook.get_job(job_id, self.job_kind).state.is_finished:
                return "finished"  # canceling would delete the job's details at Acquia
        except errors.JobNotFoundError:
            return "gone"
        return "canceled" if hook.cancel_job(job_id, self.job_kind) else "finished"
