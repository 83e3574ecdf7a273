# SPDX-License-Identifier: Apache-2.0
"""One stack for all scenarios, in .chaos/ of the checkout.

``CHAOS_SHORT=1`` selects the short set, ``CHAOS_ONLY`` scenarios by name.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.judge import HEADER, Seen, leaks_in
from chaos.play import play
from chaos.scenarios import SCENARIOS, Scenario
from chaos.stack import RELEASE, Stack, missing, running_stack
from processes import Processes, tail_on_failure

HOME = Path(__file__).parent.parent.parent / ".chaos" / RELEASE
ONLY = os.environ.get("CHAOS_ONLY", "").split()
SELECTED = [
    each
    for each in SCENARIOS
    if RELEASE in each.releases
    and (each.is_short or not os.environ.get("CHAOS_SHORT"))
    and (not ONLY or each.name in ONLY)
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        metafunc.parametrize("scenario", SELECTED, ids=[each.name for each in SELECTED], scope="session")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    if why := missing() or ("" if SELECTED else f"no scenario for Airflow {RELEASE} is selected"):
        pytest.skip(why)
    shutil.rmtree(HOME, ignore_errors=True)
    with Processes(HOME) as processes, tail_on_failure(processes), running_stack(HOME, SELECTED, processes) as stack:
        yield stack


class Outcomes:
    """What was seen of all scenarios; each part is played once, when the first of its scenarios is judged."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.seen: dict[str, Seen] = {}
        self.dumps: dict[str, str] = {}
        self._played: set[int] = set()

    def of(self, scenario: Scenario) -> Seen:
        if scenario.part not in self._played:
            self._played.add(scenario.part)
            part = [each for each in SELECTED if each.part == scenario.part]
            seen, dump = play(part, self.stack, HOME / "records")
            self.seen |= seen
            self.dumps[f"the database in part {scenario.part}"] = dump
        return self.seen[scenario.name]

    def leaks(self) -> list[str]:
        """Return the leaks in the database and in all logs of Airflow."""
        own = [path for path in HOME.glob("*.log") if not path.stem.startswith("simulator")]
        logs = [*own, *(HOME / "logs").rglob("*.log")]
        texts = {str(path): path.read_text(errors="replace") for path in logs}
        texts |= self.dumps | {"the database at the end": self.stack.dump()}
        texts |= {"PostgreSQL's log": self.stack.postgres.log.read_text(errors="replace")}
        assert all(texts[name] for name in self.dumps)
        return leaks_in(texts.items())

    def table(self) -> str:
        columns = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|"]
        return "\n".join([*columns, *(self.seen[each.name].row(each) for each in SELECTED if each.name in self.seen)])


@pytest.fixture(scope="session")
def outcomes(stack: Stack) -> Iterator[Outcomes]:
    outcomes = Outcomes(stack)
    yield outcomes
    (HOME / "table.md").write_text(outcomes.table() + "\n")
