# SPDX-License-Identifier: Apache-2.0
"""Lookups of connections in the triggerer: one at a time, and shared by the callers that ask before it begins."""

import asyncio

import pytest

from airflow_provider_bulkjobs.hooks.shared_lookup import share_lookup


class Backend:
    """A secrets backend whose lookups end when the test says so."""

    def __init__(self):
        self.begun, self.under_way, self.most = [], 0, 0
        self.ends = asyncio.Event()

    async def look_up(self, conn_id):
        self.begun.append(conn_id)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.ends.wait()
            return f"{conn_id}-{len(self.begun)}"
        finally:
            self.under_way -= 1

    async def start(self, *conn_ids):
        tasks = [asyncio.create_task(share_lookup(conn_id, self.look_up)) for conn_id in conn_ids]
        await settle()
        return tasks


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_lookups_are_one_at_a_time():
    backend = Backend()
    tasks = await backend.start(*"abcab")
    assert backend.begun == ["a"]
    backend.ends.set()
    await asyncio.gather(*tasks)
    assert (backend.begun, backend.most) == (["a", "b", "c"], 1)


async def test_waits_that_start_together_share_a_lookup():
    backend = Backend()
    tasks = await backend.start(*["a"] * 300)
    backend.ends.set()
    assert await asyncio.gather(*tasks) == ["a-1"] * 300


async def test_a_caller_during_a_lookup_gets_a_newer_connection():
    backend = Backend()
    first = await backend.start("a")
    later = await backend.start("a", "a")
    backend.ends.set()
    assert await asyncio.gather(*first, *later) == ["a-1", "a-2", "a-2"]


async def test_an_error_reaches_every_caller():
    async def fail(conn_id):
        raise OSError("reset")

    outcomes = await asyncio.gather(*(share_lookup("a", fail) for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["reset"] * 3


@pytest.mark.parametrize("canceled", [0, 1])
async def test_a_canceled_caller_does_not_cancel_the_lookup_of_others(canceled):
    backend = Backend()
    tasks = await backend.start("a", "a")
    tasks[canceled].cancel()
    await settle()
    backend.ends.set()
    assert await tasks[1 - canceled] == "a-1"
    assert tasks[canceled].cancelled()


@pytest.mark.parametrize("conn_id", ["a", "b"])
async def test_a_lookup_without_callers_gives_up_its_turn(conn_id):
    backend = Backend()
    hanging, upcoming = await backend.start("a", "b")
    hanging.cancel()
    upcoming.cancel()
    await settle()
    (task,) = await backend.start(conn_id)
    backend.ends.set()
    assert await task == f"{conn_id}-2"
    assert backend.most == 1
