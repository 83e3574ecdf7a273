# SPDX-License-Identifier: Apache-2.0
"""Fetch the result of each item of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import AirflowSkipException, BaseOperator
from airflow_provider_bulkjobs.arguments import check_literal, read_conn_id, read_job_ids
from airflow_provider_bulkjobs.exceptions import NoJobsError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

DEFAULT_MAX_BYTES = 1024**3


class BulkJobResultsOperator(BaseOperator):
    """Write the item results of finished jobs to a JSON Lines file: ``job_id``, ``status``, ``error``, ``item``.

    ``item`` is the vendor's record of the item; see the README. Returns the path and the numbers of rows and bytes.
    Skips if there is no job. Fails if a job counts failed items but the vendor lists none. The file is published under
    its name only when it is complete. It may contain personal data, so a new local file is readable by its owner only.
    XCom and the log never contain personal data.

    :param conn_id: the connection; its type selects the vendor. (templated)
    :param job_id: the vendor's id of the job, or a list of ids. (templated)
    :param path: path or URI of the file, for any storage that ObjectStoragePath supports. (templated)
    :param job_kind: one of the vendor's job kinds; default: the first one.
    :param max_bytes: maximum size of a file of the vendor, decompressed.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id", "path")

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: Any,
        path: Any,
        job_kind: str | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_literal(conn_id, read_conn_id)
        check_literal(job_id, read_job_ids)
        self.conn_id = conn_id
        self.job_id = job_id
        self.path = path
        self.job_kind = job_kind
        self.max_bytes = max_bytes

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Fetch the item results and write the file."""
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
        from airflow_provider_bulkjobs.results.item_results import iter_item_results
        from airflow_provider_bulkjobs.results.writers import JsonLinesFile

        try:
            job_ids = read_job_ids(self.job_id)
        except NoJobsError as error:
            raise AirflowSkipException("job_id is empty: nothing was submitted, so there are no results") from error
        hook = hook_for(read_conn_id(self.conn_id))
        kind = hook.job_kind(self.job_kind)
        counts: Counter[str] = Counter()
        with JsonLinesFile(self.path) as file:
            for job_id in job_ids:
                for outcome in iter_item_results(hook, kind, job_id, self.max_bytes):
                    file.write({"job_id": job_id, **outcome._asdict()})
                    counts[outcome.status] += 1
        by_status = ", ".join(f"{number} {status}" for status, number in counts.items())
        self.log.info("Wrote %d rows (%s) for %d jobs to %s", file.rows, by_status or "no items", len(job_ids), file)
        return {"path": str(file), "rows": file.rows, "bytes": file.bytes}
