# SPDX-License-Identifier: Apache-2.0
"""Run all example pipelines in a real Airflow against the simulated vendors; fail if one has an unexpected result."""

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

from diagrams import terminal
from local_airflow import LocalAirflow, Task
from local_simulator import LocalSimulator
from processes import Processes, tail_on_failure

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".demo"
RUN = "demo"
MAX_SECONDS = 240.0  # for all pipelines
JOB_SECONDS = 12.0
VERDICT = re.compile(
    r"(?P<vendor>\w+) \w+: (?P<state>\w+); (?P<numbers>[^;]*); jobs: .{1,300}?\. "
    r"Import (?P<verdict>accepted|rejected): (?P<reason>.+?)\.(?=[\s\"'\\]|$)"
)
COLOURS = {"success": 32, "failed": 31, "upstream_failed": 33, "deferred": 36, "running": 34}


class Expectation(NamedTuple):
    """The expected result of an example for the 1,000 contacts of contacts.csv, 30 of which have an invalid address.

    :param tasks: the tasks and their final states.
    :param jobs: the number of jobs.
    :param items: the number of contacts that the vendor reports; ``None`` if it does not.
    :param failed: the number of failed contacts that it reports; ``None`` if it does not.
    :param submit: the task that submits.
    :param gate: the task that judges the result.
    """

    tasks: dict[str, str]
    jobs: int
    items: int | None
    failed: int | None
    submit: str = "import_contacts"
    gate: str = "import_contacts"


def _success(*task_ids: str, **others: str) -> dict[str, str]:
    return dict.fromkeys(task_ids, "success") | others


