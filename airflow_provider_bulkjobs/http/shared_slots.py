# SPDX-License-Identifier: Apache-2.0
"""The slots in which the processes that share a connection send their requests, kept in Redis.

A slot is a key that Redis creates only if it does not exist (``SET NX``), and deletes when the next request is due
(``PX``). So the requests of all processes are evenly spaced by one clock, and no vendor's way of counting (a fixed
second, the last second, a token bucket) finds too many of them. A pause is a key that lives longer.
https://redis.io/docs/latest/commands/set/
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Generator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs.configuration import SECTION, rate_limit_storage
from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.http.pacing import Pace
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

if TYPE_CHECKING:
    import redis
    import redis.asyncio

TIMEOUT = 1.0  # seconds for a command, and for a connection
TRY_AGAIN_AFTER = 60.0  # seconds without the storage after it failed
TLS = "rediss://"
log = logging.getLogger(__name__)
Commands = Sequence[tuple[Any, ...]]  # of one round trip
Steps = Generator[Commands, list[Any], float]  # yields commands, is sent their results, returns the seconds to wait


class Availability:
    """Whether the storage can be reached, for all connections of a process."""

    def __init__(self) -> None:
        self._absent_until = 0.0
        self._has_warned = False

    @property
    def is_absent(self) -> bool:
        """Whether the storage has just failed."""
        return time.monotonic() < self._absent_until

    def note_failure(self, error: Exception) -> None:
        """Do without the storage for a minute."""
        self._absent_until = time.monotonic() + TRY_AGAIN_AFTER
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "[%s] rate_limit_storage failed (%s). Check the URL and the Redis server. Until it is back, each "
                "process limits its own rate only. (logged once)",
                *(SECTION, type(error).__name__),
            )


class _Slots:
    """What to ask of Redis, without I/O.

    :param conn_type: the connection type.
    :param conn_id: the connection. Like the rate limiter of a process, the slots belong to the connection and not to
        its credentials. The keys have a hash of it.
    """

    def __init__(self, availability: Availability, conn_type: str, conn_id: str) -> None:
        digest = hashlib.sha256(f"{conn_type}\n{conn_id}".encode()).hexdigest()
        self._prefix = f"bulkjobs:rate:{digest[:32]}"
        self._availability = availability

    def _acquire(self, pace: Pace, limit: RateLimit | None) -> Steps:
        waits = [0.0]
        if pace.gap and not self._availability.is_absent:
            waits = []
            for key in self._keys(pace, limit):
                is_taken, left = yield [
                    ("SET", key, 1, "NX", "PX", _milliseconds(pace.gap * pace.burst)),
                    ("PTTL", key),
                ]
                if is_taken:
                    return 0.0
                waits.append(max(left, 1) / 1000)  # negative: it was deleted between the two commands
        return min(waits)

    def _pause(self, seconds: float, pace: Pace, limit: RateLimit | None) -> Steps:
        if pace.gap and seconds and not self._availability.is_absent:
            lifetime = _milliseconds(seconds)
            yield [
                command
                for key in self._keys(pace, limit)
                for command in (("SET", key, 1, "NX", "PX", lifetime), ("PEXPIRE", key, lifetime, "GT"))
            ]
        return 0.0

    def _keys(self, pace: Pace, limit: RateLimit | None) -> list[str]:
        """Return a key for each request that may be sent at once."""
        group = f":{limit.method}:{','.join(limit.paths)}" if limit else ""
        return [f"{self._prefix}{group}:{number}" for number in range(pace.burst)]


class SharedSlots(_Slots):
    """The slots of a connection, for workers."""

    def __init__(self, client: redis.Redis, availability: Availability, conn_type: str, conn_id: str) -> None:
        super().__init__(availability, conn_type, conn_id)
        self._client = client

    def acquire(self, pace: Pace, limit: RateLimit | None = None) -> float:
        """Take a slot and return 0, or return the seconds until the next one; 0 as well if the storage failed."""
        return self._run(self._acquire(pace, limit))

    def pause(self, seconds: float, pace: Pace, limit: RateLimit | None = None) -> None:
        """Let no process send a request for ``seconds``."""
        self._run(self._pause(seconds, pace, limit))

    def _run(self, steps: Steps) -> float:
        from redis.exceptions import RedisError

        try:
            commands = next(steps)
            while True:
                pipeline = _queued(self._client.pipeline(transaction=False), commands)
                commands = steps.send(pipeline.execute())
        except StopIteration as finished:
            wait: float = finished.value
            return wait
        except (RedisError, OSError) as error:
            self._availability.note_failure(error)
            return 0.0


class AsyncSharedSlots(_Slots):
    """The slots of a connection, for an event loop."""

    def __init__(self, client: redis.asyncio.Redis, availability: Availability, conn_type: str, conn_id: str) -> None:
        super().__init__(availability, conn_type, conn_id)
        self._client = client

    async def acquire(self, pace: Pace, limit: RateLimit | None = None) -> float:
        """As :meth:`SharedSlots.acquire`."""
        return await self._run(self._acquire(pace, limit))

    async def pause(self, seconds: float, pace: Pace, limit: RateLimit | None = None) -> None:
        """As :meth:`SharedSlots.pause`."""
        await self._run(self._pause(seconds, pace, limit))

    async def close(self) -> None:
        """Close the connections that are not in use; the next request opens another one."""
        await self._client.connection_pool.disconnect(inuse_connections=False)

    async def _run(self, steps: Steps) -> float:
        from redis.exceptions import RedisError

        try:
            commands = next(steps)
            while True:
                pipeline = _queued(self._client.pipeline(transaction=False), commands)
                commands = steps.send(await pipeline.execute())
        except StopIteration as finished:
            wait: float = finished.value
            return wait
        except (RedisError, OSError) as error:
            self._availability.note_failure(error)
            return 0.0


def shared_slots(vendor: Vendor, account: Account) -> SharedSlots | None:
    """Return the slots of a connection for a worker, or ``None`` if there is no storage.

    :raises BadArgumentError: as :func:`prepare_storage`.
    """
    url = prepare_storage()
    if not url or account.conn_id is None:  # the connection test has no id that others know
        return None
    return SharedSlots(_client(url), _availability(url), vendor.conn_type, account.conn_id)


def async_shared_slots(url: str, vendor: Vendor, account: Account) -> AsyncSharedSlots | None:
    """Return the slots of a connection for the running event loop, or ``None`` if there is no storage.

    :param url: what :func:`prepare_storage` has returned.
    """
    if not url or account.conn_id is None:
        return None
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.retry import Retry

    pool = ConnectionPool.from_url(url, **_options(Retry))
    if url.startswith(TLS):
        pool.connection_class = _tls_connection(url)
    return AsyncSharedSlots(Redis.from_pool(pool), _availability(url), vendor.conn_type, account.conn_id)


def prepare_storage() -> str:
    """Return the URL of the storage, empty if there is none, and import the library. Not for an event loop.

    :raises BadArgumentError: the extra is not installed, or the URL is invalid, or names a certificate that cannot be
        read.
    """
    url = rate_limit_storage()
    if not url:
        return ""
    try:
        import redis.asyncio
    except ImportError:
        raise BadArgumentError(
            f"[{SECTION}] rate_limit_storage is set, but the package redis is not installed. Install "
            "airflow-provider-bulkjobs[redis] on all workers and triggerers, or remove the option."
        ) from None
    try:
        redis.asyncio.ConnectionPool.from_url(url).make_connection()  # not opened: it checks the options in the query
        if url.startswith(TLS):
            _tls_connection(url)
    except OSError as error:  # including those of TLS
        raise BadArgumentError(
            f"[{SECTION}] rate_limit_storage names a certificate or a key that cannot be read "
            f"({type(error).__name__}). Correct the ssl_… options in its query."
        ) from None
    except (ValueError, TypeError, redis.RedisError):  # the message may have a part of the URL, and so the password
        raise BadArgumentError(
            f"[{SECTION}] rate_limit_storage is not a URL such as redis://host:6379/0, rediss:// (with TLS) or "
            "unix://, or its query has an option that the Redis client does not know. Correct it in Airflow's "
            "configuration."
        ) from None
    return url


@cache
def _availability(url: str) -> Availability:  # noqa: ARG001  (one for each)
    return Availability()


@cache
def _client(url: str) -> redis.Redis:
    from redis import Redis
    from redis.retry import Retry

    return Redis.from_url(url, **_options(Retry))


@cache
def _tls_connection(url: str) -> type[redis.asyncio.Connection]:
    """Return the class of a URL's connections, which share one TLS context. The first call takes about 40 ms.

    redis-py builds a context for each connection, on the event loop.
    """
    from redis.asyncio import ConnectionPool, SSLConnection

    tls = ConnectionPool.from_url(url).make_connection().ssl_context
    tls.get()  # builds it

    class SharedTlsConnection(SSLConnection):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ssl_context = tls

    return SharedTlsConnection


def _options(retry: Callable[..., Any]) -> dict[str, Any]:
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as NotConnectedError

    # One retry at once, as an idle connection may have been dropped; none after a timeout.
    again = retry(NoBackoff(), 1, supported_errors=(NotConnectedError,))
    return {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "retry": again}


def _queued(pipeline: Any, commands: Commands) -> Any:
    for command in commands:
        pipeline.execute_command(*command)
    return pipeline


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)
