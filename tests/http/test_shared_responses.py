# SPDX-License-Identifier: Apache-2.0
"""Responses that all flows of an account share: ``Request.max_age``."""

import asyncio
from collections.abc import Callable

import pytest
from driving import QUICK, VENDOR_OF
from test_engine import GET, QUIET, World, response

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
    JobNotFoundError,
    TransientError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account

LIST = Request("GET", "/list", max_age=10)
SENDGRID = VENDOR_OF["sendgrid"]
MANY = 50


@pytest.fixture
def world() -> World:
    return World()


def test_young_response_is_shared_without_the_rate_limiter(world: World) -> None:
    first = world.exchange(LIST, response())
    world.now = 9.9
    assert world.exchange(LIST) is first
    assert world.acquired == 1


def test_age_counts_from_when_the_request_was_sent(world: World) -> None:
    world.exchange(LIST, response())
    world.now = 10.0
    world.exchange(LIST, response())
    assert len(world.sent) == 2


def test_age_does_not_count_the_wait_for_the_rate_limiter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(_limit: object) -> bool:
        world.now += 60.0
        return True

    monkeypatch.setattr(world, "try_acquire", acquire)
    first = world.exchange(LIST, response())
    assert world.exchange(LIST) is first


@pytest.mark.parametrize(
    "other",
    [
        GET,
        Request("GET", "/list"),
        Request("GET", "/list?page=2", max_age=10),
        Request("GET", "/list", {"Accept": "text/csv"}, max_age=10),
        Request("GET", "/list", max_age=1),
        Request("POST", "/list", max_age=10),
    ],
)
def test_other_requests_get_their_own_response(world: World, other: Request) -> None:
    world.exchange(LIST, response())
    world.now = 5.0
    world.exchange(other, response())
    assert len(world.sent) == 2


@pytest.mark.parametrize(("status", "error"), [(404, VendorAPIError), (503, VendorUnavailableError)])
def test_errors_are_not_kept(world: World, status: int, error: type[BulkJobError]) -> None:
    with pytest.raises(error):
        world.exchange(LIST, response(status), policy=NO_RETRY)
    assert world.exchange(LIST, response()).status == 200


def test_expired_responses_are_forgotten(world: World) -> None:
    for page in range(5):
        world.now = page * 20.0
        world.drive(world.engine.exchange(Request("GET", f"/list/{page}", max_age=10), QUIET), [response()])
    assert len(world.engine._shared._responses) == 1


@pytest.mark.parametrize("error", [TransientError("no list"), JobNotFoundError("not in the list")])
def test_response_that_a_flow_cannot_use_is_not_shared_again(world: World, error: BulkJobError) -> None:
    def flow() -> Flow[None]:
        yield LIST
        raise error

    for _ in range(2):
        with pytest.raises(BulkJobError):
            world.drive(world.engine.run(flow, NO_RETRY), [response()])
    assert len(world.sent) == 2


def scopes() -> Flow[int]:
    return len((yield Request("GET", "/v3/scopes", max_age=60)).json["scopes"])


async def test_many_waits_send_one_request(sim: Simulator, account: Callable[..., Account]) -> None:
    sim.fault("sendgrid", "slow", seconds=0.1, count=1)
    async with shared_transport(SENDGRID, account()) as transport:
        counts = await asyncio.gather(*(transport.run(scopes, QUICK) for _ in range(MANY)))
        counts += [await transport.run(scopes, QUICK)]
    assert len(set(counts)) == 1
    assert len(sim.requests("sendgrid")) == 1


async def test_its_failure_fails_all_that_wait_and_is_not_kept(sim: Simulator, account: Callable[..., Account]) -> None:
    sim.fault("sendgrid", "server_error", count=1)
    async with shared_transport(SENDGRID, account()) as transport:
        ends = await asyncio.gather(*(transport.run(scopes, NO_RETRY) for _ in range(MANY)), return_exceptions=True)
        assert {type(end) for end in ends} == {VendorUnavailableError}
        assert await transport.run(scopes, QUICK) > 0
    assert len(sim.requests("sendgrid")) == 2


async def test_whoever_asked_first_may_leave_without_the_response(
    sim: Simulator, account: Callable[..., Account]
) -> None:
    sim.fault("sendgrid", "slow", seconds=0.2, count=1)
    async with shared_transport(SENDGRID, account()) as transport:
        first, second = (asyncio.ensure_future(transport.run(scopes, QUICK)) for _ in range(2))
        while not sim.requests("sendgrid"):
            await asyncio.sleep(0.01)
        first.cancel()
        assert await second > 0
    assert len(sim.requests("sendgrid")) == 1


async def test_leaving_while_it_is_fetched_leaves_nothing_open(sim: Simulator, account: Callable[..., Account]) -> None:
    sim.fault("sendgrid", "slow", seconds=0.3, count=1)
    async with shared_transport(SENDGRID, account()) as transport:
        alone = asyncio.ensure_future(transport.run(scopes, QUICK))
        while not sim.requests("sendgrid"):
            await asyncio.sleep(0.01)
        alone.cancel()
    await asyncio.sleep(0)
    assert not transport._sharing


def test_worker_shares_as_well(sim: Simulator, account: Callable[..., Account]) -> None:
    transport = RequestsTransport(SENDGRID, account())
    assert transport.run(scopes, QUICK) == transport.run(scopes, QUICK)
    transport.close()
    assert len(sim.requests("sendgrid")) == 1
