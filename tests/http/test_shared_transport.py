# SPDX-License-Identifier: Apache-2.0
"""Many waits on one connection share one session, one rate limiter and one token."""

import asyncio
import gc
from collections.abc import Callable

import pytest
from driving import QUICK, VENDOR_OF

from airflow_provider_bulkjobs.exceptions import AuthenticationError, VendorUnavailableError
from airflow_provider_bulkjobs.http import pool, rate_limiter
from airflow_provider_bulkjobs.http.pacing import GAP_AFTER_PAUSE
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.rate_limiter import MAX_CONCURRENT_REQUESTS, RateLimiter
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account

ACQUIA = VENDOR_OF["acquia"]
SENDGRID = VENDOR_OF["sendgrid"]
MANY = 50
FEW = 5  # a 429 has reduced the rate


def me() -> Flow[str]:
    answer = yield Request("GET", "/api/users/self")
    return str(answer.json["username"])


def scopes() -> Flow[int]:
    answer = yield Request("GET", "/v3/scopes")
    return len(answer.json["scopes"])


async def who(account: Account) -> str:
    async with shared_transport(ACQUIA, account) as transport:
        return await transport.run(me, QUICK)


async def test_one_token_serves_many_waits(sim: Simulator, oauth2: Account) -> None:
    assert await asyncio.gather(*(who(oauth2) for _ in range(MANY))) == ["api-bot"] * MANY
    assert sim.state()["acquia"]["tokens_issued"] == 1


async def test_failed_token_request_fails_all_waits(sim: Simulator, account: Callable[..., Account]) -> None:
    wrong = account("acquia", login="acquia-client", password="wrong-secret", extra={"auth_type": "oauth2"})
    async with shared_transport(ACQUIA, wrong):
        ends = await asyncio.gather(*(who(wrong) for _ in range(MANY)), return_exceptions=True)
    assert {type(end) for end in ends} == {AuthenticationError}
    assert len(sim.requests("acquia")) == 1


async def test_revoked_token_is_refreshed_once(sim: Simulator, oauth2: Account) -> None:
    async with shared_transport(ACQUIA, oauth2):
        await who(oauth2)
        sim.revoke_tokens()
        assert await asyncio.gather(*(who(oauth2) for _ in range(MANY))) == ["api-bot"] * MANY
    assert sim.state()["acquia"]["tokens_issued"] == 2


async def test_canceling_the_first_user_does_not_cancel_the_token_request(sim: Simulator, oauth2: Account) -> None:
    sim.fault("acquia", "slow", seconds=0.2, count=1, path="oauth")
    async with shared_transport(ACQUIA, oauth2):
        first, second = asyncio.ensure_future(who(oauth2)), asyncio.ensure_future(who(oauth2))
        while not sim.requests("acquia"):
            await asyncio.sleep(0.01)
        first.cancel()
        assert await second == "api-bot"
    assert first.cancelled()
    assert sim.state()["acquia"]["tokens_issued"] == 1


async def test_canceling_during_the_token_request_leaves_nothing_open(sim: Simulator, oauth2: Account) -> None:
    sim.fault("acquia", "slow", seconds=0.3, path="oauth")
    alone = asyncio.ensure_future(who(oauth2))
    while not sim.requests("acquia"):
        await asyncio.sleep(0.01)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    assert not pool._transports
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 1)


async def test_last_user_closes_the_transport(account: Callable[..., Account]) -> None:
    async with shared_transport(SENDGRID, account()) as first:
        async with shared_transport(SENDGRID, account()) as second:
            assert second is first
            await second.run(scopes, QUICK)
        assert not first._session.closed
        await first.run(scopes, QUICK)
    assert first._session.closed
    assert not pool._transports
    del first, second
    gc.collect()  # an unclosed session would warn now, and warnings are errors


async def test_other_credentials_use_another_transport(account: Callable[..., Account]) -> None:
    async with (
        shared_transport(SENDGRID, account()) as one,
        shared_transport(SENDGRID, account(password="SG.renewed")) as renewed,
        shared_transport(SENDGRID, account(conn_id="other")) as other,
    ):
        assert len({id(transport) for transport in (one, renewed, other)}) == 3


def test_each_loop_has_its_own_transports(account: Callable[..., Account]) -> None:
    async def use() -> int:
        async with shared_transport(SENDGRID, account()) as transport:
            return await transport.run(scopes, QUICK)

    assert asyncio.run(use()) == asyncio.run(use()) > 0
    assert not pool._transports


async def test_concurrent_first_users_share_one_transport(account: Callable[..., Account]) -> None:
    everybody = asyncio.Barrier(MANY)

    async def use() -> int:
        async with shared_transport(SENDGRID, account()) as transport:
            await everybody.wait()
            return id(transport)

    assert len(set(await asyncio.gather(*(use() for _ in range(MANY))))) == 1
    assert not pool._transports


