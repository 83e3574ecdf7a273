# SPDX-License-Identifier: Apache-2.0
"""The example DAGs parse, as Airflow parses them, and nothing has a warning for them."""

from pathlib import Path
from typing import Any

import pytest
from dag_folder import load

FOLDER = Path(__file__).parent.parent / "example_dags"
EXAMPLES = sorted(FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def dag_bag() -> Any:
    return load(FOLDER)


def test_every_example_parses(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert {f"bulkjobs_{path.stem}" for path in EXAMPLES} <= set(dag_bag.dags)
    assert len(EXAMPLES) >= 4
    assert all(dag.tasks for dag in dag_bag.dags.values())


def test_no_example_is_warned_about(dag_bag: Any) -> None:
    assert dict(dag_bag.captured_warnings) == {}
