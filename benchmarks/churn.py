# SPDX-License-Identifier: Apache-2.0
"""Whether ended triggers leak anything in the triggerer: memory, sockets, sessions, tasks.

python benchmarks/churn.py [--triggers 10000] [--at-once 250]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
import warnings
from pathlib import Path

import aiohttp
from server import Server

from airflow_provider_bulkjobs.http import pool
from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger


def trigger(number: int) -> BulkJobTrigger:
    now = time.time()
    return BulkJobTrigger(
        hook_class="airflow_provider_bulkjobs.hooks.bulk_job.SendGridHook",
        conn_id="sendgrid",
        job_ids=[f"job-{number}"],
        job_kind="contacts",
        started_at=now,
        deadline=now + 0.5,
        first_poll_at=now,
        poke_interval=0.1,
    )


def measure_leaks() -> dict[str, float]:
    gc.collect()
    return {
        "MiB": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "aiohttp sessions": sum(isinstance(one, aiohttp.ClientSession) for one in gc.get_objects()),
        "triggers": sum(isinstance(one, BulkJobTrigger) for one in gc.get_objects()),
        "asyncio tasks": len(asyncio.all_tasks()) - 1,
        "transports": len(pool._transports),
    }


async def run_triggers(triggers: int, at_once: int) -> None:
    for _ in range(triggers // at_once):
        # Half of them reach their deadline, the others are canceled early, as when they move to another triggerer.
        tasks = [asyncio.ensure_future(anext(trigger(number).run())) for number in range(at_once)]
        for task in tasks[::2]:
            asyncio.get_running_loop().call_later(0.3, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure(triggers: int, at_once: int) -> list[dict[str, float]]:
    measured = []
    for number in (triggers // 10, *[triggers * 3 // 10] * 3):  # the first tenth is the warm-up
        await run_triggers(number, at_once)
        await asyncio.sleep(0.5)  # sockets are closed by then
        measured.append(measure_leaks())
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triggers", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=250)
    options = parser.parse_args()
    unclosed: list[str] = []
    warnings.simplefilter("error")
    sys.unraisablehook = lambda event: unclosed.append(str(event.exc_value))  # receives these warnings
    server = Server.start()
    os.environ["SSL_CERT_FILE"] = server.bundle
    connection = {"conn_type": "sendgrid", "host": server.url, "password": "SG.bench"}
    os.environ["AIRFLOW_CONN_SENDGRID"] = json.dumps(connection)
    results = asyncio.run(measure(options.triggers, options.at_once))
    server.process.terminate()
    if unclosed:
        raise SystemExit(f"Not closed: {unclosed}")
    print("| after triggers | " + " | ".join(results[0]) + " |")
    print("|---" * (len(results[0]) + 1) + "|")
    for share, result in zip((0.1, 0.4, 0.7, 1.0), results, strict=True):
        print(
            f"| {options.triggers * share:,.0f} | " + " | ".join(f"{number:,.0f}" for number in result.values()) + " |"
        )


if __name__ == "__main__":
    main()
