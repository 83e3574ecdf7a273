# SPDX-License-Identifier: Apache-2.0
"""The scenarios as data: what runs, what happens to it and when, and what is expected.

Each scenario has a DAG, a simulated vendor and a relay of its own. Scenarios of the same part run at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Action = Literal["kill", "stop", "start", "freeze", "resume", "relay"]
Progress = Literal["first_polls", "polls", "accepted"]

# Requests per submit and contacts per request. Only SendGrid's operation is idempotent.
BATCHES = {"activecampaign": (6, 250), "intercom": (6, 100), "sendgrid": (1, 500)}
IDEMPOTENT = ("sendgrid",)


class Event(NamedTuple):
    """What happens, as soon as both conditions hold.

    :param action: "kill" like a power failure, after which the keeper restarts it, and "stop", after which it does not;
        "start", "freeze", "resume"; "relay": change its mode.
    :param target: components of Airflow, "postgres" or "redis"; of "relay", the mode.
    :param after: seconds since the event before, or since the start.
    :param progress: what the vendor has seen, as a share: of all waits, those that were polled once, or four times; of
        all contacts, those that were accepted.
    """

    action: Action
    target: str
    after: float = 0.0
    progress: tuple[Progress, float] | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    :param name: also the name of its DAG.
    :param happens: for people.
    :param waits: the number of waits.
    :param submits: the number of submits of each vendor.
    :param polls: the number of polls until the job of a wait has finished.
    :param poll_interval: of the waits, in seconds.
    :param worker_starts: whether every second wait starts on a worker, and not where Airflow can start it.
    :param submit_retries: of each submit.
    :param retry_delay: of each submit, in seconds.
    :param limit: requests per second that the vendor allows, and that the connection is set to.
    :param max_in_doubt: submits that are not idempotent and may end without knowing the outcome of one request.
    :param part: scenarios with the same number run at the same time.
    :param is_short: whether it belongs to the short set.
    :param releases: the Airflow releases that it is for.
    """

    name: str
    happens: str
    events: tuple[Event, ...]
    waits: int = 0
    submits: dict[str, int] = field(default_factory=dict)
    polls: int = 12
    poll_interval: float = 2.0
    worker_starts: bool = True
    submit_retries: int = 1
    retry_delay: float = 1.0
    limit: int | None = None
    max_in_doubt: int = 0
    part: int = 1
    is_short: bool = False
    releases: tuple[str, ...] = ("3.3",)

    @property
    def number_of_submits(self) -> int:
        return sum(self.submits.values())

    @property
    def contacts(self) -> int:
        """The number of contacts of all submits."""
        return sum(number * BATCHES[vendor][0] * BATCHES[vendor][1] for vendor, number in self.submits.items())

    def as_json(self) -> dict[str, Any]:
        """Return what its DAG needs."""
        names = ("name", "waits", "submits", "poll_interval", "worker_starts", "submit_retries", "retry_delay")
        return {name: getattr(self, name) for name in names}


SUBMITS = {"activecampaign": 4, "intercom": 2, "sendgrid": 2}
DURING_WAITS: tuple[Progress, float] = ("polls", 0.9)
DURING_SUBMITS: tuple[Progress, float] = ("accepted", 0.25)
SLOW = Event("relay", "delay")  # responses of a second, so that faults meet requests in flight


def _outage(target: str, seconds: float, progress: tuple[Progress, float]) -> tuple[Event, ...]:
    return Event("stop", target, progress=progress), Event("start", target, after=seconds)


def _bad_vendor(mode: str, seconds: float, progress: tuple[Progress, float]) -> tuple[Event, ...]:
    return Event("relay", mode, progress=progress), Event("relay", "pass", after=seconds)


