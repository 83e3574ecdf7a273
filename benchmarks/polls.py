# SPDX-License-Identifier: Apache-2.0
"""The cost of a waiting trigger, compared with other providers in one run on one machine.

    python benchmarks/polls.py [--waits 500] [--seconds 8] [--runs 1] [--json FILE] [contender …]

Each contender polls the same TLS server from a fresh process at two rates: its maximum, and 1,000 polls a second. Only
numbers of the same run are comparable.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from server import Server


def ours(url: str, interval: float) -> Callable[[int], Coroutine[Any, Any, Any]]:
    from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger

    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({"conn_type": "sendgrid", "host": url, "password": "SG.bench"})

    def wait(number: int) -> Coroutine[Any, Any, Any]:
        now = time.time()
        trigger = BulkJobTrigger(
            hook_class="airflow_provider_bulkjobs.hooks.bulk_job.SendGridHook",
            conn_id="bench",
            job_ids=[f"job-{number}"],
            job_kind="contacts",
            started_at=now,
            deadline=now + 3600,
            first_poll_at=now,
            poke_interval=interval,
        )
        return anext(trigger.run())

    return wait


def pace(interval: float) -> float:
    """Return the seconds to sleep, with the same jitter as BulkJobTrigger. Without it, polls cost less but coincide."""
    return interval * random.uniform(0.9, 1.0)


def bare_aiohttp(url: str, interval: float) -> Callable[[int], Coroutine[Any, Any, Any]]:
    """One shared session; no error handling, job states or retries."""
    import aiohttp

    session: aiohttp.ClientSession | None = None

    async def wait(number: int) -> None:
        nonlocal session
        if session is None:
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20))
        while True:
            async with session.get(f"{url}/v3/marketing/contacts/imports/job-{number}") as response:
                if (await response.json())["status"] != "pending":
                    return
            await asyncio.sleep(pace(interval))

    return wait


def raw_streams(url: str, interval: float) -> Callable[[int], Coroutine[Any, Any, Any]]:
    """TLS sockets with a hard-coded response format: the lower bound for any client."""
    import ssl

    host, port = url.removeprefix("https://").split(":")
    tls = ssl.create_default_context()
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    slots = asyncio.Semaphore(20)

    async def wait(number: int) -> None:
        request = f"GET /v3/marketing/contacts/imports/job-{number} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        while True:
            async with slots:
                reader, writer = idle.pop() if idle else await asyncio.open_connection(host, int(port), ssl=tls)
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]))
                idle.append((reader, writer))
            if json.loads(body)["status"] != "pending":
                return
            await asyncio.sleep(pace(interval))

    return wait


def dbt_cloud(url: str, interval: float) -> Callable[[int], Coroutine[Any, Any, Any]]:
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(
        {"conn_type": "dbt_cloud", "host": url.removeprefix("https://"), "login": "1", "password": "bench"}
    )

    def wait(number: int) -> Coroutine[Any, Any, Any]:
        trigger = DbtCloudRunJobTrigger(
            conn_id="bench", run_id=number, end_time=time.time() + 3600, poll_interval=interval, account_id=1
        )
        return anext(trigger.run())

    return wait


async def never(_response: Any) -> bool:
    return False


def http_event(url: str, interval: float) -> Callable[[int], Coroutine[Any, Any, Any]]:
    from airflow.providers.http.triggers.http import HttpEventTrigger

    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({"conn_type": "http", "host": url, "schema": "https"})

    def wait(number: int) -> Coroutine[Any, Any, Any]:
        trigger = HttpEventTrigger(
            response_check_path="polls.never",
            http_conn_id="bench",
            endpoint=f"imports/job-{number}",
            poll_interval=interval,
        )
        return anext(trigger.run())

    return wait


CONTENDERS = {
    "ours": ours,
    "bare_aiohttp": bare_aiohttp,
    "raw_streams": raw_streams,
    "dbt_cloud": dbt_cloud,
    "http_event": http_event,
}
PACES = {"full": 0.1, "calm": 0.5}  # seconds between two polls of a wait
COLUMNS = {
    "polls_per_cpu_s": "polls per CPU-second",
    "polls_per_s": "polls per second",
    "lag_p50_ms": "lag p50, ms",
    "lag_p99_ms": "lag p99, ms",
    "lag_max_ms": "lag max, ms",
    "lag_starting_ms": "lag while starting, ms",
    "kib_per_wait": "KiB per wait",
    "connections": "connections",
}


async def measure(contender: str, server_url: str, waits: int, interval: float, seconds: float) -> dict[str, float]:
    importlib.import_module("airflow.triggers.base")  # a triggerer has these loaded for every contender
    importlib.import_module("airflow.sdk.bases.hook")
    start = CONTENDERS[contender](server_url, interval)
    lags: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            lags.append(time.perf_counter() - before - 0.002)

    watcher = asyncio.ensure_future(watch())
    warm = [asyncio.ensure_future(start(-1))]
    await asyncio.sleep(2)  # imports, the session, the first connections
    # Airflow's own million objects make every full collection a pause of 150 ms, for each contender.
    gc.collect()
    gc.freeze()
    await asyncio.sleep(0.1)  # do not measure the pause of this collection
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lags.clear()
    tasks = []
    for number in range(waits):
        tasks.append(asyncio.ensure_future(start(number)))
        await asyncio.sleep(0)  # like the triggerer between two triggers
    await asyncio.sleep(2)
    starting = max(lags)
    print(json.dumps({"event": "steady"}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    lags.clear()
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    used = time.process_time() - cpu
    watcher.cancel()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    ended = [task for task in tasks if task.done()]
    if ended:
        raise SystemExit(f"{contender}: unexpected end of a wait: {ended[0].result()}")
    ordered = statistics.quantiles(lags, n=100)
    print(
        json.dumps(
            {
                "event": "done",
                "cpu": used,
                "lag_p50_ms": ordered[49] * 1000,
                "lag_p99_ms": ordered[98] * 1000,
                "lag_max_ms": max(lags) * 1000,
                "lag_starting_ms": starting * 1000,
                "kib_per_wait": memory / waits,
            }
        ),
        flush=True,
    )
    for task in [*tasks, *warm]:
        task.cancel()
    os._exit(0)  # the other triggers leave sessions open


def run(contender: str, server: Server, interval: float, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--client", server.url, "--waits", str(options.waits)]
    command += ["--interval", str(interval), "--seconds", str(options.seconds), contender]
    trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), server.bundle)
    environment = os.environ | trust | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    connections = server.connections.value
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stderr if options.verbose else subprocess.DEVNULL,
        text=True,
    ) as client:
        assert client.stdout
        assert client.stdin
        events = (json.loads(line) for line in client.stdout if line.startswith("{"))
        next(events)
        polls = server.polls.value
        client.stdin.write("go\n")
        client.stdin.flush()
        result = next(events)
        polls = server.polls.value - polls
    return {
        "polls_per_cpu_s": polls / result["cpu"],
        "polls_per_s": polls / options.seconds,
        **{name: value for name, value in result.items() if name not in {"event", "cpu"}},
        "connections": server.connections.value - connections,
    }


def can_run(contender: str) -> bool:
    module = {"dbt_cloud": "airflow.providers.dbt.cloud", "http_event": "airflow.providers.http"}.get(contender)
    try:
        importlib.import_module(module or "aiohttp")
    except ImportError:
        print(f"{contender}: skipped, {module} is not installed")
        return False
    return True


def show(pace_name: str, waits: int, results: dict[str, dict[str, float]]) -> None:
    print(f"\n{waits} waits, one poll every {PACES[pace_name]} s each\n")
    print("| | " + " | ".join(COLUMNS.values()) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for contender, result in results.items():
        figures = (f"{result[name]:,.0f}" if result[name] >= 100 else f"{result[name]:.1f}" for name in COLUMNS)
        print(f"| {contender} | " + " | ".join(figures) + " |")
    print()
    for contender, result in results.items():
        if contender != "ours" and "ours" in results:
            ratio = results["ours"]["polls_per_cpu_s"] / result["polls_per_cpu_s"]
            print(f"ours / {contender}: {ratio:.2f} in polls per CPU-second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", default=list(CONTENDERS), metavar="contender")
    parser.add_argument("--waits", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--paces", nargs="*", default=list(PACES), choices=list(PACES))
    parser.add_argument("--json", type=Path, help="also write the results of all runs to this file")
    parser.add_argument("--verbose", action="store_true", help="show the logs of the contenders")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--interval", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        asyncio.run(measure(options.contenders[0], options.client, options.waits, options.interval, options.seconds))
        return
    contenders = [contender for contender in options.contenders if can_run(contender)]
    server = Server.start()
    runs = []
    try:
        for number in range(options.runs):
            print(f"\n## Run {number + 1} of {options.runs}")
            runs.append({})
            for name in options.paces:
                runs[-1][name] = {one: run(one, server, PACES[name], options) for one in contenders}
                show(name, options.waits, runs[-1][name])
    finally:
        server.process.terminate()
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
