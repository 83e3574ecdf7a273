# SPDX-License-Identifier: Apache-2.0
"""The trigger with which Airflow 3.3 and later starts a wait in the triggerer, without a worker."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bulkjobs._airflow import delete_result_async, pull_output
from airflow_provider_bulkjobs.arguments import read_conn_id, read_job_ids
from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.links import push_page_link_async
from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger
from airflow_provider_bulkjobs.triggers.event import start_on_worker
from airflow_provider_bulkjobs.waiting.deadline import started_at
from airflow_provider_bulkjobs.waiting.messages import first_poll_message, start_message
from airflow_provider_bulkjobs.waiting.poll_async import is_canceled
from airflow_provider_bulkjobs.waiting.poll_interval import FIRST_POLL_WITHIN
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

# Seconds until a worker takes over. The first XCom or connection that a triggerer reads can take half a minute.
START_LIMIT = 60.0


class StartingTrigger(BaseTrigger):
    """Do what the worker does at the start of a wait, then wait as :class:`BulkJobTrigger`.

    Whatever goes wrong before the first poll ends this trigger with an event that makes a worker start the wait, so
    that a bad argument or connection fails, is retried and is skipped as if the wait had started there.

    :param plan: the arguments of :class:`BulkJobTrigger` that do not depend on the start; ``job_ids``, or the
        ``output`` (``task_id`` and ``key``) that has them; and the sensor's ``timeout``, in seconds.
    """

    # Airflow sets both. The time is stored in its database, so the deadline is the same after a restart.
    task_instance: Any
    timeout_after: Any = None

    def __init__(self, *, plan: Mapping[str, Any]) -> None:
        super().__init__()
        self.plan = plan
        self._wait: BulkJobTrigger | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the arguments as Airflow has stored them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"plan": dict(self.plan)}

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render nothing: Airflow calls this on the event loop, and there are no templates."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Start the wait, and yield its single event."""
        try:
            async with asyncio.timeout(START_LIMIT):
                self._wait = await self._start()
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_canceled():
                raise  # Airflow requested it, not a library
            # The message of an unexpected error may contain anything.
            reason = str(error) if isinstance(error, BulkJobError) else type(error).__name__
            self.log.warning("Starting on a worker instead: %s", reason)
            yield TriggerEvent(start_on_worker(reason, self._started_at))
            return
        async for event in self._wait.run():
            yield event

    async def on_kill(self) -> None:
        """Cancel the unfinished jobs if ``cancel_on_kill`` is set, as :class:`BulkJobTrigger`."""
        if self.plan["cancel_on_kill"]:
            wait = self._wait or await self._start()
            await wait.on_kill()

    @property
    def _started_at(self) -> float | None:
        return started_at(self.timeout_after, self.plan["timeout"]) if self.timeout_after else None

    async def _start(self) -> BulkJobTrigger:
        arguments = dict(self.plan)
        job_ids, output, timeout = (arguments.pop(name) for name in ("job_ids", "output", "timeout"))
        # Slow imports, in a thread.
        hooks = await asyncio.to_thread(import_module, "airflow_provider_bulkjobs.hooks.bulk_job")
        await delete_result_async(self.task_instance)
        job_ids = read_job_ids(await pull_output(self.task_instance, output) if output else job_ids)
        hook = await hooks.hook_for_async(read_conn_id(arguments["conn_id"]))
        kind = hook.job_kind(arguments["job_kind"])
        if arguments["cancel_on_kill"]:
            hook.cancelable_job_kind(kind.name)
        began = self._started_at
        if began is None:
            raise BulkJobError("Airflow has set no timeout for this trigger.")
        wait = BulkJobTrigger(
            **arguments | {"job_kind": kind.name},
            hook_class=hook.class_path,
            job_ids=job_ids,
            started_at=began,
            deadline=began + timeout,
            first_poll_at=0.0,
        )
        # Waits that start together do not poll, end and resume together.
        wait.spread = min(wait.schedule.wait_after(1), FIRST_POLL_WITHIN)
        wait.first_poll_at = time.time() + random.uniform(0.0, wait.spread)  # noqa: S311
        wait.account = hook.account
        tracker = JobTracker(vendor=hook.vendor, kind=kind, conn_id=hook.conn_id, job_ids=job_ids, started_at=began)
        page = await push_page_link_async(self.task_instance, hook, kind)
        self.log.info("%s", start_message(tracker, wait.schedule.poke_interval, timeout, page))
        self.log.info("%s", first_poll_message(wait.first_poll_at))
        return wait