SCENARIOS = (
    Scenario(
        "triggerers_killed",
        "both triggerers are killed in waits",
        (Event("kill", "triggerer triggerer-2", progress=DURING_WAITS),),
        waits=8,
        is_short=True,
    ),
    Scenario(
        "triggerers_killed_at_start",
        "both triggerers are killed while most waits have started there and were not polled yet",
        (Event("kill", "triggerer triggerer-2", progress=("first_polls", 0.2)),),
        waits=12,
        polls=4,
        poll_interval=15,
        worker_starts=False,
        part=8,
    ),
    Scenario(
        "worker_killed",
        "the Celery worker and all its tasks are killed in submits",
        (SLOW, Event("kill", "worker", progress=DURING_SUBMITS)),
        submits=SUBMITS,
        max_in_doubt=6,  # a request in flight is in doubt
        is_short=True,
    ),
    Scenario(
        "shared_rate",
        "two triggerers and the worker share an account of 5 requests per second",
        (),
        waits=10,
        submits={"sendgrid": 2},
        polls=20,
        poll_interval=1,
        limit=5,
        is_short=True,
    ),
    Scenario(
        "postgres_away_in_waits",
        "PostgreSQL is away for 30 s in waits",
        (),  # of the next scenario, which runs at the same time
        waits=8,
        polls=20,
        part=2,
        is_short=True,
    ),
    Scenario(
        "postgres_away_in_submits",
        "PostgreSQL is away for 30 s in submits",
        (SLOW, *_outage("postgres", 30, DURING_SUBMITS)),
        submits=SUBMITS,
        part=2,
        is_short=True,
    ),
    Scenario(
        "api_server_away",
        "the API server is away for 30 s in waits and submits",
        (SLOW, *_outage("api-server", 30, DURING_SUBMITS)),
        waits=8,
        submits=SUBMITS,
        polls=15,
        part=3,
    ),
    Scenario(
        "redis_away",
        "Redis is away for 20 s in waits and submits",
        (SLOW, *_outage("redis", 20, DURING_SUBMITS)),
        retry_delay=30,  # longer than the outage: a task that cannot be put into the queue fails its try
        waits=8,
        submits=SUBMITS,
        polls=15,
        part=4,
    ),
    Scenario(
        "worker_frozen",
        "the worker and its tasks stand still for two minutes in submits, and are given up meanwhile",
        (
            SLOW,
            Event("freeze", "worker", progress=DURING_SUBMITS),
            Event("resume", "worker", after=120),
        ),
        submits=SUBMITS,
        max_in_doubt=6,
        part=5,
    ),
    Scenario(
        "schedulers_killed",
        "both schedulers are killed in submits",
        (SLOW, Event("kill", "scheduler scheduler-2", progress=DURING_SUBMITS)),
        submits=SUBMITS,
        part=6,
    ),
    Scenario(
        "vendor_down",
        "the vendor refuses connections for three minutes in waits",
        _bad_vendor("refuse", 180, DURING_WAITS),
        waits=12,
        polls=30,
        part=6,
    ),
    Scenario(
        "vendor_hangs",
        "the vendor hangs for a minute in waits and submits",
        _bad_vendor("hang", 60, DURING_SUBMITS),
        waits=8,
        submits=SUBMITS,
        polls=30,
        max_in_doubt=6,  # no response within 30 s
        part=7,
    ),
    Scenario(
        "vendor_cuts",
        "connections to the vendor are cut before each response for 30 s in waits and submits",
        _bad_vendor("cut", 30, DURING_SUBMITS),
        waits=8,
        submits=SUBMITS,
        polls=30,
        max_in_doubt=6,
        part=7,
    ),
    Scenario(
        "scheduler_and_tasks_killed",
        "the schedulers are killed with their tasks (LocalExecutor) in submits without retries",
        (SLOW, Event("kill", "scheduler scheduler-2", progress=DURING_SUBMITS)),
        submits={"activecampaign": 4, "intercom": 2},
        submit_retries=0,
        max_in_doubt=6,
        releases=("2.11", "3.2"),
    ),
)
