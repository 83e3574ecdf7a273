# SPDX-License-Identifier: Apache-2.0
"""What is known of the jobs that are waited for. The sensor and the trigger keep the same book."""

from __future__ import annotations

import json
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

GRACE = 60.0  # seconds a vendor may take until it knows a job that it has just accepted
# Polls in a row that must not find a job that was seen before. One may have been answered by a replica that lags.
MISSES = 2
# Different keys in a row that the vendor may refuse, without an answer in between that proves one of them good.
REFUSED_KEYS = 3
NEW_KEY = "The connection has another key by now, which is used from now on."
MOST_NAMED = 20  # ids in a message
# Bytes of ids and of what is known of them. Encrypted, a trigger's arguments have to fit into 64 KiB where Airflow's
# database is MySQL.
MOST_TOLD = 45_000


class JobTracker:
    """The jobs of one wait and the last that was heard of each.

    :param started_at: when the wait started, in epoch seconds.
    :param known_jobs: what is known already, as :attr:`known_jobs` of an earlier wait for the same jobs.
    :param missing: the jobs that the last poll did not find, as :attr:`missing` of an earlier wait.
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
    ) -> None:
        self.vendor = vendor
        self.kind = kind
        self.conn_id = conn_id
        self.started_at = started_at
        self._jobs: dict[str, BulkJob | None] = dict.fromkeys(job_ids)
        self._jobs.update({job.job_id: job for job in map(BulkJob.from_json, known_jobs)})
        self._misses = Counter(missing)
        self._refused_keys: set[object] = set()
        self._changed = True

    @property
    def job_ids(self) -> list[str]:
        """The ids of all jobs."""
        return list(self._jobs)

    @property
    def unfinished(self) -> list[str]:
        """The ids of the jobs that are to be asked about again."""
        return [job_id for job_id in self._jobs if not self.is_finished(job_id)]

    @property
    def known_jobs(self) -> list[dict[str, Any]]:
        """What the vendor has answered, as plain JSON for another wait for the same jobs: the finished ones first.

        It may leave out jobs, which then are asked about once more.
        """
        known_jobs = []
        room = MOST_TOLD - len(json.dumps(self.job_ids))
        jobs = [job for job in self._jobs.values() if job is not None]
        for job in sorted(jobs, key=lambda job: not job.state.is_finished):
            told = job.to_json()
            if (size := len(json.dumps(told)) + 2) <= room:
                known_jobs.append(told)
                room -= size
        return known_jobs

    @property
    def missing(self) -> list[str]:
        """The ids of the jobs that were seen before and that the last poll did not find."""
        return list(self._misses)

    @property
    def stoppable(self) -> list[str]:
        """The ids of the jobs that can be stopped: they are unfinished, and the last poll found them."""
        return [job_id for job_id in self.unfinished if job_id not in self._misses]

    def is_finished(self, job_id: str) -> bool:
        """Tell whether a job need not be asked about again."""
        job = self._jobs[job_id]
        return job is not None and job.state.is_finished

    @property
    def result(self) -> dict[str, Any]:
        """What is known now, in the shape the sensor returns."""
        return summarize(
            vendor=self.vendor.conn_type,
            conn_id=self.conn_id,
            job_kind=self.kind.name,
            jobs=[job for job in self._jobs.values() if job is not None],
        )

    def note(self, job: BulkJob, now: float) -> bool:
        """Write down what the vendor said about a job; return whether it has ended since it was last asked about.

        :raises JobDisappearedError: the vendor has no record of the job any more.
        :raises JobNotFoundError: it has no record of the job, and has had time enough to make one.
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
        """Write down that the vendor does not know a job, however it says so: with a 404, or with an empty record.

        :raises JobDisappearedError: it did before, and two polls in a row did not find the job: it has expired or was
            deleted.
        :raises JobNotFoundError: it never did, and has had time enough.
        """
        self._refused_keys.clear()
        before = self._jobs[job_id]
        if before is not None and before.known:
            self._misses[job_id] += 1
            if self._misses[job_id] >= MISSES:
                raise JobDisappearedError(
                    f"{self.name(job_id)}: the vendor knew the job (last state: {before.vendor_state}) and does not "
                    "any more. It has expired or was deleted, so its result cannot be known."
                )
        elif now > self.started_at + GRACE:
            raise JobNotFoundError(self._unknown(job_id))

    def note_refused_key(self, key: object, error: AuthenticationError) -> None:
        """Write down that the vendor refused a key, where the connection has another one by now.

        :param key: what tells the key from any other.
        :raises AuthenticationError: it has refused several in a row.
        """
        if len(self._refused_keys) < REFUSED_KEYS:
            self._refused_keys.add(key)
        if len(self._refused_keys) == REFUSED_KEYS:
            raise AuthenticationError(
                f"{error} The connection has another key at each lookup, and the vendor has refused {REFUSED_KEYS} of "
                "them in a row."
            ) from error

    def _unknown(self, job_id: str) -> str:
        return (
            f"{self.name(job_id)}: the vendor does not know this job, {GRACE:.0f} s after the wait began. Check the id "
            f"and the job_kind, and the account, region and host of connection {self.conn_id!r}; a job that ended "
            "long ago may have expired."
        )

    def record_error(self, job_id: str, error: BulkJobError) -> None:
        """Write down what went wrong in asking about a job.

        :raises BulkJobError: what it means for the wait, with the job's name.
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
        """What to do after an error that says nothing about the jobs themselves."""
        unfinished = self.unfinished
        more = f" and {len(unfinished) - MOST_NAMED} more" if len(unfinished) > MOST_NAMED else ""
        return (
            f"The import itself may be fine: retry the task, or wait again for job_id={unfinished[:MOST_NAMED]}{more}."
        )

    def name(self, job_id: str | None = None) -> str:
        """Return what to call the wait, or one of its jobs, in messages."""
        job_ids = [job_id] if job_id is not None else list(self._jobs)
        jobs = job_ids[0] if len(job_ids) == 1 else f"of {len(job_ids)} jobs"
        return f"{self.vendor.conn_type} {self.kind.noun} {jobs}"

    @property
    def progress_summary(self) -> str:
        """How things stand, for the message of a wait that has to end."""
        unfinished = self.unfinished
        done = len(self._jobs) - len(unfinished)
        return f"{self.name()}: {done} of {len(self._jobs)} jobs done, unfinished are {unfinished[:MOST_NAMED]}"

    def status_change(self) -> str | None:
        """Return a line on how things stand, if that has changed since the last one."""
        if not self._changed or not any(self._jobs.values()):
            return None
        self._changed = False
        states = Counter(job.vendor_state if job else "not known yet" for job in self._jobs.values())
        words = ", ".join(f"{number} {state}" if len(self._jobs) > 1 else state for state, number in states.items())
        since = f"{max(time.time() - self.started_at, 0):.0f} s after the wait began"
        if len(self._jobs) == 1:
            return f"{self.name()}: {words}, {since}"
        done = len(self._jobs) - len(self.unfinished)
        how = "running" if self.unfinished else "finished"
        return f"{self.name()}: {how}, {done} of {len(self._jobs)} jobs done ({words}), {since}"
