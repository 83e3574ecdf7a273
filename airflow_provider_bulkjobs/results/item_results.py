# SPDX-License-Identifier: Apache-2.0
"""The results of the single items of a job, read with constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from airflow_provider_bulkjobs.exceptions import (
    BadArgumentError,
    BulkJobError,
    TransientError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.responses import FileUnavailableError
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.http.signed_urls import open_file, save
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.results.archives import ArchivedFiles
from airflow_provider_bulkjobs.results.result_files import ResultFile
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.http.client import Client
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind

MAX_NEW_URLS = 2  # for one file
T = TypeVar("T")


def iter_item_results(
    client: Client, kind: JobKind, job_id: str, max_bytes: int, policy: RetryPolicy | None = None
) -> Iterator[ItemResult]:
    """Request the results of a job, and yield one for each item.

    :param max_bytes: the maximum size of a file, decompressed.
    :param policy: the retry policy for the vendor and for the storage of its files.
    :raises JobNotFinishedError: the job has not finished.
    :raises BadArgumentError: the vendor has no per-item results for this job kind.
    :raises VendorAPIError: the vendor rejected the request, or lists no item, or no failed one, although the job counts
        some.
    :raises BulkJobError: any other error; the results that were yielded are incomplete.
    """
    if kind.results is None:
        raise BadArgumentError(
            f"{client.vendor.label} has no per-item results for a {kind.noun} (job_kind {kind.name!r})"
        )
    start = partial(kind.results, client.account, job_id)
    status = partial(kind.status, client.account, job_id)
    policy = policy or RetryPolicy(on_retry=client.log.warning)
    parts = _Parts(client, start, status, max_bytes, policy)
    counts: Counter[str] = Counter()
    for part in parts:
        for result in part:
            counts[result.status] += 1
            yield result
    job = parts.job
    if job is None and not counts["failed"] and not (counts and kind.counts_results):
        job = client.transport.run(status, policy)
    if job is not None:
        _check_counts(client, job, counts, lists_all=parts.lists_all)


class _Parts:
    """The parts of a job's results, each a page or a file.

    If the URL of a file has expired, the results are requested again to get a new one. The parts that were read before
    are skipped: the results of a finished job do not change.
    """

    def __init__(
        self,
        client: Client,
        start: Callable[[], ResultsFlow],
        status: Callable[[], Flow[BulkJob]],
        max_bytes: int,
        policy: RetryPolicy,
    ) -> None:
        self._client = client
        self._start = start
        self._status = status
        self._max_bytes = max_bytes
        self._policy = policy
        self._steps: Iterator[list[ItemResult] | Download] | None = None
        self._read = 0
        self._new_urls = 0
        self.job: BulkJob | None = None  # if the first response of the results has its counts
        self.lists_all = False  # a file lists all items of the job, not only those with an error or a warning

    def __iter__(self) -> Iterator[Iterable[ItemResult]]:
        while (part := self._retry(self._next)) is not None:
            yield part
            self._read += 1
            self._new_urls = 0

    def _next(self) -> Iterable[ItemResult] | None:
        try:
            if self._steps is None:
                self._steps = self._run_flow()
                for _ in range(self._read):
                    next(self._steps, None)
            step = next(self._steps, None)
            if not isinstance(step, Download):
                return step
            return self._retry(lambda: self._fetch(step))
        except FileUnavailableError as error:
            self._steps = None
            self._new_urls += 1
            if self._new_urls > MAX_NEW_URLS:
                raise
            raise TransientError(str(error)) from error

    def _run_flow(self) -> Iterator[list[ItemResult] | Download]:
        """Run the flow of the results."""
        flow = self._start()
        try:
            step = next(flow)
            while True:
                if not isinstance(step, Request):
                    yield step
                    step = next(flow)
                    continue
                try:
                    response = self._client.transport.send(step, self._policy)
                except VendorAPIError as error:
                    step = flow.throw(error)
                else:
                    self.job = self.job or self._read_job(step, response)
                    step = flow.send(response)
        except StopIteration:
            return
        except TransientError as error:
            raise VendorUnavailableError(str(error), retry_after=error.retry_after) from error

    def _read_job(self, request: Request, response: Response) -> BulkJob | None:
        """Return the job, if the first request was that of its status and needs no further one."""
        status = self._status()
        try:
            if next(status) == request:
                status.send(response)
        except StopIteration as end:
            job: BulkJob = end.value
            return job
        except BulkJobError:  # the flow of the results raises it as well
            pass
        return None

    def _fetch(self, download: Download) -> Iterable[ItemResult]:
        file = save(self._open(download))
        warn = self._client.log.warning
        results = (
            ArchivedFiles(file, download, self._max_bytes, warn)
            if download.archive
            else ResultFile(file, download, warn)
        )
        self.lists_all = self.lists_all or download.status not in {"failed", "warning"}
        return results

    def _open(self, download: Download) -> AbstractContextManager[BinaryIO]:
        if download.own:
            headers = {
                **download.headers,
                "Accept-Encoding": "identity",
            }  # only then can the decompressed size be checked
            return self._client.transport.open_file(download.url, headers, self._max_bytes)
        return open_file(download.url, self._client.vendor, self._client.account, self._max_bytes)

    def _retry(self, action: Callable[[], T]) -> T:
        return self._policy.retry(action)


def _check_counts(client: Client, job: BulkJob, counts: Counter[str], *, lists_all: bool) -> None:
    """Compare the number of results with the counts of the job.

    :raises VendorAPIError: there is no result of an item, or of a failed one, although the job counts some.
    """
    failed = ("failed item", job.failed or job.state is JobState.PARTIALLY_FAILED, counts["failed"])
    every = [("item", job.total, counts.total())] if lists_all else []
    for what, counted, listed in (*every, failed):
        if counted and not listed:
            number = "some" if counted is True else f"{counted} of them"
            raise VendorAPIError(
                f"{client.vendor.label} lists no {what} of job {job.job_id}, although there are {number} (state "
                f"{job.vendor_state!r}). The results are incomplete. Check the vendor's web pages, or retry later."
            )
        if listed < (counted or 0):
            client.log.warning(
                "%s counts %d %ss of job %s and lists %d of them",
                *(client.vendor.label, counted, what, job.job_id, listed),
            )
