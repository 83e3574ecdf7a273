# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits for bulk jobs, however many, in one coroutine of the triggerer.

A triggerer imports this on its event loop, so whatever is slow to import is imported later, in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    ConnectionLookupError,
    JobDisappearedError,
)
from airflow_provider_bulkjobs.hooks.connection_lookup import retry_lookup_async
from airflow_provider_bulkjobs.metrics import in_flight, initialize
from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.triggers.current_account import CurrentAccount
from airflow_provider_bulkjobs.triggers.event import checkpoint, failed, finished, timeout_message
from airflow_provider_bulkjobs.triggers.final_poll import final_poll
from airflow_provider_bulkjobs.waiting.poll_async import is_canceled, poll
from airflow_provider_bulkjobs.waiting.poll_interval import FLOOR, PollInterval
from airflow_provider_bulkjobs.waiting.tracker import NEW_KEY, JobTracker

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
    from airflow_provider_bulkjobs.http.retry import RetryPolicy
    from airflow_provider_bulkjobs.vendors.spec.fields import Account

# Airflow stores a trigger's arguments only when a task is deferred, and a vendor may forget a finished job before the
# others have finished. Seconds after which a finished job is stored, at the cost of starting a worker.
CHECKPOINT_AFTER = 3600.0
LOOKUP_LIMIT = 3600.0  # seconds without a successful lookup


