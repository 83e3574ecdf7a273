# SPDX-License-Identifier: Apache-2.0
"""Many waits in one triggerer on one rate-limited account, and one wait on another account.

    python benchmarks/crowd.py [--waits 1000] [--rounds 2] [--poke-interval 60]

The vendor is the package's simulator, with ActiveCampaign's limit of 5 requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import time
from collections import defaultdict
from itertools import pairwise

os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")  # before Airflow is imported

from airflow_provider_bulkjobs.simulator import ACTIVECAMPAIGN_KEY, SENDGRID_KEY, Simulator
from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger

PER_SECOND = 5


def trigger(hook: str, conn_id: str, job_id: str, poke_interval: float) -> BulkJobTrigger:
    now = time.time()
    return BulkJobTrigger(
        hook_class=f"airflow_provider_bulkjobs.hooks.bulk_job.{hook}",
        conn_id=conn_id,
        job_ids=[job_id],
        job_kind="contacts",
        started_at=now,
        deadline=now + 86400,
        first_poll_at=now,
        poke_interval=poke_interval,
    )


def gaps(sim: Simulator, vendor: str) -> tuple[list[float], list[int]]:
    """Return the seconds between polls of the same job, and the number of polls of each job."""
    times = defaultdict(list)
    for request in sim.requests(vendor):
        times[request.path_qs].append(request.time)
    between = [b - a for polls in times.values() for a, b in pairwise(polls)]
    return between, [len(polls) for polls in times.values()]


async def wait_for_rounds(sim: Simulator, triggers: list[BulkJobTrigger], rounds: int) -> None:
    tasks = [asyncio.ensure_future(anext(one.run())) for one in triggers]
    while len(sim.requests("activecampaign")) < rounds * (len(triggers) - 1):
        ended, _ = await asyncio.wait(tasks, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        if ended:
            raise SystemExit(f"Unexpected end of a wait: {ended.pop().result()}")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2, help="number of polls of each job")
    parser.add_argument("--poke-interval", type=float, default=60.0)
    options = parser.parse_args()
    with Simulator() as sim:
        sim.settings(limits={"activecampaign": {"requests": PER_SECOND, "per_seconds": 1}})
        for conn_type, password in (("activecampaign", ACTIVECAMPAIGN_KEY), ("sendgrid", SENDGRID_KEY)):
            connection = {"conn_type": conn_type, "host": sim.url_of(conn_type), "password": password}
            os.environ[f"AIRFLOW_CONN_{conn_type.upper()}"] = json.dumps(connection)
        messages: list[str] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("airflow_provider_bulkjobs").addHandler(handler)
        crowd = [sim.job("activecampaign", states=["active"]) for _ in range(options.waits)]
        triggers = [trigger("ActiveCampaignHook", "activecampaign", job, options.poke_interval) for job in crowd]
        other = trigger("SendGridHook", "sendgrid", sim.job("sendgrid", states=["pending"]), 5)
        began = time.monotonic()
        asyncio.run(wait_for_rounds(sim, [*triggers, other], options.rounds))
        seconds = time.monotonic() - began
        statuses = {status: number for status, number in sim.state()["activecampaign"]["statuses"].items() if number}
        between, polls = gaps(sim, "activecampaign")
        other_gaps, _ = gaps(sim, "sendgrid")
    print(
        f"{options.waits} waits, poke_interval {options.poke_interval:.0f} s, {PER_SECOND} requests a second allowed, "
        f"measured for {seconds:.0f} s\n"
    )
    print(f"- responses by status: {statuses}")
    print(f"- {len(polls)} jobs polled, {min(polls)} to {max(polls)} times each")
    if between:
        spread = f"{min(between):.0f} s to {max(between):.0f} s, median {statistics.median(between):.0f} s"
        print(f"- between two polls of the same job: {spread}")
    print(f"- the wait on another account, poke_interval 5 s: at most {max(other_gaps):.1f} s between polls")
    print(f"- {len(messages)} log messages: {'; '.join(messages)}")


if __name__ == "__main__":
    main()
