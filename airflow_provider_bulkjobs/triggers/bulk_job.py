# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits for any number of bulk jobs in one coroutine of the triggerer.

The triggerer imports this module on its event loop, so slow imports are done later, in a thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bulkjobs.configuration import max_outage
from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    ConnectionLookupError,
    JobDisappearedError,
)
from airflow_provider_bulkjobs.hooks.connection_lookup import retry_lookup_async
from airflow_provider_bulkjobs.metrics import in_flight, initialize
from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.triggers.current_account import CurrentAccount
from airflow_provider_bulkjobs.triggers.event import checkpoint, failed, finished, timeout_message
from airflow_provider_bulkjobs.triggers.final_poll import final_poll
from airflow_provider_bulkjobs.waiting.cancel_on_kill import canceling
from airflow_provider_bulkjobs.waiting.poll_async import is_canceled, poll
from airflow_provider_bulkjobs.waiting.poll_interval import MIN_DEFERRAL, PollInterval
from airflow_provider_bulkjobs.waiting.tracker import NEW_KEY, JobTracker

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
    from airflow_provider_bulkjobs.http.retry import RetryPolicy
    from airflow_provider_bulkjobs.vendors.spec.fields import Account

# Seconds after which finished jobs are stored in a checkpoint, which starts a worker. Airflow stores a trigger's
# arguments only at a deferral, and a vendor may delete a finished job before the others have finished.
CHECKPOINT_AFTER = 3600.0
LOOKUP_LIMIT = 3600.0  # seconds without a successful lookup


