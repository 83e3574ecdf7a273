# SPDX-License-Identifier: Apache-2.0
"""Command line of the simulator."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import suppress
from importlib import import_module

from airflow_provider_bulkjobs.simulator.control import describe
from airflow_provider_bulkjobs.simulator.runner import start
from airflow_provider_bulkjobs.simulator.settings import Settings
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor
from airflow_provider_bulkjobs.simulator.world import World


def main() -> None:
    """Run the server until it is interrupted."""
    options = _parser().parse_args()
    if options.speed <= 0 or options.job_seconds < 0:
        sys.exit("--speed must be greater than 0, and --job-seconds must be at least 0")
    if not 0 <= options.port <= 65535:
        sys.exit(f"invalid --port {options.port}: it must be from 0 to 65535")
    vendors = [_vendor(place) for place in options.vendor]
    settings = Settings(speed=options.speed, job_seconds=options.job_seconds)
    world = World(settings, vendors, enforce_limits=options.enforce_limits)
    try:
        asyncio.run(_serve(world, options.host, options.port))
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_bulkjobs.simulator",
        description="Simulate the bulk contact import APIs of vendors on localhost.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on; 0 selects a free port")
    parser.add_argument("--speed", type=float, default=1.0, help="factor by which jobs run faster")
    parser.add_argument("--job-seconds", type=float, default=3.0, help="duration of a job at speed 1")
    parser.add_argument("--enforce-limits", action="store_true", help="enforce the vendors' published rate limits")
    parser.add_argument(
        "--vendor",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="serve a vendor of another package as well",
    )
    return parser


def _vendor(place: str) -> type[SimulatedVendor]:
    module, _, name = place.partition(":")
    try:
        vendor = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        sys.exit(f"invalid --vendor {place}: {error}; give it as module:Class")
    if not (isinstance(vendor, type) and issubclass(vendor, SimulatedVendor)):
        sys.exit(f"invalid --vendor {place}: it is not a subclass of SimulatedVendor")
    return vendor


async def _serve(world: World, host: str, port: int) -> None:
    running = await start(world, host, port)
    print(f"Bulk job simulator: {running.url}  (open it in a browser for help; stop it with Ctrl-C)")
    print(describe(world, running.url), flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows, where Ctrl-C raises instead
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        await running.stop()


if __name__ == "__main__":
    main()
