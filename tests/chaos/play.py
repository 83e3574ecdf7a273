# SPDX-License-Identifier: Apache-2.0
"""Play the scenarios of one part on a stack, all at the same time."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError

from chaos.judge import ITEMS, Seen, judge
from chaos.scenarios import BATCHES, Event, Progress, Scenario
from chaos.stack import Stack

PATIENCE = 420.0  # seconds for one part
POLLS = {"first_polls": 1, "polls": 4}  # after four, a wait that started on a worker is in the triggerer


class Play:
    """One scenario being played.

    :param folder: for its records.
    """

    def __init__(self, scenario: Scenario, stack: Stack, folder: Path) -> None:
        self.scenario = scenario
        self.seen: Seen | None = None
        self._stack = stack
        self._folder = folder
        self._simulator, self._relay = stack.vendor_of(scenario)
        self._events = list(scenario.events)
        self._too_late: list[str] = []
        self._began = self._last_event = time.monotonic()

    def start(self) -> None:
        """Write the records, create the jobs, and start the run."""
        self._folder.mkdir(parents=True)
        for vendor, number_of_submits in self.scenario.submits.items():
            batches, size = BATCHES[vendor]
            for number in range(number_of_submits):
                name = f"{vendor}_{number}"
                people = [f"{self.scenario.name}-{name}-{n}@example.com" for n in range(batches * size)]
                (self._folder / f"{name}.txt").write_text("\n".join(people))
                lines = "".join(json.dumps({"email": person}) + "\n" for person in people)
                (self._folder / f"{name}.jsonl").write_text(lines)
        states = ["pending"] * self.scenario.polls + ["completed"]
        jobs = {
            f"job_{number}": self._simulator.job("sendgrid", states, items=ITEMS)
            for number in range(self.scenario.waits)
        }
        self._waits = set(jobs.values())
        conf = {"jobs": jobs, "records": str(self._folder)}
        self._stack.airflow.trigger(self.scenario.name, self.scenario.name, conf)
        self._began = self._last_event = time.monotonic()

    def step(self) -> None:
        """Do what is due, and judge the run when it is over."""
        while self._events and self._is_due(self._events[0]):
            event = self._events.pop(0)
            if event.action == "relay":
                self._relay.set_mode(event.target)
            else:
                self._stack.act(event)
            self._last_event = time.monotonic()
            print(f"{self.scenario.name}: {event.action} {event.target} after {self._seconds:.0f} s", flush=True)
        if self.seen is None and not self._events and self._stack.airflow.is_over(self.scenario.name):
            self.finish()

    def finish(self) -> None:
        """Judge the run as it is."""
        seconds = self._seconds
        self.seen = judge(self.scenario, self._stack.airflow, self._simulator, self._folder)
        self.seen.seconds = seconds
        self.seen.too_late = self._too_late
        print(f"{self.scenario.name}: over after {seconds:.0f} s", flush=True)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _is_due(self, event: Event) -> bool:
        if time.monotonic() - self._last_event < event.after:
            return False
        if event.progress is None:
            return True
        what, share = event.progress
        reached = self._progress(what)
        if reached == 1 and what != "polls":
            self._too_late.append(f"{event.action} {event.target}")
        return reached >= share

    def _progress(self, what: Progress) -> float:
        """Return what the vendor has seen, as a share."""
        state = self._simulator.state()
        if what in POLLS:
            jobs = [job for job in state["sendgrid"]["jobs"] if job["job_id"] in self._waits]
            return sum(job["polls"] >= POLLS[what] for job in jobs) / len(jobs)
        return sum(state[vendor]["contacts"]["total"] for vendor in self.scenario.submits) / self.scenario.contacts


def play(scenarios: list[Scenario], stack: Stack, folder: Path) -> tuple[dict[str, Seen], str]:
    """Play scenarios at the same time.

    :return: what was seen of each, by name, and the content of Airflow's database in the middle.
    """
    plays = [Play(scenario, stack, folder / scenario.name) for scenario in scenarios]
    for each in plays:
        each.start()
    until = time.monotonic() + PATIENCE
    dump = ""
    while any(each.seen is None for each in plays) and time.monotonic() < until:
        stack.processes.check()
        for each in plays:
            each.step()
        if not dump and time.monotonic() > until - PATIENCE + 20:
            with suppress(CalledProcessError):  # the database is away
                dump = stack.dump()
        time.sleep(0.3)
    for each in plays:
        if each.seen is None:
            each.finish()
    return {each.scenario.name: each.seen for each in plays if each.seen}, dump
