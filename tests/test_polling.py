# SPDX-License-Identifier: Apache-2.0
"""When the trigger polls which job."""

import asyncio
import time

import pytest
from test_tracker import make_wait

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.waiting import poll_async as polling
from airflow_provider_bulkjobs.waiting.poll_async import poll, run_together
from airflow_provider_bulkjobs.waiting.tracker import GRACE


class Steps:
    """A schedule whose steps are distinct."""

    def wait_after(self, polls):
        return 1000.0 * polls


@pytest.fixture
def slept(monkeypatch):
    """Let no sleep take any time; return how long each was to be."""
    seconds, sleep = [], asyncio.sleep

    async def note(delay):
        seconds.append(delay)
        await sleep(0)

    monkeypatch.setattr(polling.asyncio, "sleep", note)
    return seconds


async def finish_after(wait, polls):
    left = dict.fromkeys(wait.job_ids, polls)

    async def ask(job_id):
        left[job_id] -= 1
        if not left[job_id]:
            wait.note(BulkJob(job_id, JobState.SUCCEEDED, "completed"), 1001)

    await poll(wait, Steps(), ask)


async def test_the_worker_made_the_first_poll(slept):
    await finish_after(make_wait("a"), polls=4)
    assert slept == [0, 2000, 3000, 4000]


async def test_a_job_that_was_never_seen_is_polled_after_the_grace(slept):
    await finish_after(make_wait("a", started_at=time.time()), polls=3)
    assert all(seconds <= GRACE + 1 for seconds in slept)
    assert slept[1] > GRACE - 10


async def test_the_jobs_of_a_list_are_spread_over_the_interval(slept):
    await finish_after(make_wait("a", "b", "c", "d"), polls=1)
    assert slept == [0, 500, 1000, 1500]


async def test_nothing_unfinished_is_no_poll(slept):
    await finish_after(make_wait(), polls=1)
    assert slept == []


async def test_one_error_cancels_the_others_and_is_raised_itself():
    ended = []

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fail():
        raise errors.UnknownStateError("wobbling")

    with pytest.raises(errors.UnknownStateError):
        await run_together([hang(), fail(), hang()])
    assert ended == [True, True]
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)  # nothing is left that would cancel the caller


@pytest.mark.parametrize("order", [1, -1])
async def test_of_several_errors_one_of_our_own_is_raised(order):
    async def fail(error):
        raise error

    failing = [fail(RuntimeError("bug")), fail(errors.UnknownStateError("wobbling")), fail(OSError())]
    with pytest.raises(errors.UnknownStateError):
        await run_together(failing[::order])


async def test_a_poll_that_a_library_cancels_is_an_error():
    async def lost():
        raise asyncio.CancelledError

    async def fine():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="not by Airflow"):
        await run_together([fine(), lost()])


async def test_a_cancel_from_outside_reaches_all():
    ended, started = [], asyncio.Event()

    async def hang():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.ensure_future(run_together([hang(), hang()]))
    await started.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True, True]


async def test_first_polls_of_a_list_have_an_upper_limit(slept):
    """A wait that starts in the triggerer has not polled before."""
    wait = make_wait("a", "b")
    await poll(wait, Steps(), lambda job_id: finish(wait, job_id), spread=60)
    assert slept == [0, 30]


async def finish(wait, job_id):
    wait.note(BulkJob(job_id, JobState.SUCCEEDED, "completed"), 1001)
