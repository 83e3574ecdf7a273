# SPDX-License-Identifier: Apache-2.0
"""The cost of a submit, compared with a hand-written loop in one run on one machine.

    python benchmarks/submit.py [--rows 1000000] [--repeats 3] [--sources csv parts jsonl parquet postgres] [vendor …]
    python benchmarks/submit.py sendgrid --profile [--rows 1000000] --sources parquet

Each measurement is a fresh process that sends the rows of a source to a server on this machine, which counts them.
The package reads, validates and batches all rows before the first request, and sends without a rate limit; the loop
reads, batches and sends. Only numbers of the same run are comparable. With ``--profile``, the package alone is run, and
the functions are listed that take most of its CPU time.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import ctypes
import gc
import json
import logging
import os
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sink import FIELDS, Sink
from sources import SOURCES, CsvFile

if TYPE_CHECKING:
    from requests import Session

    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint

FEW = 10_000
MIN_MIB = 0.5  # less is noise, for which no ratio is printed
PROFILED = 40  # functions in a profile
WARM = 10  # rows of the warm-up
PLAIN = ("email", "first_name", "last_name", "city")


@dataclass(frozen=True)
class Case:
    """One vendor's submit, with the parameters of the hand-written loop.

    :param conn_type: the connection type.
    :param columns: the columns of the file.
    :param max_items: the number of records in a batch.
    :param key: the key of the records in the body; without it, the body is the list.
    :param path: the path for the records, or for the request to import a file.
    """

    conn_type: str
    operation: str
    path: str
    max_items: int
    key: str | None = None
    method: str = "POST"
    columns: tuple[str, ...] = PLAIN


CASES = {
    # Intercom has no field first_name, and the package rejects fields that Intercom would drop.
    "intercom": Case(
        *("intercom", "create", "/contacts/bulk", 100, "contacts"), columns=("email", "name", "external_id", "phone")
    ),
    "sendgrid": Case("sendgrid", "upsert", "/v3/marketing/contacts", 30_000, "contacts", "PUT"),
    "sendgrid_csv": Case("sendgrid", "import_csv", "/v3/marketing/contacts/imports", 1_000_000, method="PUT"),
    # ActiveCampaign has no field city, so it would be looked up as a custom field.
    "activecampaign": Case(
        *("activecampaign", "import", "/api/3/import/bulk_import", 250, "contacts"),
        columns=("email", "first_name", "last_name", "phone"),
    ),
    "acquia": Case("acquia_campaign_studio", "create", "/api/contacts/bulk/new", 10_000),
}


class NoCheckpointStore:
    """A checkpoint store that stores nothing."""

    def save(self, checkpoint: Checkpoint) -> None:
        pass

    def publish(self, checkpoint: Checkpoint) -> None:
        pass


def ours(case: Case, source: CsvFile, url: str) -> Callable[[str], None]:
    from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
    from airflow_provider_bulkjobs.submitting.options import choose_operation
    from airflow_provider_bulkjobs.submitting.records import read_records
    from airflow_provider_bulkjobs.submitting.submission import Submission

    connection = {"conn_type": case.conn_type, "host": url, "login": "bench", "password": "bench"}
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({**connection, "extra": {"requests_per_second": 0}})
    hook = hook_for("bench")
    kind = hook.job_kind(None)
    operation = choose_operation(hook.vendor, kind, case.operation)

    def submit(where: str) -> None:
        with Submission(hook, kind.name, operation, {}, logging.getLogger("bench")) as submission:
            submission.prepare(read_records(source.records(where)), None)
            submission.send(NoCheckpointStore())

    return submit


def by_hand(case: Case, source: CsvFile, url: str) -> Callable[[str], None]:
    """Read, batch and send: no validation, no retries, no checkpoints."""
    import requests

    session = requests.Session()

    def submit(where: str) -> None:
        rows = source.by_hand(where)
        while batch := list(islice(rows, case.max_items)):
            body = {case.key: batch} if case.key else batch
            _send(session, case.method, f"{url}{case.path}", json=body)

    def upload(where: str) -> None:
        body = {"file_type": "csv", "field_mappings": [f"_rf_{name}" for name in FIELDS]}
        address = _send(session, case.method, f"{url}{case.path}", json=body)["upload_uri"]
        with tempfile.TemporaryFile("w+", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(FIELDS)
            rows.writerows(row.values() for row in source.by_hand(where))
            file.flush()
            file.buffer.seek(0)
            _send(requests.Session(), "PUT", address, data=file.buffer)

    return upload if case.operation == "import_csv" else submit


CONTENDERS = {"ours": ours, "by_hand": by_hand}


def _send(session: Session, method: str, url: str, **body: Any) -> dict[str, Any]:
    response = session.request(method, url, **body)
    response.raise_for_status()
    data: dict[str, Any] = response.json()
    return data


def measure(submit: Callable[[str], None], warm: str, where: str) -> dict[str, float]:
    submit(warm)  # imports, the session, the first connection
    reset_peak()
    memory, cpu, began = peak(), time.process_time(), time.perf_counter()
    submit(where)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "mib": (peak() - memory) / 1024,
    }


def reset_peak() -> None:
    """Free the memory that the imports have left, which would hide the growth afterwards; Linux only."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the largest resident memory since the last reset, in KiB; unlike ru_maxrss, without that of the parent."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def people(count: int, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    values: dict[str, Callable[[int], str]] = {
        "email": "person{}@example.com".format,
        "name": "First{0} Last{0}".format,
        "first_name": "First{}".format,
        "last_name": "Last{}".format,
        "city": lambda number: f"City {number % 1000}",
        "external_id": str,
        "phone": "+1555{:07}".format,
    }
    return zip(*(map(values[name], range(count)) for name in columns), strict=True)


class Source:
    """A kind of source, written once for all vendors with the same columns."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._written: dict[tuple[int, tuple[str, ...]], str] = {}

    def rows(self, count: int, columns: tuple[str, ...]) -> str:
        key = (count, columns)
        if key not in self._written:
            where = self._folder / f"{self.name}-{'-'.join(columns)}-{count}"
            self._written[key] = SOURCES[self.name].write(where, columns, people(count, columns))
        return self._written[key]


def run(contender: str, name: str, source: Source, sink: Sink, rows: int) -> dict[str, float]:
    columns = CASES[name].columns
    command = [sys.executable, __file__, "--client", contender, source.name, sink.url]
    command += [source.rows(WARM, columns), source.rows(rows, columns), name]
    environment = os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    before = sink.rows
    client = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    received = sink.rows - before - WARM
    if received != rows:
        raise SystemExit(f"{name}, {contender}: {received} of {rows} rows received")
    result: dict[str, float] = json.loads(client.stdout.splitlines()[-1])
    return {
        "rows_per_s": rows / result["seconds"],
        "rows_per_cpu_s": rows / result["cpu_seconds"],
        "mib": result["mib"],
    }


def compare(name: str, source: Source, sink: Sink, rows: int, repeats: int) -> list[float]:
    """Print the results for a source; return the memory peaks."""
    results: dict[str, list[dict[str, float]]] = {contender: [] for contender in CONTENDERS}
    for _ in range(repeats):  # alternating, so that load on the machine affects both
        for contender, so_far in results.items():
            so_far.append(run(contender, name, source, sink, rows))
    own, peer = ({unit: statistics.median(one[unit] for one in all_) for unit in all_[0]} for all_ in results.values())
    print(
        f"{name:>17}{source.name:>10}{rows:>10,}{own['rows_per_s']:>16,.0f}{peer['rows_per_s']:>16,.0f}"
        f"{own['rows_per_s'] / peer['rows_per_s']:>16.2f}{own['rows_per_cpu_s'] / peer['rows_per_cpu_s']:>16.2f}"
        f"{own['mib']:>16.1f}{peer['mib']:>16.1f}",
        flush=True,
    )
    return [own["mib"], peer["mib"]]


def profile(name: str, source: Source, sink: Sink, rows: int) -> None:
    """Print the functions that take most CPU time of the package, in microseconds per row; a profile slows them."""
    submit = ours(CASES[name], SOURCES[source.name], sink.url)
    submit(source.rows(WARM, CASES[name].columns))
    where = source.rows(rows, CASES[name].columns)
    profiler = cProfile.Profile(time.process_time)  # not the time in which the machine does other work
    profiler.runcall(submit, where)
    found: Any = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    longest = sorted(((own, key) for key, (_, _, own, _, _) in found.items()), reverse=True)
    print(f"{name}, {source.name}: {sum(own for own, _ in longest) / rows * 1e6:.2f} in all")
    for own, (path, _, function) in longest[:PROFILED]:
        print(f"{own / rows * 1e6:8.2f} {Path(path).stem} {function}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vendors", nargs="*", default=list(CASES), metavar="vendor", help=", ".join(CASES))
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help=f"rows of the large file; the small one has {FEW:,}"
    )
    parser.add_argument("--repeats", type=int, default=3, help="number of runs; the median is shown")
    parser.add_argument("--sources", nargs="*", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--profile", action="store_true", help="list the functions that take most of the time")
    parser.add_argument("--client", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        contender, source, url, warm, where = options.client
        submit = CONTENDERS[contender](CASES[options.vendors[0]], SOURCES[source], url)
        print(json.dumps(measure(submit, warm, where)))
        return
    if unknown := set(options.vendors) - set(CASES):
        parser.error(f"Unknown vendors: {', '.join(sorted(unknown))}")
    os.environ["NO_PROXY"] = "*"  # all requests stay on this machine
    sink = Sink.start()
    logging.disable(logging.INFO)
    titles = ("package, rows/s", "by hand", "ratio", "ratio by CPU", "package, MiB", "by hand")
    if not options.profile:
        print(f"{'':>17}{'source':>10}{'rows':>10}" + "".join(f"{title:>16}" for title in titles), flush=True)
    with tempfile.TemporaryDirectory(prefix="bulkjobs-bench-") as folder:
        for source in options.sources:
            measure_source(source, sink, Path(folder), options)
    sink.process.terminate()


def measure_source(name: str, sink: Sink, folder: Path, options: argparse.Namespace) -> None:
    """Print the results of all vendors for a kind of source."""
    peaks = {}
    with SOURCES[name].server() as socket:
        os.environ["PGHOST"] = socket or ""
        source = Source(name, folder)
        if options.profile:
            for vendor in options.vendors:
                profile(vendor, source, sink, options.rows)
            return
        for vendor in options.vendors:
            sizes = (FEW, options.rows)
            peaks[vendor] = [compare(vendor, source, sink, rows, options.repeats) for rows in sizes]
    for vendor, (few, many) in peaks.items():
        own, peer = (
            f"{large / small:.1f} times" if small >= MIN_MIB else "n/a" for small, large in zip(few, many, strict=True)
        )
        print(f"{vendor}, {name}: memory with {options.rows:,} rows over that with {FEW:,}: {own}, by hand {peer}")


if __name__ == "__main__":
    main()
