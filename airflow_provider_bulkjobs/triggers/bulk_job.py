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
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bulkjobs.errors import BulkJobError, CredentialsError, JobVanishedError
from airflow_provider_bulkjobs.metrics import get_ready, in_flight
from airflow_provider_bulkjobs.schedule import Schedule
from airflow_provider_bulkjobs.triggers.event import failed, finished, timed_out
from airflow_provider_bulkjobs.triggers.polling import Ask, poll
from airflow_provider_bulkjobs.wait import Wait

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.http.aiohttp_driver import AiohttpDriver
    from airflow_provider_bulkjobs.http.patience import Patience
    from airflow_provider_bulkjobs.vendors.account import Account

LONGEST_QUEUE = 240.0  # seconds for those who ask once more at the deadline: less than Airflow's timeout leaves us
# Airflow 3.1 mixes up the answers when several triggers look up connections at once: one at a time.
_lookups: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class BulkJobTrigger(BaseTrigger):
    """Wait until every job has finished, then fire once.

    The events are those of :mod:`airflow_provider_bulkjobs.triggers.event`.

    :param hook_class: dotted path of the hook's class, which knows the vendor.
    :param conn_id: the connection; read once, when the wait starts.
    :param job_ids: the jobs to wait for.
    :param job_kind: one of the vendor's job kinds.
    :param started_at: when the wait began, in epoch seconds.
    :param deadline: when it ends at the latest, in epoch seconds.
    :param first_poll_at: when to ask for the first time, in epoch seconds; the worker has asked before that.
    :param heard: what the worker learnt about the jobs.
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
        heard: Sequence[dict[str, Any]] = (),
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
        self.heard = heard
        self.schedule = Schedule(poke_interval, exponential_backoff, max_wait)
        self.silent_fail = silent_fail
        self.cancel_on_kill = cancel_on_kill
        self._wait: Wait | None = None
        self._last_report = ""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to go on: plain JSON, and no secret."""
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
                "heard": list(self.heard),
                "poke_interval": self.schedule.poke_interval,
                "exponential_backoff": self.schedule.exponential_backoff,
                "max_wait": self.schedule.max_wait,
                "silent_fail": self.silent_fail,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        try:
            hook = await asyncio.to_thread(self._load_hook)
            with in_flight(hook.vendor.conn_type):
                event = await self._run(hook)
        except BulkJobError as error:
            event = failed(error)
        except Exception as error:
            # Left to Airflow, this would become an AirflowException, which soft_fail skips.
            self.log.exception("The wait broke off")
            event = failed(BulkJobError(f"the wait broke off: {error!r}"))
        # Sooner, an error as well could overtake the news of the deferral.
        await asyncio.sleep(min(self.first_poll_at, self.deadline) - time.time())
        yield TriggerEvent(event)

    async def on_kill(self) -> None:
        """Stop the unfinished jobs, if asked to; called when a user kills the task, from Airflow 3.3 on."""
        if not self.cancel_on_kill:
            return
        hook = await asyncio.to_thread(self._load_hook)
        job_ids = self._wait.unfinished if self._wait else self.job_ids
        # All at once: Airflow gives half a minute.
        await asyncio.gather(*(self._stop(hook, job_id) for job_id in job_ids))

    async def _stop(self, hook: BulkJobHook, job_id: str) -> None:
        self.log.info("The task was killed: asking %s to stop job %s", hook.vendor.label, job_id)
        try:
            await hook.acancel_job(job_id, self.job_kind)
        except BulkJobError as error:
            self.log.warning("Job %s could not be stopped: %s", job_id, error)

    async def _run(self, hook: BulkJobHook) -> dict[str, Any]:
        wait = self._wait = Wait(
            vendor=hook.vendor,
            kind=hook.job_kind(self.job_kind),
            conn_id=self.conn_id,
            job_ids=self.job_ids,
            started_at=self.started_at,
            heard=self.heard,
        )
        wait.news()  # the worker has told this much
        try:
            async with asyncio.timeout(self.deadline - time.time()) as clock:
                await asyncio.sleep(0)  # where the deadline has passed already, the wait ends here
                await self._poll_with_fresh_credentials(hook, wait)
        except TimeoutError:
            if not clock.expired():
                raise
            await self._last_look(hook, wait)
            if wait.unfinished:
                problem = f" (the last problem: {self._last_report})" if self._last_report else ""
                return timed_out(wait.standing + problem)
        return finished(wait.result)

    def _load_hook(self) -> BulkJobHook:
        import_module("airflow_provider_bulkjobs.http.pool")
        import_module("pendulum")
        get_ready()
        module, _, name = self.hook_class.rpartition(".")
        hook: BulkJobHook = getattr(import_module(module), name)(self.conn_id)
        return hook

    async def _poll_with_fresh_credentials(self, hook: BulkJobHook, wait: Wait) -> None:
        from airflow_provider_bulkjobs.http.patience import Patience
        from airflow_provider_bulkjobs.http.pool import shared_driver

        patience = Patience(longest_wait=max(60.0, self.schedule.poke_interval), report=self._report)
        account = await self._load_account(hook)
        while True:
            try:
                # Those who only sleep yet keep the connections of the others open as well.
                async with shared_driver(hook.vendor, account) as driver:
                    await asyncio.sleep(self.first_poll_at - time.time())
                    ask: Ask = partial(self._ask, driver, account, wait, patience)
                    if self.silent_fail:
                        ask = partial(self._outlive_errors, hook, account, ask)
                    return await poll(wait, self.schedule, ask)
            except CredentialsError:
                # The key may have been renewed during the wait. If the connection still has the old one, it was not.
                renewed = await self._load_account(hook)
                if renewed.fingerprint == account.fingerprint:
                    raise
                account = renewed

    async def _last_look(self, hook: BulkJobHook, wait: Wait) -> None:
        """Ask once more at the deadline: the jobs may have ended since the last poll, or while no triggerer ran."""
        from airflow_provider_bulkjobs.http.answers import LAST_LOOK
        from airflow_provider_bulkjobs.http.patience import IMPATIENT
        from airflow_provider_bulkjobs.http.pool import shared_driver

        try:
            async with asyncio.timeout(LAST_LOOK) as clock:
                account = await self._load_account(hook)
                async with shared_driver(hook.vendor, account) as driver:
                    if not driver.is_paused:
                        queue = min(driver.queue(len(wait.unfinished)), LONGEST_QUEUE)
                        clock.reschedule(asyncio.get_running_loop().time() + queue + LAST_LOOK)
                        looks = (self._ask(driver, account, wait, IMPATIENT, job_id) for job_id in wait.unfinished)
                        for problem in await asyncio.gather(*looks, return_exceptions=True):
                            if isinstance(problem, BaseException):
                                raise problem
        except (BulkJobError, TimeoutError) as error:
            self.log.info("A last look at the deadline came to nothing: %s", error)

    async def _load_account(self, hook: BulkJobHook) -> Account:
        async with _lookups.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            return await hook.load_account()

    async def _ask(self, driver: AiohttpDriver, account: Account, wait: Wait, patience: Patience, job_id: str) -> None:
        try:
            try:
                job = await driver.run(lambda: wait.kind.status(account, job_id), patience)
            except BulkJobError as error:
                wait.note_error(job_id, error)
            else:
                if wait.note(job, time.time()):
                    driver.meter.finished(job)
            self._last_report = ""
        finally:
            driver.meter.poll()
            if news := wait.news():
                self.log.info("%s", news)

    async def _outlive_errors(self, hook: BulkJobHook, account: Account, ask: Ask, job_id: str) -> None:
        """Ask, and bear with what goes wrong, but for a job that is gone and a key that has been renewed."""
        try:
            await ask(job_id)
        except JobVanishedError:
            raise
        except BulkJobError as error:
            if isinstance(error, CredentialsError):
                renewed = await self._load_account(hook)
                if renewed.fingerprint != account.fingerprint:
                    raise
            self._report(f"{error} (going on, because of silent_fail)")

    def _report(self, text: str) -> None:
        self._last_report = text
        self.log.warning("%s", text)