class BulkJobTrigger(BaseTrigger):
    """Wait until every job has finished, or until some have to be stored, then fire once.

    The events are those of :mod:`airflow_provider_bulkjobs.triggers.event`.

    :param hook_class: dotted path of the hook's class, which knows the vendor.
    :param conn_id: the connection; read when the wait starts, and again when the vendor refuses the key.
    :param job_ids: the jobs to wait for.
    :param job_kind: one of the vendor's job kinds.
    :param started_at: when the wait began, in epoch seconds.
    :param deadline: when it ends at the latest, in epoch seconds.
    :param first_poll_at: when to ask for the first time, in epoch seconds; the worker has asked before that.
    :param known_jobs: what the worker learnt about the jobs.
    :param poke_interval: seconds between two polls of a job.
    :param exponential_backoff: as in ``BaseSensorOperator``.
    :param max_wait: as in ``BaseSensorOperator``, in seconds.
    :param silent_fail: log errors instead of ending the wait with them, as in ``BaseSensorOperator``.
    :param cancel_on_kill: stop the jobs when a user kills the task; Airflow tells triggers from 3.3 on.
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
        self._tracker: JobTracker | None = None
        self._clock: asyncio.Timeout
        self._has_checkpoint = False
        self._last_report = ""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another trigger needs to continue, with what is known by now: plain JSON, and no secret."""
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
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        not_before = min(self.first_poll_at, self.deadline, time.time() + FLOOR)
        try:
            hook = await asyncio.to_thread(self._load_hook)
            with in_flight(hook.vendor.conn_type):
                event = await self._run(hook)
        except BulkJobError as error:
            event = failed(error)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_canceled():
                raise  # by Airflow, and not by a library that got lost
            # Left to Airflow, this would become an AirflowException, which soft_fail skips.
            self.log.exception("The wait ended with an unexpected error")
            event = failed(BulkJobError(f"the wait ended with an unexpected error: {error!r}"))
        await asyncio.sleep(not_before - time.time())
        yield TriggerEvent(event)

    async def on_kill(self) -> None:
        """Stop the unfinished jobs, if asked to; called when a user kills the task, from Airflow 3.3 on."""
        if not self.cancel_on_kill:
            return
        hook = await asyncio.to_thread(self._load_hook)
        job_ids = self._tracker.stoppable if self._tracker else self.job_ids
        # All at once: Airflow gives half a minute.
        await asyncio.gather(*(self._stop(hook, job_id) for job_id in job_ids))

    async def _stop(self, hook: BulkJobHook, job_id: str) -> None:
        self.log.info("The task was killed: asking %s to stop job %s", hook.vendor.label, job_id)
        try:
            await hook.acancel_job(job_id, self.job_kind)
        except BulkJobError as error:
            self.log.warning("Job %s could not be stopped: %s", job_id, error)

    async def _run(self, hook: BulkJobHook) -> dict[str, Any]:
        wait = self._tracker = JobTracker(
            vendor=hook.vendor,
            kind=hook.job_kind(self.job_kind),
            conn_id=self.conn_id,
            job_ids=self.job_ids,
            started_at=self.started_at,
            known_jobs=self.known_jobs,
        )
        wait.status_change()  # the worker has logged this already
        try:
            async with asyncio.timeout(self.deadline - time.time()) as self._clock:
                await asyncio.sleep(0)  # where the deadline has passed already, the wait ends here
                await self._poll(hook, wait)
        except TimeoutError:
            if not self._clock.expired():
                raise
            if wait.unfinished and self._has_checkpoint:
                return checkpoint(self.serialize()[1])
            await final_poll(hook.vendor, partial(self._load_account, hook), wait, self._ask)
            if wait.unfinished:
                problem = f" (the last problem: {self._last_report})" if self._last_report else ""
                return timeout_message(wait.progress_summary + problem)
        except ConnectionLookupError as error:
            raise ConnectionLookupError(f"{error} {wait.how_to_resume}") from error
        return finished(wait.result)

    def _load_hook(self) -> BulkJobHook:
        import_module("airflow_provider_bulkjobs.http.pool")
        import_module("pendulum")
        initialize()
        module, _, name = self.hook_class.rpartition(".")
        hook: BulkJobHook = getattr(import_module(module), name)(self.conn_id)
        return hook

    async def _poll(self, hook: BulkJobHook, wait: JobTracker) -> None:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        policy = RetryPolicy(max_delay=max(60.0, self.schedule.poke_interval), on_retry=self._report)
        current = CurrentAccount(hook.vendor, partial(self._load_account, hook))
        async with current.opened():
            await asyncio.sleep(self.first_poll_at - time.time())
            ask = self._ask_silently if self.silent_fail else self._ask_with_renewed_key
            await poll(wait, self.schedule, partial(ask, current, wait, policy))

    async def _load_account(self, hook: BulkJobHook) -> Account:
        return await retry_lookup_async(hook.load_account, self._report, LOOKUP_LIMIT)

    async def _ask_silently(self, current: CurrentAccount, wait: JobTracker, policy: RetryPolicy, job_id: str) -> None:
        """Ask, and log what goes wrong instead of raising it, except for a job that is gone."""
        try:
            await self._ask_with_renewed_key(current, wait, policy, job_id)
        except JobDisappearedError:
            raise
        except BulkJobError as error:
            self._report(f"{error} (continuing, because of silent_fail)")

    async def _ask_with_renewed_key(
        self, current: CurrentAccount, wait: JobTracker, policy: RetryPolicy, job_id: str
    ) -> None:
        """Ask. After a refused key, read the connection again: its new key is used from the next poll on."""
        lease = current.borrow()
        try:
            await self._ask(lease.transport, lease.account, wait, policy, job_id)
        except AuthenticationError as error:
            if not await current.renew(lease.account):
                raise
            wait.note_refused_key(lease.account.fingerprint, error)
            self._report(f"{error} {NEW_KEY}")
        finally:
            await lease.release()

    async def _ask(
        self, transport: AiohttpTransport, account: Account, wait: JobTracker, policy: RetryPolicy, job_id: str
    ) -> None:
        try:
            try:
                job = await transport.run(lambda: wait.kind.status(account, job_id), policy)
            except BulkJobError as error:
                wait.record_error(job_id, error)
            else:
                if wait.note(job, time.time()):
                    transport.metrics.finished(job)
                if job.state.is_finished:
                    self._plan_checkpoint(wait)
            self._last_report = ""
        finally:
            transport.metrics.poll()
            if status_change := wait.status_change():
                self.log.info("%s", status_change)

    def _plan_checkpoint(self, wait: JobTracker) -> None:
        """Let Airflow store the jobs that have finished, in an hour, if others are still unfinished by then."""
        if self._has_checkpoint or time.time() + CHECKPOINT_AFTER >= self.deadline:
            return
        if _finished(wait.known_jobs) > _finished(self.known_jobs):  # there may be no room for more
            self._has_checkpoint = True
            self._clock.reschedule(asyncio.get_running_loop().time() + CHECKPOINT_AFTER)

    def _report(self, text: str) -> None:
        self._last_report = text
        self.log.warning("%s", text)


def _finished(known_jobs: Sequence[dict[str, Any]]) -> int:
    return sum(JobState(job["state"]).is_finished for job in known_jobs)
