# SPDX-License-Identifier: Apache-2.0
"""Processes that share a connection take turns, in slots that a real Redis keeps."""

import asyncio
import gc
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driving import VENDOR_OF, Driving
from redis_server import PROGRAM, REASON, RedisServer, redis_server

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.http import shared_slots as module
from airflow_provider_bulkjobs.http.pacing import MARGIN, Pace
from airflow_provider_bulkjobs.http.shared_slots import SharedSlots, async_shared_slots, prepare_storage, shared_slots
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason=REASON),
    # redis-py 5 leaves the socket of a failed connection to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STORAGE = "AIRFLOW__BULKJOBS__RATE_LIMIT_STORAGE"
SENDGRID = VENDOR_OF["sendgrid"]
SLOW = Pace(0.001)  # so slow that no test lives to see the next slot
GAP = SLOW.gap
GROUP = RateLimit(("/slow",), 1, seconds=1000.0, burst=3)
MakeAccount = Callable[..., Account]


@pytest.fixture(scope="module")
def running_server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server
    gc.collect()  # here, where a socket that is left open is no failure


@pytest.fixture
def server(running_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    running_server.client.flushall()
    running_server.client.config_resetstat()
    monkeypatch.setenv(STORAGE, running_server.url)
    module._availability.cache_clear()
    yield running_server
    module._client(running_server.url).close()
    module._client.cache_clear()


@pytest.fixture
def slots(server: RedisServer, account: MakeAccount) -> Callable[..., SharedSlots]:
    """Make the slots of a connection, as another process would."""

    def make(conn_id: str = "mine", vendor: str = "sendgrid") -> SharedSlots:
        found = shared_slots(VENDOR_OF[vendor], account(vendor, conn_id=conn_id))
        assert found is not None
        return found

    return make


def scopes() -> Flow[int]:
    answer = yield Request("GET", "/v3/scopes")
    return len(answer.json["scopes"])


def test_a_slot_is_taken_once(slots: Callable[..., SharedSlots]) -> None:
    assert slots().acquire(SLOW) == 0
    assert 0 < slots().acquire(SLOW) <= GAP


def test_a_slot_ends_when_the_next_request_is_due(server: RedisServer, slots: Callable[..., SharedSlots]) -> None:
    assert slots().acquire(SLOW) == 0
    [key] = server.client.keys()
    assert GAP - 60 < server.client.pttl(key) / 1000 <= GAP
    server.client.delete(key)
    assert slots().acquire(SLOW) == 0


def test_other_connections_have_other_slots(slots: Callable[..., SharedSlots]) -> None:
    assert [slots(conn_id, vendor).acquire(SLOW) for conn_id in "ab" for vendor in ("sendgrid", "intercom")] == [0] * 4


def test_keys_tell_nothing_of_the_connection(server: RedisServer, slots: Callable[..., SharedSlots]) -> None:
    slots("the-conn-id").acquire(SLOW)
    slots("the-conn-id").acquire(Pace(0.001, GROUP.burst), GROUP)
    assert all(key.startswith(b"bulkjobs:rate:") and b"conn-id" not in key for key in server.client.scan_iter())


def test_a_group_has_its_own_slots_and_its_burst(slots: Callable[..., SharedSlots]) -> None:
    pace = Pace(0.001, GROUP.burst)
    assert [slots().acquire(pace, GROUP) for _ in range(GROUP.burst)] == [0] * GROUP.burst
    assert 0 < slots().acquire(pace, GROUP) <= GAP * GROUP.burst
    assert slots().acquire(SLOW) == 0


def test_a_slowed_process_slows_the_others(slots: Callable[..., SharedSlots]) -> None:
    slowed = Pace(0.001)
    slowed.slow_down(100.0)
    slots().acquire(slowed)
    assert slots().acquire(SLOW) > GAP


def test_a_pause_is_shared_and_the_longer_one_counts(slots: Callable[..., SharedSlots]) -> None:
    slots().pause(5000, SLOW)
    slots().pause(10, SLOW)
    assert slots().acquire(SLOW) > 4000


def test_no_rate_needs_no_slots(server: RedisServer, slots: Callable[..., SharedSlots]) -> None:
    assert slots().acquire(Pace()) == 0
    slots().pause(10, Pace())
    assert not server.client.keys()


async def test_workers_and_triggerers_share_slots(
    server: RedisServer, slots: Callable[..., SharedSlots], account: MakeAccount
) -> None:
    triggerer = async_shared_slots(server.url, SENDGRID, account(conn_id="mine"))
    assert triggerer
    assert await triggerer.acquire(SLOW) == 0
    assert slots().acquire(SLOW) > 0
    await triggerer.pause(5000, SLOW)
    assert slots().acquire(SLOW) > 4000
    await triggerer.close()


async def test_a_slow_storage_does_not_hold_up_the_event_loop(
    server: RedisServer, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 60.0)
    triggerer = async_shared_slots(server.url, SENDGRID, account(conn_id="mine"))
    assert triggerer
    server.client.client_pause(60_000, all=False)
    waiting = asyncio.ensure_future(triggerer.acquire(SLOW))
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    server.client.client_unpause()
    assert await waiting == 0
    await triggerer.close()


def test_an_unresponsive_storage_is_left_alone(
    server: RedisServer, slots: Callable[..., SharedSlots], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    slots().acquire(SLOW)
    server.client.client_pause(60_000, all=False)
    assert slots().acquire(SLOW) == 0
    server.client.client_unpause()


def test_both_transports_take_slots(server: RedisServer, drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    drive("sendgrid", account(extra={"requests_per_second": 1000}), scopes, scopes)
    assert server.client.info("commandstats")["cmdstat_set"]["calls"] >= len(sim.requests("sendgrid")) == 2


def test_without_its_storage_a_process_goes_on_and_warns_once(
    server: RedisServer,
    drive: Driving,
    account: MakeAccount,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TRY_AGAIN_AFTER", 0.0)  # every request tries the storage
    limited = account(extra={"requests_per_second": 1000})
    server.stop()
    try:
        with caplog.at_level(logging.WARNING, "airflow_provider_bulkjobs"):
            drive("sendgrid", limited, *[scopes] * 3)
    finally:
        server.start()
    [warning] = caplog.messages
    assert "rate_limit_storage failed (ConnectionError)" in warning
    drive("sendgrid", limited, scopes)
    assert server.client.info("commandstats")["cmdstat_set"]["calls"] == 1, "it is used again"


def test_a_storage_that_failed_is_left_alone_for_a_while(
    server: RedisServer, slots: Callable[..., SharedSlots]
) -> None:
    one = slots()
    server.stop()
    try:
        assert one.acquire(SLOW) == 0
    finally:
        server.start()
    assert one.acquire(SLOW) == 0
    assert not server.client.keys()


def test_the_missing_extra_is_named(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "redis", None)
        without.delitem(sys.modules, "redis.asyncio")
        with pytest.raises(BadArgumentError, match=r"airflow-provider-bulkjobs\[redis\]"):
            prepare_storage()


@pytest.mark.parametrize(
    "url",
    [
        *("http://:s3cret@host", "redis://:s3cret@host:port", "s3cret"),
        *("redis://:s3cret@host?ssl_cert_reqs=none", "rediss://:s3cret@host?ssl_cert_reqs=s3cret"),
    ],
)
def test_an_invalid_url_is_an_error_without_the_password(
    server: RedisServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORAGE, url)
    with pytest.raises(BadArgumentError, match="rate_limit_storage is not a URL") as caught:
        prepare_storage()
    assert "s3cret" not in str(caught.value)


def test_the_connection_test_has_no_slots(server: RedisServer, account: MakeAccount) -> None:
    assert shared_slots(SENDGRID, account(conn_id=None)) is None


@pytest.mark.slow
def test_a_vendor_refuses_no_request_of_many_processes(server: RedisServer, sim: Simulator) -> None:
    # The longer the vendor's window, the later a request of a busy machine may arrive: here 0.3 s.
    per_second, seconds, processes, each = 40, 3, 4, 35
    sim.settings(limits={"sendgrid": {"requests": per_second * seconds, "per_seconds": seconds}})
    connection = sim.connection("sendgrid") | {"extra": {"requests_per_second": per_second}}
    script = Path(__file__).parent / "sharing_processes.py"
    command = [sys.executable, "-W", "ignore", script, json.dumps(connection), str(processes), str(each)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sim.state()["sendgrid"]["statuses"] == {"200": processes * each}
    times = [request.time for request in sim.requests("sendgrid")]
    assert times[-1] - times[0] >= (processes * each - 1) * MARGIN / per_second - 0.5
