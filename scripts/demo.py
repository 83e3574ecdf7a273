# SPDX-License-Identifier: Apache-2.0
"""All example pipelines in a real Airflow, against the simulated vendors; fails if one does not do what it promises."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from local_airflow import LocalAirflow, Task
from local_simulator import LocalSimulator
from processes import Processes, tail_on_failure

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".demo"
RUN = "demo"
LONGEST = 240.0  # seconds for all pipelines
JOB_SECONDS = 12.0
VERDICT = re.compile(
    r"(?P<vendor>\w+) contacts: (?P<state>\w+); (?P<numbers>[^;]*); jobs: .{1,300}?\. "
    r"Import (?P<verdict>accepted|rejected): (?P<reason>.+?)\.(?=[\s\"'\\]|$)"
)
COLOURS = {"success": 32, "failed": 31, "upstream_failed": 33, "deferred": 36, "running": 34}


class Promise(NamedTuple):
    """What an example says will happen to the 1,000 contacts of contacts.csv, 30 of which have no good address.

    :param tasks: the tasks and the states they end in.
    :param jobs: how many jobs the contacts make.
    :param items: how many contacts the vendor counts; ``None`` if it does not tell.
    :param failed: how many of them it refuses; ``None`` if it does not tell.
    :param submit: the task that submits.
    :param gate: the task that judges.
    """

    tasks: dict[str, str]
    jobs: int
    items: int | None
    failed: int | None
    submit: str = "import_contacts"
    gate: str = "import_contacts"


def _well(*task_ids: str, **others: str) -> dict[str, str]:
    return dict.fromkeys(task_ids, "success") | others


PROMISES = {
    "bulkjobs_sendgrid_contacts": Promise(_well("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30),
    "bulkjobs_intercom_contacts": Promise(
        _well("extract", "submit", "gate", "tag_segment"), 1, 300, None, submit="submit", gate="gate"
    ),
    # The 30 are left out before anything is sent.
    "bulkjobs_activecampaign_contacts": Promise(_well("extract", "import_contacts", "send_campaign"), 4, None, 0),
    "bulkjobs_acquia_contacts": Promise(
        _well("extract", "each_contact", "tell_the_team", import_contacts="failed", send_campaign="upstream_failed"),
        1,
        1000,
        30,
    ),
    "bulkjobs_warehouse_to_campaign": Promise(_well("extract", "check", "import_contacts", "send_campaign"), 1, 970, 0),
    "bulkjobs_gate_by_branch": Promise(
        _well(*("import_contacts", "choose", "send_to_the_sure_ones"), send_campaign="skipped", ask_somebody="skipped"),
        1,
        1000,
        30,
    ),
    "bulkjobs_gate_by_asset": Promise(_well("import_contacts", "publish"), 1, 1000, 30),
}


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Airflow's pages up until Ctrl-C")
    keep = parser.parse_args().keep
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        with Processes(HOME) as processes, tail_on_failure(processes):
            return _run(processes, keep=keep)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 130
    except Exception as error:  # noqa: BLE001  (the logs above say more than a traceback would)
        print(f"\nThe demo broke off: {error}")
        return 1


def _run(processes: Processes, *, keep: bool) -> int:
    began = time.monotonic()
    _say("starting a simulator of the vendors, and a real Airflow (SQLite, LocalExecutor) that knows only that")
    simulator = LocalSimulator(processes, JOB_SECONDS)
    airflow = LocalAirflow(HOME, [ROOT / "example_dags"], simulator.connections, processes)
    airflow.start()
    _say(f"Airflow is up after {time.monotonic() - began:.0f} s; starting {len(PROMISES)} pipelines\n")
    for dag_id in PROMISES:
        airflow.trigger(dag_id, RUN)
    for task in airflow.watch(RUN, LONGEST):
        if task.state not in {"none", "scheduled", "queued"}:
            _say(f"{_short(task.dag_id):24}{task.task_id:24}{_coloured(task.state)}")
    rows = [_row(airflow, simulator, dag_id) for dag_id in PROMISES]
    _print_table(rows)
    wrong = _compare(airflow.tasks(RUN), rows)
    for line in wrong:
        print(f"NOT AS PROMISED: {line}")
    if not wrong:
        print(f"All {len(rows)} pipelines did what they promise ({time.monotonic() - began:.0f} s).")
    if keep:
        print(
            f"\nAirflow's pages: {airflow.url}  (no login needed)\nThe simulator:   {simulator.url}\nCtrl-C ends both."
        )
        with suppress(KeyboardInterrupt):
            while True:
                processes.check()
                time.sleep(1)
    return 1 if wrong else 0


def _row(airflow: LocalAirflow, simulator: LocalSimulator, dag_id: str) -> dict[str, Any]:
    """Return what became of a pipeline, as its gate has told it in the log."""
    promise = PROMISES[dag_id]
    job_ids = airflow.xcom(dag_id, RUN, promise.submit, key="job_ids")
    told = VERDICT.search(airflow.task_log(dag_id, RUN, promise.gate))
    if told is None:
        raise RuntimeError(f"the gate of {dag_id} has not said how it decided")
    numbers = dict(pair.split(" ") for pair in told["numbers"].split(", ") if pair != "no numbers")
    polls = simulator.polls()
    [gate] = [task for task in airflow.tasks(RUN) if (task.dag_id, task.task_id) == (dag_id, promise.gate)]
    return {
        "dag_id": dag_id,
        "pipeline": _short(dag_id),
        "vendor": told["vendor"],
        "job ids": job_ids[0] if len(job_ids) == 1 else f"{len(job_ids)} jobs",
        "gate": "opened" if told["verdict"] == "accepted" else "stopped",
        "items": int(numbers["total"]) if "total" in numbers else None,
        "failed": int(numbers["failed"]) if "failed" in numbers else None,
        "waited": f"{gate.seconds or 0:.0f} s",
        "polls": sum(polls[job_id] for job_id in job_ids),
        "jobs": len(job_ids),
        "reason": told["reason"],
    }


def _compare(tasks: list[Task], rows: list[dict[str, Any]]) -> list[str]:
    """Hold what happened against what was promised; return the differences."""
    wrong = []
    for row in rows:
        promise = PROMISES[row["dag_id"]]
        states = {task.task_id: task.state for task in tasks if task.dag_id == row["dag_id"]}
        wrong += [
            f"{row['pipeline']}: {what} is {found!r}, not {expected!r}"
            for what, found, expected in (
                ("tasks", states, promise.tasks),
                ("jobs", row["jobs"], promise.jobs),
                ("items", row["items"], promise.items),
                ("failed", row["failed"], promise.failed),
            )
            if found != expected
        ]
    return wrong


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = ("pipeline", "vendor", "job ids", "gate", "items", "failed", "waited", "polls")
    cells = [columns, *[tuple("not told" if row[name] is None else str(row[name]) for name in columns) for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    print()
    for line in [cells[0], tuple("-" * width for width in widths), *cells[1:]]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print("\nWhy the gates opened or stayed closed:")
    for row in rows:
        print(f"  {row['pipeline']:24}{row['reason']}")
    print()


def _say(text: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


def _short(dag_id: str) -> str:
    return dag_id.removeprefix("bulkjobs_")


def _coloured(state: str) -> str:
    return f"\033[{COLOURS.get(state, 37)}m{state}\033[0m" if sys.stdout.isatty() else state


if __name__ == "__main__":
    sys.exit(main())
