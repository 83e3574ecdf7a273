# SPDX-License-Identifier: Apache-2.0
"""The final poll of a wait, at the deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs.exceptions import BulkJobError

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
    from airflow_provider_bulkjobs.vendors.spec.fields import Account
    from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

MAX_QUEUE_SECONDS = 240.0  # seconds that the requests may queue; less than the margin before Airflow's own timeout
log = logging.getLogger(__name__)


async def final_poll(
    vendor: Vendor,
    load_account: Callable[[], Awaitable[Account]],
    tracker: JobTracker,
    poll_job: Callable[..., Awaitable[None]],
) -> None:
    """Poll the unfinished jobs once more: they may have finished since the last poll, or while no triggerer ran.

    :param poll_job: polls one job and records the response in the tracker.
    """
    from airflow_provider_bulkjobs.http.pool import shared_transport
    from airflow_provider_bulkjobs.http.responses import FINAL_POLL_TIMEOUT
    from airflow_provider_bulkjobs.http.retry import NO_RETRY

    try:
        async with asyncio.timeout(FINAL_POLL_TIMEOUT) as clock:
            account = await load_account()
            async with shared_transport(vendor, account) as transport:
                if not transport.is_paused:
                    requests: Any = (
                        poll_job(transport, account, tracker, NO_RETRY, job_id) for job_id in tracker.unfinished
                    )
                    polls = asyncio.gather(*requests, return_exceptions=True)
                    await _wait_for(polls, transport, clock, FINAL_POLL_TIMEOUT)
                    for error in polls.result():
                        if isinstance(error, BaseException):
                            raise error
    except (BulkJobError, TimeoutError) as error:
        log.info("The final poll at the deadline failed: %s", error)


async def _wait_for(
    polls: asyncio.Future[list[Any]], transport: AiohttpTransport, clock: asyncio.Timeout, seconds: float
) -> None:
    """Wait for the polls; the clock starts again as long as requests wait for the rate limiter."""
    loop = asyncio.get_running_loop()
    until = loop.time() + MAX_QUEUE_SECONDS
    try:
        while not polls.done():
            if transport.has_queue and loop.time() < until:
                clock.reschedule(loop.time() + seconds)
            await asyncio.wait({polls}, timeout=seconds / 2)
    finally:
        if not polls.done():
            polls.cancel()
            await asyncio.wait({polls})