async def test_error_closes_the_transport(account: Callable[..., Account]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with shared_transport(SENDGRID, account()) as transport:
            raise ZeroDivisionError
    assert transport._session.closed
    assert not pool._transports


async def test_a_pause_holds_for_every_wait(sim: Simulator, account: Callable[..., Account]) -> None:
    sim.fault("sendgrid", "rate_limit", count=1, retry_after=0.4)
    async with shared_transport(SENDGRID, account()) as transport:
        first = asyncio.ensure_future(transport.run(scopes, QUICK))
        while not transport.is_paused:
            await asyncio.sleep(0.005)
        await asyncio.gather(first, *(transport.run(scopes, QUICK) for _ in range(5)))
    refused, *others = (request.time for request in sim.requests("sendgrid"))
    assert len(others) == 6
    assert min(others) - refused >= 0.38


@pytest.mark.parametrize(("fault", "options"), [("rate_limit", {"retry_after": 1}), ("server_error", {})])
async def test_failing_token_request_pauses_all_waits(fault, options, sim: Simulator, oauth2: Account) -> None:
    sim.fault("acquia", fault, count=1, path="oauth", **options)
    async with shared_transport(ACQUIA, oauth2) as transport:
        with pytest.raises(VendorUnavailableError):
            await transport.run(me, NO_RETRY)
    assert await asyncio.gather(*(who(oauth2) for _ in range(FEW))) == ["api-bot"] * FEW
    first, second = (request.time for request in sim.requests("acquia") if "oauth" in request.path_qs)
    assert second - first >= 0.95


async def test_pause_outlives_the_waits_that_caused_it(sim: Simulator, account: Callable[..., Account]) -> None:
    gc.freeze()  # the collection below then takes no longer than the pause
    try:
        sim.fault("sendgrid", "rate_limit", count=1, retry_after=1)
        async with shared_transport(SENDGRID, account()) as transport:
            with pytest.raises(VendorUnavailableError):
                await transport.run(scopes, NO_RETRY)
        del transport
        gc.collect()
    finally:
        gc.unfreeze()
    async with shared_transport(SENDGRID, account()) as transport:
        await transport.run(scopes, QUICK)
    refused, after = (request.time for request in sim.requests("sendgrid"))
    assert after - refused >= 0.95


async def test_concurrent_requests_are_limited(sim: Simulator, account: Callable[..., Account]) -> None:
    sim.fault("sendgrid", "slow", seconds=0.05)
    async with shared_transport(SENDGRID, account()) as transport:
        await asyncio.gather(*(transport.run(scopes, QUICK) for _ in range(MANY)))
    assert sim.state()["sendgrid"]["max_concurrent"] == MAX_CONCURRENT_REQUESTS


async def test_slow_phase_does_not_end_in_a_burst(sim: Simulator, account: Callable[..., Account]) -> None:
    limited = account(extra={"requests_per_second": 20})
    sim.fault("sendgrid", "slow", seconds=1.5, count=MAX_CONCURRENT_REQUESTS)
    async with shared_transport(SENDGRID, limited) as transport:
        await asyncio.gather(*(transport.run(scopes, QUICK) for _ in range(40)))
    times = [request.time for request in sim.requests("sendgrid")]
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 20


async def test_hang_of_the_vendor_does_not_end_in_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "HANG", 0.0)
    limiter = RateLimiter("mine")
    for _ in range(MAX_CONCURRENT_REQUESTS):
        await limiter.acquire(Metrics("acme"))
    queue = [asyncio.ensure_future(limiter.acquire(Metrics("acme"))) for _ in range(4)]
    await asyncio.sleep(0)
    ended_at = asyncio.get_running_loop().time()
    for _ in range(MAX_CONCURRENT_REQUESTS):
        limiter.release()
    await asyncio.gather(*queue)
    assert asyncio.get_running_loop().time() - ended_at >= 3 * GAP_AFTER_PAUSE - 0.01
    limiter.release()
    limiter.release()
    await asyncio.sleep(GAP_AFTER_PAUSE)
    assert limiter.try_acquire()
    assert limiter.try_acquire(), "what comes later is not spaced"


async def test_token_that_expires_in_the_queue_ends_no_wait(sim: Simulator, oauth2: Account) -> None:
    slow = Account(oauth2.conn_id, {**oauth2.values, "requests_per_second": 40})
    async with shared_transport(ACQUIA, slow):
        everybody = asyncio.gather(*(who(slow) for _ in range(40)))
        while len(sim.requests("acquia")) < 10:
            await asyncio.sleep(0.01)
        sim.revoke_tokens()
        assert await everybody == ["api-bot"] * 40
    assert sim.state()["acquia"]["tokens_issued"] == 2


async def test_token_request_has_priority() -> None:
    limiter = RateLimiter("mine")
    limiter.set_rate(20)
    queue = [asyncio.ensure_future(limiter.acquire(Metrics("acme"))) for _ in range(MAX_CONCURRENT_REQUESTS)]
    while not queue[0].done():
        await asyncio.sleep(0)
    await limiter.acquire_priority()
    assert sum(one.done() for one in queue) <= 2
    await asyncio.gather(*queue)


async def test_new_credentials_share_the_queue(sim: Simulator, account: Callable[..., Account]) -> None:
    old = account(extra={"requests_per_second": 20})
    new = account(extra={"requests_per_second": 10})
    async with shared_transport(SENDGRID, old) as one, shared_transport(SENDGRID, new) as other:
        await asyncio.gather(*(transport.run(scopes, QUICK) for transport in (one, other) for _ in range(6)))
    times = [request.time for request in sim.requests("sendgrid")]
    assert times[-1] - times[0] >= 1.0, "twelve requests at ten a second"
