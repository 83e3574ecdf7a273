# SPDX-License-Identifier: Apache-2.0
"""Shared slots in a Redis with TLS, and in one that does not respond."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import self_signed
from driving import VENDOR_OF
from redis_server import PROGRAM, REASON, RedisServer, redis_server

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.http import shared_slots as module
from airflow_provider_bulkjobs.http.pacing import Pace
from airflow_provider_bulkjobs.http.shared_slots import async_shared_slots, prepare_storage, shared_slots
from airflow_provider_bulkjobs.vendors.spec.fields import Account

STORAGE = "AIRFLOW__BULKJOBS__RATE_LIMIT_STORAGE"
SENDGRID = VENDOR_OF["sendgrid"]
SLOW = Pace(0.001)  # so slow that no test lives to see the next slot
MakeAccount = Callable[..., Account]
SetUrl = Callable[[str], str]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetUrl]:
    """Configure the storage."""

    def set_url(url: str) -> str:
        monkeypatch.setenv(STORAGE, url)
        urls.append(url)
        return url

    urls: list[str] = []
    module._availability.cache_clear()
    module._tls_connection.cache_clear()
    yield set_url
    for url in urls:
        module._client(url).close()
    module._client.cache_clear()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, path = self_signed(tmp_path_factory.mktemp("tls"))
    return path


@pytest.fixture(scope="module")
def secure(certificate: Path) -> Iterator[tuple[RedisServer, str]]:
    """Run a server; return it with its URL, which does not say that its certificate is to be trusted."""
    if PROGRAM is None:
        pytest.skip(REASON)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate.with_name("key.pem"))]
    with redis_server("--tls-port", port, *files, "--tls-auth-clients", "no") as server:
        yield server, f"rediss://127.0.0.1:{port}"


async def test_the_tls_context_is_built_once_and_not_on_the_event_loop(
    secure: tuple[RedisServer, str],
    certificate: Path,
    storage: SetUrl,
    account: MakeAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build() -> ssl.SSLContext:
        on_loop.append(asyncio._get_running_loop() is not None)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    on_loop: list[bool] = []
    monkeypatch.setattr(ssl, "create_default_context", build)
    server, url = secure
    server.client.flushall()
    url = storage(f"{url}?ssl_ca_certs={certificate}")
    for conn_id in ("one", "another"):
        assert await asyncio.to_thread(prepare_storage) == url
        slots = async_shared_slots(url, SENDGRID, account(conn_id=conn_id))
        assert slots
        together = await asyncio.gather(slots.acquire(SLOW), slots.acquire(SLOW))  # over two connections
        assert together.count(0) == 1
        await slots.close()
    assert on_loop == [False]
    assert len(server.client.keys()) == 2


async def test_an_untrusted_storage_is_not_used(
    secure: tuple[RedisServer, str], storage: SetUrl, account: MakeAccount
) -> None:
    server, url = secure
    server.client.flushall()
    storage(url)
    slots = async_shared_slots(await asyncio.to_thread(prepare_storage), SENDGRID, account(conn_id="mine"))
    assert slots
    assert await slots.acquire(SLOW) == 0
    await slots.close()
    assert not server.client.keys()


def test_a_missing_certificate_is_an_error(storage: SetUrl, tmp_path: Path) -> None:
    storage(f"rediss://:s3cret@127.0.0.1?ssl_ca_certs={tmp_path}/missing.pem")
    with pytest.raises(BadArgumentError, match="names a certificate or a key that cannot be read") as caught:
        prepare_storage()
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def connections(server: socket.socket) -> int:
    number = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_a_storage_that_hangs_is_tried_once(
    scheme: str, silent: socket.socket, storage: SetUrl, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    url = storage(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
    triggerer = async_shared_slots(url, SENDGRID, account(conn_id="mine"))
    assert triggerer
    assert await triggerer.acquire(SLOW) == 0
    await triggerer.close()
    assert connections(silent) == 1
    module._availability.cache_clear()
    worker = shared_slots(SENDGRID, account(conn_id="mine"))
    assert worker
    assert worker.acquire(SLOW) == 0
    assert connections(silent) == 1
