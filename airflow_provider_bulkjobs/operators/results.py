# SPDX-License-Identifier: Apache-2.0
"""Fetch how each item of a job fared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import AirflowSkipException, BaseOperator
from airflow_provider_bulkjobs.arguments import check_literal, read_conn_id, read_job_ids
from airflow_provider_bulkjobs.exceptions import NoJobsError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

MOST_BYTES = 1024**3


class BulkJobResultsOperator(BaseOperator):
    """Write each outcome of finished jobs to a file, as JSON Lines: ``job_id``, ``status``, ``error``, ``item``.

    An ``item`` has what the vendor says of it; see the README. Returns the path, and the numbers of rows and bytes.
    Skips if there is no job. Fails if a job counts failed items and the vendor lists none. The file is under its name
    only when it is complete. It may hold addresses of people, so a new local file is readable by its owner only; XCom
    and the log never have them.

    :param conn_id: the connection; its type says which vendor. (templated)
    :param job_id: the vendor's id of the job, or a list of ids. (templated)
    :param path: path or URI of the file, anywhere ObjectStoragePath can write. (templated)
    :param job_kind: which of the vendor's job kinds; its first one if not given.
    :param max_bytes: how large a file of the vendor's may be, unpacked.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id", "path")

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: Any,
        path: Any,
        job_kind: str | None = None,
        max_bytes: int = MOST_BYTES,
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
        """Fetch the outcomes, and write the file."""
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
        from airflow_provider_bulkjobs.results.item_results import outcomes
        from airflow_provider_bulkjobs.results.writers import JsonLinesFile

        try:
            job_ids = read_job_ids(self.job_id)
        except NoJobsError as error:
            raise AirflowSkipException("nothing was submitted, so there are no results") from error
        hook = hook_for(read_conn_id(self.conn_id))
        kind = hook.job_kind(self.job_kind)
        counts: Counter[str] = Counter()
        with JsonLinesFile(self.path) as file:
            for job_id in job_ids:
                for outcome in outcomes(hook, kind, job_id, self.max_bytes):
                    file.write({"job_id": job_id, **outcome._asdict()})
                    counts[outcome.status] += 1
        by_status = ", ".join(f"{number} {status}" for status, number in counts.items())
        self.log.info("%d rows (%s) of %d jobs are in %s", file.rows, by_status or "no outcome", len(job_ids), file)
        return {"path": str(file), "rows": file.rows, "bytes": file.bytes}
