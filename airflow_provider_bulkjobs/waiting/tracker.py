# SPDX-License-Identifier: Apache-2.0
"""The last known state of each job of a wait. The sensor and the trigger both use it."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    JobDisappearedError,
    JobNotFoundError,
    UnknownStateError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.waiting.summary import summarize

GRACE = 60.0  # seconds until a vendor must find a job that it has just accepted
# Consecutive polls that do not find a job that was seen before. A single one may come from a replica that lags.
MAX_MISSES = 2
# Different keys that the vendor may refuse without a successful response in between.
MAX_REFUSED_KEYS = 3
NEW_KEY = "The connection has a new key. The next poll uses it."
MAX_LISTED = 20  # ids in a message
# Bytes of the ids and the known jobs. The encrypted arguments of a trigger must fit into 64 KiB if Airflow's database
# is MySQL.
MAX_KNOWN_JOBS_BYTES = 45_000


class JobTracker:
    """The jobs of one wait and the last known state of each.

    :param started_at: when the wait started, in epoch seconds.
    :param known_jobs: :attr:`known_jobs` of an earlier wait for the same jobs.
    :param missing: :attr:`missing` of an earlier wait for the same jobs.
    :param failing_since: when the vendor became unavailable, in epoch seconds, if it is.
    """

    def __init__(
        self,
        *,
        vendor: Vendor,
        kind: JobKind,
        conn_id: str,
        job_ids: Sequence[str],
        started_at: float,
        known_jobs: Iterable[dict[str, Any]] = (),
        missing: Iterable[str] = (),
        failing_since: float | None = None,
    ) -> None:
        self.vendor = vendor
        self.kind = kind
        self.conn_id = conn_id
        self.started_at = started_at
        self.failing_since = failing_since
        self._jobs: dict[str, BulkJob | None] = dict.fromkeys(job_ids)
        self._jobs.update({job.job_id: job for job in map(BulkJob.from_json, known_jobs)})
        self._misses = Counter(missing)
        self._refused_keys: set[object] = set()
        self._changed = True
        self._remarks: set[str] = set()  # that were logged

    @property
    def job_ids(self) -> list[str]:
        """The ids of all jobs."""
        return list(self._jobs)

    @property
    def unfinished(self) -> list[str]:
        """The ids of the jobs that must be polled again."""
        return [job_id for job_id in self._jobs if not self.is_finished(job_id)]

    @property
    def known_jobs(self) -> list[dict[str, Any]]:
        """The last known state of each job as plain JSON, for another wait for the same jobs; finished jobs first.

        It leaves out jobs if there is no room; these are polled again.
        """
        known_jobs = []
        remaining_bytes = MAX_KNOWN_JOBS_BYTES - len(json.dumps(self.job_ids))
        jobs = [job for job in self._jobs.values() if job is not None]
        for job in sorted(jobs, key=lambda job: not job.state.is_finished):
            values = job.to_json()
            if (size := len(json.dumps(values)) + 2) <= remaining_bytes:
                known_jobs.append(values)
                remaining_bytes -= size
        return known_jobs

    @property
    def missing(self) -> list[str]:
        """The ids of the jobs that were seen before, but not found by the last poll."""
        return list(self._misses)

    @property
    def stoppable(self) -> list[str]:
        """The ids of the jobs that can be canceled: unfinished, and found by the last poll."""
        return [job_id for job_id in self.unfinished if job_id not in self._misses]

    def is_finished(self, job_id: str) -> bool:
        """Return whether a job has reached a terminal state."""
        job = self._jobs[job_id]
        return job is not None and job.state.is_finished

    @property
    def result(self) -> dict[str, Any]:
        """The current result, in the shape that the sensor returns."""
        return summarize(
            vendor=self.vendor.conn_type,
            conn_id=self.conn_id,
            job_kind=self.kind.name,
            jobs=[job for job in self._jobs.values() if job is not None],
        )

    def note(self, job: BulkJob, now: float) -> bool:
        """Record a job's state; return whether the job has finished since the last poll.

        :raises JobDisappearedError: the vendor no longer has a record of the job.
        :raises JobNotFoundError: the vendor has no record of the job, and the grace period is over.
        """
        before = self._jobs[job.job_id]
        if not job.known:
            self.record_missing(job.job_id, now)
            if before is not None:
                return False
        else:
            self._refused_keys.clear()
            self._misses.pop(job.job_id, None)
        self._changed |= before is None or before.vendor_state != job.vendor_state
        self._jobs[job.job_id] = job
        return job.state.is_finished and before is not None and not before.state.is_finished

    def record_missing(self, job_id: str, now: float) -> None:
        """Record that the vendor does not know a job: it returned a 404 or an empty record.

        :raises JobDisappearedError: two consecutive polls did not find a job that was seen before: it expired or was
            deleted.
        :raises JobNotFoundError: the job was never seen, and the grace period is over.
        """
        self._refused_keys.clear()
        before = self._jobs[job_id]
        if before is not None and before.known:
            self._misses[job_id] += 1
            if self._misses[job_id] >= MAX_MISSES:
                raise JobDisappearedError(
                    f"{self.name(job_id)}: the job no longer exists at the vendor (last state: {before.vendor_state}). "
                    "It expired or was deleted, so its result is unavailable."
                )
        elif now > self.started_at + GRACE:
            raise JobNotFoundError(self._unknown(job_id))

    def longest_wait(self, job_id: str) -> float:
        """Return the maximum seconds until the next poll of a job: one that was never seen is an error after the grace.

        The poll interval may be much longer than that.
        """
        job = self._jobs[job_id]
        grace = self.started_at + GRACE - time.time()
        return math.inf if grace < 0 or (job is not None and job.known) else grace + 1.0

    def note_refused_key(self, key: object, error: AuthenticationError) -> None:
        """Record that the vendor refused a key and that the connection has a new one.

        :param key: identifies the key.
        :raises AuthenticationError: the vendor has refused several consecutive keys.
        """
        if len(self._refused_keys) < MAX_REFUSED_KEYS:
            self._refused_keys.add(key)
        if len(self._refused_keys) == MAX_REFUSED_KEYS:
            raise AuthenticationError(
                f"{error} Each lookup of the connection returned another key, and the vendor refused "
                f"{MAX_REFUSED_KEYS} consecutive keys."
            ) from error

    def _unknown(self, job_id: str) -> str:
        return (
            f"{self.name(job_id)}: job not found at the vendor {GRACE:.0f} s after the wait started. Check the id, the "
            f"job_kind, and the account, region and host of connection {self.conn_id!r}. A job that finished long ago "
            "may have expired."
        )

    def record_error(self, job_id: str, error: BulkJobError) -> None:
        """Record an error of a poll.

        :raises BulkJobError: the error, with the job's name, if it ends the wait.
        """
        if isinstance(error, JobNotFoundError):
            self.record_missing(job_id, time.time())
        elif isinstance(error, VendorUnavailableError):
            resumable = error.reworded(f"{self.name(job_id)}: {error.message}", hint=self.how_to_resume)
            resumable.job_ids = self.unfinished
            raise resumable from error
        elif isinstance(error, VendorAPIError | UnknownStateError | UntrustedResponseError):
            raise error.reworded(f"{self.name(job_id)}: {error.message}") from error
        else:
            raise error

    @property
    def how_to_resume(self) -> str:
        """What to do after an error that does not concern the jobs themselves."""
        unfinished = self.unfinished
        more = f" and {len(unfinished) - MAX_LISTED} more" if len(unfinished) > MAX_LISTED else ""
        return (
            f"The import may still be running. Retry the task, or start a sensor with "
            f"job_id={unfinished[:MAX_LISTED]}{more}."
        )

    def name(self, job_id: str | None = None) -> str:
        """Return the name of the wait, or of one of its jobs, for messages."""
        job_ids = [job_id] if job_id is not None else list(self._jobs)
        jobs = job_ids[0] if len(job_ids) == 1 else f"of {len(job_ids)} jobs"
        return f"{self.vendor.conn_type} {self.kind.noun} {jobs}"

    @property
    def progress_summary(self) -> str:
        """The progress, for the message of a wait that ends early."""
        unfinished = self.unfinished
        done = len(self._jobs) - len(unfinished)
        return f"{self.name()}: {done} of {len(self._jobs)} jobs done, unfinished: {unfinished[:MAX_LISTED]}"

    def status_change(self) -> str | None:
        """Return the progress as one line, or ``None`` if it has not changed since the last call.

        A remark about a state is in the first line with this state only.
        """
        if not self._changed or not any(self._jobs.values()):
            return None
        self._changed = False
        states = Counter(job.vendor_state if job else "no state yet" for job in self._jobs.values())
        counts = ", ".join(f"{number} {state}" if len(self._jobs) > 1 else state for state, number in states.items())
        since = f"{max(time.time() - self.started_at, 0):.0f} s after the wait started{self._new_remarks(states)}"
        if len(self._jobs) == 1:
            return f"{self.name()}: {counts}, {since}"
        done = len(self._jobs) - len(self.unfinished)
        state = "running" if self.unfinished else "finished"
        return f"{self.name()}: {state}, {done} of {len(self._jobs)} jobs done ({counts}), {since}"

    def _new_remarks(self, states: Iterable[str]) -> str:
        known = self.kind.states.remarks if self.kind.states else {}
        new = dict.fromkeys(known[state] for state in states if state in known and known[state] not in self._remarks)
        self._remarks.update(new)
        return "".join(f". {remark}" for remark in new)