EXPECTED = {
    "bulkjobs_sendgrid_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_intercom_contacts": Expectation(
        _success("extract", "submit", "gate", "tag_segment"), 1, 300, None, submit="submit", gate="gate"
    ),
    # The 30 invalid contacts are excluded before the first request.
    "bulkjobs_activecampaign_contacts": Expectation(
        _success("extract", "import_contacts", "send_campaign"), 4, None, 0
    ),
    "bulkjobs_acquia_contacts": Expectation(
        _success(
            "extract", "contact_results", "notify_team", import_contacts="failed", send_campaign="upstream_failed"
        ),
        1,
        1000,
        30,
    ),
    "bulkjobs_hubspot_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, None, 30
    ),
    "bulkjobs_klaviyo_contacts": Expectation(_success("extract", "import_contacts", "send_campaign"), 1, 1000, 30),
    "bulkjobs_warehouse_contacts": Expectation(
        _success("fill_warehouse", "import_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_warehouse_to_campaign": Expectation(
        _success("extract", "check", "import_contacts", "send_campaign"), 1, 970, 0
    ),
    "bulkjobs_brevo_contacts": Expectation(
        _success("extract", "import_contacts", "failed_contacts", "send_campaign"), 1, None, None
    ),
    "bulkjobs_mailjet_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    # An invalid address is only a warning.
    "bulkjobs_marketo_contacts": Expectation(_success("import_contacts", "warnings", "send_campaign"), 1, 1000, 0),
    "bulkjobs_mailchimp_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_salesforce_bulk_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_zendesk_bulk_contacts": Expectation(
        _success("extract", "import_contacts", "failed_contacts", "tell_agents"), 10, 1000, 30
    ),
    "bulkjobs_dotdigital_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_getresponse_contacts": Expectation(_success("extract", "import_contacts", "send_campaign"), 1, 1000, 30),
    "bulkjobs_customer_io_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_constant_contact_contacts": Expectation(
        _success("import_contacts", "messages", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_omnisend_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 10, 1000, 30
    ),
    "bulkjobs_eloqua_contacts": Expectation(
        _success("import_contacts", "rejected_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_shopify_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_zoho_crm_contacts": Expectation(
        _success("import_contacts", "failed_contacts", "send_campaign"), 1, 1000, 30
    ),
    "bulkjobs_gate_by_branch": Expectation(
        _success(
            *("import_contacts", "choose", "send_to_previous_segment"),
            send_campaign="skipped",
            request_review="skipped",
        ),
        1,
        1000,
        30,
    ),
    "bulkjobs_failed_contacts_again": Expectation(
        _success("import_contacts", "failed_contacts", "correct", "import_again", "send_campaign"),
        1,
        30,
        0,
        submit="import_again",
        gate="import_again",
    ),
    "bulkjobs_gate_by_asset": Expectation(_success("import_contacts", "publish"), 1, 1000, 30),
}


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep Airflow's web UI running until Ctrl-C")
    parser.add_argument("--picture", type=Path, help="write the table as an SVG to this path")
    options = parser.parse_args()
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        with Processes(HOME) as processes, tail_on_failure(processes):
            return _run(processes, keep=options.keep, picture=options.picture)
    except KeyboardInterrupt:
        print("\nStopped; all processes have ended.")
        return 130
    except Exception as error:  # noqa: BLE001  (the logs above are more useful than a traceback)
        print(f"\nThe demo failed: {error}")
        return 1


def _run(processes: Processes, *, keep: bool, picture: Path | None) -> int:
    began = time.monotonic()
    _say("Starting a simulator of the vendors, and a real Airflow (SQLite, LocalExecutor) with connections to it")
    simulator = LocalSimulator(processes, JOB_SECONDS)
    airflow = LocalAirflow(HOME, [ROOT / "example_dags"], simulator.connections, processes)
    airflow.start()
    _say(f"Airflow started after {time.monotonic() - began:.0f} s; starting {len(EXPECTED)} pipelines\n")
    for dag_id in EXPECTED:
        airflow.trigger(dag_id, RUN)
    for task in airflow.watch(RUN, MAX_SECONDS):
        if task.state not in {"none", "scheduled", "queued"}:
            _say(f"{_short(task.dag_id):27}{task.task_id:26}{_coloured(task.state)}")
    rows = [_row(airflow, simulator, dag_id) for dag_id in EXPECTED]
    table = [*_table(rows), "", *notes(rows)]
    print("", *table, "", *_verdicts(rows), "", sep="\n")
    differences = _compare(airflow.tasks(RUN), rows)
    for line in differences:
        print(f"UNEXPECTED: {line}")
    if not differences:
        print(f"All {len(rows)} pipelines had the expected result ({time.monotonic() - began:.0f} s).")
        if picture:
            picture.write_text(terminal("make demo", table))
    if keep:
        print(
            f"\nAirflow's web UI: {airflow.url}  (no login needed)\n"
            f"Simulator:        {simulator.url}\nPress Ctrl-C to stop both."
        )
        with suppress(KeyboardInterrupt):
            while True:
                processes.check()
                time.sleep(1)
    return 1 if differences else 0


def _row(airflow: LocalAirflow, simulator: LocalSimulator, dag_id: str) -> dict[str, Any]:
    """Return the result of a pipeline, from the log of its gate."""
    expected = EXPECTED[dag_id]
    job_ids = airflow.xcom(dag_id, RUN, expected.submit, key="job_ids")
    found = VERDICT.search(airflow.task_log(dag_id, RUN, expected.gate))
    if found is None:
        raise RuntimeError(f"the log of the gate of {dag_id} has no verdict")
    numbers = dict(pair.split(" ") for pair in found["numbers"].split(", ") if pair != "no numbers")
    polls = simulator.polls()
    [gate] = [task for task in airflow.tasks(RUN) if (task.dag_id, task.task_id) == (dag_id, expected.gate)]
    return {
        "dag_id": dag_id,
        "pipeline": _short(dag_id),
        "vendor": found["vendor"],
        "job ids": job_ids[0] if len(job_ids) == 1 else f"{len(job_ids)} jobs",
        "gate": "passed" if found["verdict"] == "accepted" else "failed",
        "items": int(numbers["total"]) if "total" in numbers else None,
        "failed": int(numbers["failed"]) if "failed" in numbers else None,
        "waited": f"{gate.seconds or 0:.0f} s",
        "polls": sum(polls[job_id] for job_id in job_ids),
        "jobs": len(job_ids),
        "reason": found["reason"],
    }


def _compare(tasks: list[Task], rows: list[dict[str, Any]]) -> list[str]:
    """Compare the results with the expected ones; return the differences."""
    differences = []
    for row in rows:
        expected = EXPECTED[row["dag_id"]]
        states = {task.task_id: task.state for task in tasks if task.dag_id == row["dag_id"]}
        differences += [
            f"{row['pipeline']}: {what} is {got!r}, not {wanted!r}"
            for what, got, wanted in (
                ("tasks", states, expected.tasks),
                ("jobs", row["jobs"], expected.jobs),
                ("items", row["items"], expected.items),
                ("failed", row["failed"], expected.failed),
            )
            if got != wanted
        ]
    return differences


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of the table."""
    columns = ("pipeline", "vendor", "job ids", "gate", "items", "failed", "waited", "polls")
    cells = [columns, *[tuple("unknown" if row[name] is None else str(row[name]) for name in columns) for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [cells[0], tuple("-" * width for width in widths), *cells[1:]]
    ]


def notes(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines below the table: what looks like a fault in it and is expected."""
    unknown = [row["pipeline"] for row in rows if row["items"] is None or row["failed"] is None]
    failed = [row["pipeline"] for row in rows if row["gate"] == "failed" and _is_to_fail(EXPECTED[row["dag_id"]])]
    about = (
        ("unknown", unknown, "the vendor does not report the number"),
        ("failed", failed, "some contacts are invalid, and the pipeline allows no failed ones"),
    )
    return [f"{word}: as expected, {reason} ({', '.join(names)})." for word, names, reason in about if names]


def _is_to_fail(expected: Expectation) -> bool:
    return expected.tasks[expected.gate] == "failed"


def _verdicts(rows: list[dict[str, Any]]) -> list[str]:
    return ["Verdicts of the gates:", *(f"  {row['pipeline']:28}{row['reason']}" for row in rows)]


def _say(text: str) -> None:
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)


def _short(dag_id: str) -> str:
    return dag_id.removeprefix("bulkjobs_")


def _coloured(state: str) -> str:
    return f"\033[{COLOURS.get(state, 37)}m{state}\033[0m" if sys.stdout.isatty() else state


if __name__ == "__main__":
    sys.exit(main())