class BulkJobTrigger(BaseTrigger):
    """Wait until every job has finished or a checkpoint is due, then fire once.

    :mod:`airflow_provider_bulkjobs.triggers.event` defines the events.

    :param hook_class: dotted path of the hook's class, which determines the vendor.
    :param conn_id: the connection; read when the wait starts, and again when the vendor refuses the key.
    :param job_ids: the jobs to wait for.
    :param job_kind: one of the vendor's job kinds.
    :param started_at: when the wait started, in epoch seconds.
    :param deadline: when it times out, in epoch seconds.
    :param first_poll_at: time of the first poll, in epoch seconds; the worker has polled before that.
    :param known_jobs: the job states that the worker already knows.
    :param poke_interval: seconds between two polls of a job.
    :param exponential_backoff: as in ``BaseSensorOperator``.
    :param max_wait: as in ``BaseSensorOperator``, in seconds.
    :param silent_fail: log errors instead of ending the wait with them, as in ``BaseSensorOperator``.
    :param cancel_on_kill: cancel the unfinished jobs when a user kills the task (Airflow 3.3 and later).
    :param resume_kwargs: returned in the event: the arguments of ``execute_complete``, of which ``dag.test()`` in
        Airflow 3 passes only the event.
    """

    def __init__(
        self,
        *,
        hook_class: str,
        conn_id: str,
        job_ids: Sequence[str],
        job_kind: str,
        started_at: float,
        deadline: float,
        first_poll_at: float,
        known_jobs: Sequence[dict[str, Any]] = (),
        poke_interval: float = 60.0,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        silent_fail: bool = False,
        cancel_on_kill: bool = False,
        resume_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.hook_class = hook_class
        self.conn_id = conn_id
        self.job_ids = job_ids
        self.job_kind = job_kind
        self.started_at = started_at
        self.deadline = deadline
        self.first_poll_at = first_poll_at
        self.known_jobs = known_jobs
        self.schedule = PollInterval(poke_interval, exponential_backoff, max_wait)
        self.silent_fail = silent_fail
        self.cancel_on_kill = cancel_on_kill
        self.resume_kwargs = resume_kwargs
        # Set if the wait starts in the triggerer: the connection, and the maximum seconds until each job is polled.
        self.account: Account | None = None
        self.spread = math.inf
        self._tracker: JobTracker | None = None
        self._clock: asyncio.Timeout
        self._has_checkpoint = False
        self._last_report = ""
        self._page: str | None = None  # of the vendor's web UI; not known before the connection is

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the arguments of a trigger that continues this wait with the known jobs: plain JSON, no secrets."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "hook_class": self.hook_class,
                "conn_id": self.conn_id,
                "job_ids": list(self.job_ids),
                "job_kind": self.job_kind,
                "started_at": self.started_at,
                "deadline": self.deadline,
                "first_poll_at": self.first_poll_at,
                "known_jobs": self._tracker.known_jobs if self._tracker else list(self.known_jobs),
                "poke_interval": self.schedule.poke_interval,
                "exponential_backoff": self.schedule.exponential_backoff,
                "max_wait": self.schedule.max_wait,
                "silent_fail": self.silent_fail,
                "cancel_on_kill": self.cancel_on_kill,
                "resume_kwargs": dict(self.resume_kwargs or {}),
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield a single event."""
        not_before = min(self.first_poll_at, self.deadline, time.time() + MIN_DEFERRAL)
        try:
            hook = await asyncio.to_thread(self._load_hook)
            with in_flight(hook.vendor.conn_type):
                event = await self._run(hook)
        except BulkJobError as error:
            event = failed(error)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_canceled():
                raise  # Airflow requested it, not a library
            # Airflow would turn this error into an AirflowException, which soft_fail skips.
            self.log.exception("Unexpected error in BulkJobTrigger")
            event = failed(BulkJobError(f"Unexpected error in BulkJobTrigger: {redact(repr(error))}"))
        await asyncio.sleep(not_before - time.time())
        yield TriggerEvent({**event, "resume_kwargs": dict(self.resume_kwargs)} if self.resume_kwargs else event)

    async def on_kill(self) -> None:
        """Cancel the unfinished jobs if ``cancel_on_kill`` is set; Airflow 3.3 and later calls this at a kill."""
        if not self.cancel_on_kill:
            return
        hook = await asyncio.to_thread(self._load_hook)
        job_ids = self._tracker.stoppable if self._tracker else self.job_ids
        # Concurrently: Airflow allows 30 seconds.
        await asyncio.gather(*(self._stop(hook, job_id) for job_id in job_ids))

    async def _stop(self, hook: BulkJobHook, job_id: str) -> None:
        with canceling(self.log, hook.vendor.label, job_id):
            await hook.acancel_job(job_id, self.job_kind)

    async def _run(self, hook: BulkJobHook) -> dict[str, Any]:
        tracker = self._tracker = JobTracker(
            vendor=hook.vendor,
            kind=hook.job_kind(self.job_kind),
            conn_id=self.conn_id,
            job_ids=self.job_ids,
            started_at=self.started_at,
            known_jobs=self.known_jobs,
        )
        tracker.status_change()  # the worker has logged this already
        try:
            async with asyncio.timeout(self.deadline - time.time()) as self._clock:
                await asyncio.sleep(0)  # if the deadline has already passed, the wait ends here
                await self._poll(hook, tracker)
        except TimeoutError:
            if not self._clock.expired():
                raise
            if tracker.unfinished and self._has_checkpoint:
                return checkpoint(self.serialize()[1])
            await final_poll(hook.vendor, partial(self._load_account, hook), tracker, self._poll_job)
            if tracker.unfinished:
                problem = f" (last error: {self._last_report})" if self._last_report else ""
                return timeout_message(tracker.progress_summary + problem)
        except ConnectionLookupError as error:
            raise ConnectionLookupError(f"{error} {tracker.how_to_resume}") from error
        return finished(tracker.result, self._page)

    def _load_hook(self) -> BulkJobHook:
        import_module("airflow_provider_bulkjobs.http.pool")
        import_module("pendulum")
        initialize()
        module, _, name = self.hook_class.rpartition(".")
        hook: BulkJobHook = getattr(import_module(module), name)(self.conn_id)
        return hook

    async def _poll(self, hook: BulkJobHook, tracker: JobTracker) -> None:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        policy = RetryPolicy(
            max_attempts=math.inf,
            max_outage=max_outage(),
            max_delay=max(60.0, self.schedule.poke_interval),
            on_retry=self._report,
        )
        current = CurrentAccount(hook.vendor, partial(self._load_account, hook), self.account)
        async with current.opened() as account:
            self._page = tracker.kind.page(account) or ""
            await asyncio.sleep(self.first_poll_at - time.time())
            poll_job = self._poll_silently if self.silent_fail else self._poll_with_key_renewal
            await poll(tracker, self.schedule, partial(poll_job, current, tracker, policy), self.spread)

    async def _load_account(self, hook: BulkJobHook) -> Account:
        return await retry_lookup_async(hook.load_account, self._report, LOOKUP_LIMIT)

    async def _poll_silently(
        self, current: CurrentAccount, tracker: JobTracker, policy: RetryPolicy, job_id: str
    ) -> None:
        """Poll a job; log errors instead of raising them, except for a job that no longer exists."""
        try:
            await self._poll_with_key_renewal(current, tracker, policy, job_id)
        except JobDisappearedError:
            raise
        except BulkJobError as error:
            self._report(f"{error} (continuing, because of silent_fail)")

    async def _poll_with_key_renewal(
        self, current: CurrentAccount, tracker: JobTracker, policy: RetryPolicy, job_id: str
    ) -> None:
        """Poll a job. If the vendor refuses the key, read the connection again; the next poll uses its new key."""
        lease = current.borrow()
        try:
            await self._poll_job(lease.transport, lease.account, tracker, policy, job_id)
        except AuthenticationError as error:
            if not await current.renew(lease.account):
                raise
            tracker.note_refused_key(lease.account.fingerprint, error)
            self._report(f"{error} {NEW_KEY}")
        finally:
            await lease.release()

    async def _poll_job(
        self, transport: AiohttpTransport, account: Account, tracker: JobTracker, policy: RetryPolicy, job_id: str
    ) -> None:
        try:
            try:
                job = await transport.run(lambda: tracker.kind.status(account, job_id), policy)
            except BulkJobError as error:
                tracker.record_error(job_id, error)
            else:
                if tracker.note(job, time.time()):
                    transport.metrics.finished(job)
                if job.state.is_finished:
                    self._plan_checkpoint(tracker)
            self._last_report = ""
        finally:
            transport.metrics.poll()
            if status_change := tracker.status_change():
                self.log.info("%s", status_change)

    def _plan_checkpoint(self, tracker: JobTracker) -> None:
        """Schedule a checkpoint of the finished jobs in an hour, for the case that others are still unfinished then."""
        if self._has_checkpoint or time.time() + CHECKPOINT_AFTER >= self.deadline:
            return
        if _finished(tracker.known_jobs) > _finished(self.known_jobs):  # more jobs may not fit
            self._has_checkpoint = True
            self._clock.reschedule(asyncio.get_running_loop().time() + CHECKPOINT_AFTER)

    def _report(self, text: str) -> None:
        self._last_report = text
        self.log.warning("%s", text)


def _finished(known_jobs: Sequence[dict[str, Any]]) -> int:
    return sum(JobState(job["state"]).is_finished for job in known_jobs)
