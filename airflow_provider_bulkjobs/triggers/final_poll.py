# SPDX-License-Identifier: Apache-2.0
"""The final poll of a wait, at its deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs.exceptions import BulkJobError

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.vendors.spec.fields import Account
    from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

LONGEST_QUEUE = 240.0  # seconds that the requests may queue: less than Airflow's own timeout leaves
log = logging.getLogger(__name__)


async def final_poll(
    vendor: Vendor,
    load_account: Callable[[], Awaitable[Account]],
    wait: JobTracker,
    ask: Callable[..., Awaitable[None]],
) -> None:
    """Ask once more: the jobs may have finished since the last poll, or while no triggerer ran.

    :param ask: asks about a job, and writes the answer down in the wait.
    """
    from airflow_provider_bulkjobs.http.pool import shared_transport
    from airflow_provider_bulkjobs.http.responses import FINAL_POLL_TIMEOUT
    from airflow_provider_bulkjobs.http.retry import NO_RETRY

    try:
        async with asyncio.timeout(FINAL_POLL_TIMEOUT) as clock:
            account = await load_account()
            async with shared_transport(vendor, account) as transport:
                if not transport.is_paused:
                    queue = min(transport.queue(len(wait.unfinished)), LONGEST_QUEUE)
                    clock.reschedule(asyncio.get_running_loop().time() + queue + FINAL_POLL_TIMEOUT)
                    polls: Any = (ask(transport, account, wait, NO_RETRY, job_id) for job_id in wait.unfinished)
                    for problem in await asyncio.gather(*polls, return_exceptions=True):
                        if isinstance(problem, BaseException):
                            raise problem
    except (BulkJobError, TimeoutError) as error:
        log.info("The final poll, at the deadline, has failed: %s", error)
