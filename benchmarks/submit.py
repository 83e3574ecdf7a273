# SPDX-License-Identifier: Apache-2.0
"""The cost of a submit, compared with a hand-written loop in one run on one machine.

    python benchmarks/submit.py [--rows 1000000] [--repeats 3] [vendor …]

Each measurement is a fresh process that sends a CSV file to a server on this machine, which counts the received rows.
The package reads, validates and batches all rows before the first request, and sends without a rate limit; the loop
reads, batches and sends. Only numbers of the same run are comparable.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import gc
import json
import logging
import os
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

if TYPE_CHECKING:
    from requests import Session

    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint

FEW = 10_000
MIN_MIB = 0.5  # less is noise, for which no ratio is printed
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
    "activecampaign": Case("activecampaign", "import", "/api/3/import/bulk_import", 250, "contacts"),
    "acquia": Case("acquia_campaign_studio", "create", "/api/contacts/bulk/new", 10_000),
}


class NoCheckpointStore:
    """A checkpoint store that stores nothing."""

    def save(self, checkpoint: Checkpoint) -> None:
        pass

    def publish(self, checkpoint: Checkpoint) -> None:
        pass


def ours(case: Case, url: str) -> Callable[[str], None]:
    from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
    from airflow_provider_bulkjobs.submitting.options import choose_operation
    from airflow_provider_bulkjobs.submitting.records import read_records
    from airflow_provider_bulkjobs.submitting.submission import Submission

    connection = {"conn_type": case.conn_type, "host": url, "login": "bench", "password": "bench"}
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({**connection, "extra": {"requests_per_second": 0}})
    hook = hook_for("bench")
    kind = hook.job_kind(None)
    operation = choose_operation(hook.vendor, kind, case.operation)

    def submit(path: str) -> None:
        with Submission(hook, kind.name, operation, {}, logging.getLogger("bench")) as submission:
            submission.prepare(read_records(path), None)
            submission.send(NoCheckpointStore())

    return submit


def by_hand(case: Case, url: str) -> Callable[[str], None]:
    """Read, batch and send: no validation, no retries, no checkpoints."""
    import requests

    session = requests.Session()

    def submit(path: str) -> None:
        with Path(path).open(newline="") as file:
            rows = csv.DictReader(file)
            while batch := list(islice(rows, case.max_items)):
                body = {case.key: batch} if case.key else batch
                _send(session, case.method, f"{url}{case.path}", json=body)

    def upload(path: str) -> None:
        body = {"file_type": "csv", "field_mappings": [f"_rf_{name}" for name in FIELDS]}
        address = _send(session, case.method, f"{url}{case.path}", json=body)["upload_uri"]
        with Path(path).open("rb") as file:
            _send(requests.Session(), "PUT", address, data=file)

    return upload if case.operation == "import_csv" else submit


CONTENDERS = {"ours": ours, "by_hand": by_hand}


def _send(session: Session, method: str, url: str, **body: Any) -> dict[str, Any]:
    response = session.request(method, url, **body)
    response.raise_for_status()
    data: dict[str, Any] = response.json()
    return data


def measure(contender: str, case: Case, url: str, warm: str, path: str) -> dict[str, float]:
    submit = CONTENDERS[contender](case, url)
    submit(warm)  # imports, the session, the first connection
    reset_peak()
    memory, cpu, began = peak(), time.process_time(), time.perf_counter()
    submit(path)
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
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def people(count: int, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield columns
    if columns == PLAIN:
        for n in range(count):
            yield f"person{n}@example.com", f"First{n}", f"Last{n}", f"City {n % 1000}"
    else:
        for n in range(count):
            yield f"person{n}@example.com", f"First{n} Last{n}", str(n), f"+1555{n:07}"


def write(folder: Path, count: int, columns: tuple[str, ...]) -> Path:
    path = folder / f"{'-'.join(columns)}-{count}.csv"
    if not path.exists():
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(people(count, columns))
    return path


def run(contender: str, name: str, sink: Sink, folder: Path, rows: int) -> dict[str, float]:
    columns = CASES[name].columns
    command = [sys.executable, __file__, "--client", contender, sink.url]
    command += [str(write(folder, WARM, columns)), str(write(folder, rows, columns)), name]
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


def compare(name: str, sink: Sink, folder: Path, rows: int, repeats: int) -> list[float]:
    """Print the results for a file; return the memory peaks."""
    results: dict[str, list[dict[str, float]]] = {contender: [] for contender in CONTENDERS}
    for _ in range(repeats):  # alternating, so that load on the machine affects both
        for contender, so_far in results.items():
            so_far.append(run(contender, name, sink, folder, rows))
    own, peer = ({unit: statistics.median(one[unit] for one in all_) for unit in all_[0]} for all_ in results.values())
    print(
        f"{name:>17}{rows:>10,}{own['rows_per_s']:>14,.0f}{peer['rows_per_s']:>14,.0f}"
        f"{own['rows_per_s'] / peer['rows_per_s']:>14.2f}{own['rows_per_cpu_s'] / peer['rows_per_cpu_s']:>14.2f}"
        f"{own['mib']:>14.1f}{peer['mib']:>14.1f}",
        flush=True,
    )
    return [own["mib"], peer["mib"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vendors", nargs="*", default=list(CASES), metavar="vendor", help=", ".join(CASES))
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help=f"rows of the large file; the small one has {FEW:,}"
    )
    parser.add_argument("--repeats", type=int, default=3, help="number of runs; the median is shown")
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        contender, url, warm, path = options.client
        print(json.dumps(measure(contender, CASES[options.vendors[0]], url, warm, path)))
        return
    if unknown := set(options.vendors) - set(CASES):
        parser.error(f"Unknown vendors: {', '.join(sorted(unknown))}")
    os.environ["NO_PROXY"] = "*"  # all requests stay on this machine
    sink = Sink.start()
    titles = ("package, rows/s", "by hand", "ratio", "ratio by CPU", "package, MiB", "by hand")
    print(f"{'':>17}{'rows':>10}" + "".join(f"{title:>14}" for title in titles), flush=True)
    peaks = {}
    with tempfile.TemporaryDirectory(prefix="bulkjobs-bench-") as folder:
        for name in options.vendors:
            peaks[name] = [compare(name, sink, Path(folder), rows, options.repeats) for rows in (FEW, options.rows)]
    sink.process.terminate()
    for name, (few, many) in peaks.items():
        times = [
            f"{large / small:.1f} times" if small >= MIN_MIB else "n/a" for small, large in zip(few, many, strict=True)
        ]
        print(f"{name}: memory with {options.rows:,} rows over that with {FEW:,}: {times[0]}, by hand {times[1]}")


if __name__ == "__main__":
    main()
