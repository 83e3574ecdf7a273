# SPDX-License-Identifier: Apache-2.0
"""What was seen of a scenario: states, XComs, the vendor's books, requests per second, leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaos.scenarios import BATCHES, IDEMPOTENT, Scenario
from leaks import leaks
from local_airflow import LocalAirflow
from local_simulator import LocalSimulator

ITEMS = 10  # of the job of a wait
IN_DOUBT = "PartialSubmitError"  # in the log of a submit that must not be retried


@dataclass
class Seen:
    """What was seen of a scenario.

    :param states: how many waits and submits ended in which state.
    :param in_doubt: the submits that failed and said that they must not be retried.
    :param unclear: failed tasks of which the log does not say so.
    :param wrong: the tasks whose XCom does not have the expected result.
    :param lost: contacts of successful submits that the vendor does not have.
    :param twice: contacts that a vendor without idempotent operation was sent more than once.
    :param requests: to the vendor.
    :param throttled: responses with status 429.
    :param fastest: the most requests within a second.
    :param too_late: the events that came after all contacts had been accepted.
    :param seconds: until all tasks had ended.
    """

    states: dict[str, Counter[str]] = field(default_factory=dict)
    in_doubt: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    sent: int = 0
    distinct: int = 0
    requests: int = 0
    throttled: int = 0
    fastest: int = 0
    too_late: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def problems(self, scenario: Scenario) -> list[str]:
        """Return what is not as expected."""
        unfinished = {
            f"{kind}: {state} {number}"
            for kind, states in self.states.items()
            for state, number in states.items()
            if state not in {"success", "failed"}
        }
        found = {
            "not ended": sorted(unfinished),
            "failed": self.unclear,
            "wrong result": self.wrong,
            "contacts lost": self.lost,
            "contacts sent twice": self.twice,
            f"in doubt (at most {scenario.max_in_doubt})": self.in_doubt[scenario.max_in_doubt :] and self.in_doubt,
            "responses with 429": self.throttled,
            "happened too late to matter": self.too_late,
        }
        return [f"{what}: {value}" for what, value in found.items() if value]

    def row(self, scenario: Scenario) -> str:
        """Return a row of the table in the docs."""

        def counts(kind: str) -> str:
            states = self.states.get(kind, Counter())
            return f"{states['success']} of {states.total()}" if states else ""

        cells = [scenario.happens, counts("wait"), counts("submit"), *map(str, (len(self.in_doubt), self.twice))]
        cells += [str(self.lost), str(self.requests), str(self.throttled), str(self.fastest), f"{self.seconds:.0f}"]
        return f"| {' | '.join(cells)} |"


HEADER = ("scenario", "waits succeeded", "submits succeeded", "in doubt", "contacts twice", "contacts lost")
HEADER += ("requests", "429", "most in a second", "seconds")


def judge(scenario: Scenario, airflow: LocalAirflow, simulator: LocalSimulator, records: Path) -> Seen:
    """Return what is known of a scenario after its end."""
    seen = Seen()
    books = simulator.state()
    has = {vendor: _stored(simulator, vendor) for vendor in scenario.submits}
    for task in airflow.tasks(scenario.name):
        if task.task_id == "job_ids":
            continue
        kind, _, rest = task.task_id.partition("_")
        seen.states.setdefault(kind, Counter())[task.state] += 1
        if task.state == "failed":
            is_known = IN_DOUBT in airflow.task_log(scenario.name, scenario.name, task.task_id)
            (seen.in_doubt if is_known else seen.unclear).append(task.task_id)
        elif task.state == "success":
            vendor = rest.partition("_")[0] if kind == "submit" else ""
            if not _is_right(airflow, scenario, task.task_id, vendor):
                seen.wrong.append(task.task_id)
            if vendor:
                seen.lost += len(set((records / f"{rest}.txt").read_text().split()) - has[vendor])
    for vendor in scenario.submits:
        contacts = books[vendor]["contacts"]
        seen.sent += contacts["total"]
        seen.distinct += contacts["distinct"]
        if vendor not in IDEMPOTENT:
            seen.twice += contacts["total"] - contacts["distinct"]
    for vendor in {"sendgrid", *scenario.submits}:
        seen.requests += books[vendor]["total_requests"]
        seen.throttled += books[vendor]["statuses"].get("429", 0)
        seen.fastest = max(seen.fastest, books[vendor]["max_per_second"])
    return seen


def leaks_in(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Return where something leaked, and the first leak there.

    :param texts: names and content.
    """
    return [f"{name}: {found[0]}" for name, text in texts if (found := leaks(text))]


def _is_right(airflow: LocalAirflow, scenario: Scenario, task_id: str, vendor: str) -> bool:
    batches, size = BATCHES.get(vendor, (1, ITEMS))
    with suppress(RuntimeError):  # it has none
        result = airflow.xcom(scenario.name, scenario.name, task_id)
        count = result["submitted"] if vendor else result["total"]
        return result["state"] == "succeeded" and count == batches * size
    return False


def _stored(simulator: LocalSimulator, vendor: str) -> set[str]:
    contacts = simulator.control("contacts", {"vendor": vendor, "contacts": []})["contacts"]
    return {contact["email"] for contact in contacts}
