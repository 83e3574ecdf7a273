# SPDX-License-Identifier: Apache-2.0
"""The pages say what the code does: generated pages, messages, keys of the result, and DAGs that parse."""

import ast
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import reference_pages
import yaml
from dag_folder import load
from demo import notes
from diagrams import pictures, terminal
from docs.pages import DOCS, Block, blocks

from airflow_provider_bulkjobs import exceptions, metrics
from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobCancelOperator, BulkJobOperator, BulkJobResultsOperator
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.provider import get_provider_info
from airflow_provider_bulkjobs.records import SqlRecords
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.waiting.summary import summarize

PROJECT = DOCS.parent
PACKAGE = PROJECT / "airflow_provider_bulkjobs"
GENERATED = reference_pages.pages() | pictures()
HOW_TO = sorted(path for path in (DOCS / "how-to").glob("*.md") if path.stem != "index")
DAGS = [
    pytest.param(block, id=f"{page.stem}-{block.title}")
    for page in [*HOW_TO, DOCS / "index.md", DOCS / "tutorial.md"]
    for block in blocks(page)
    if "@dag(" in block.text
]
SOURCES = {path: path.read_text() for path in sorted(PACKAGE.rglob("*.py")) if path.name != "simulated.py"}
MESSAGE = re.compile(r"^### `(.+)`$", re.MULTILINE)
MESSAGES = MESSAGE.findall((DOCS / "troubleshooting.md").read_text())
EXAMPLE = re.compile(r"^Example::\n\n((?:    .*(?:\n|$)|\n)+)", re.MULTILINE)
PUBLIC = (BulkJobOperator, BulkJobResultsOperator, BulkJobCancelOperator, BulkJobSensor, SqlRecords, BulkJobHook)


def literals(tree: ast.AST) -> list[str]:
    """Return the texts in a module, with an ellipsis for each value that is filled in."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            texts.append(node.value)
    return texts


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [text for source in SOURCES.values() for text in literals(ast.parse(source))]


def example(documented: type) -> str:
    found = EXAMPLE.search(inspect.cleandoc(documented.__doc__ or ""))
    assert found, "the docstring has no example"
    return textwrap.dedent(found[1])


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_a_generated_file_is_what_its_script_writes(path: Path) -> None:
    assert path.read_text() == GENERATED[path], "it has drifted: make docs"


def test_every_exception_that_is_not_handled_inside_has_a_remedy() -> None:
    inside = {each.name for each in reference_pages.exceptions() if not each.remedy}
    assert inside == {"TransientError", "RateLimitDelayError", "DeadlineExceededError", "JobDisappearedError"}
    for each in reference_pages.exceptions():
        assert [base.__name__ for base in getattr(exceptions, each.name).__bases__] == list(each.bases)


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_has_a_message_of_troubleshooting(message: str, texts: list[str]) -> None:
    shown = re.compile(".*".join(re.escape(part) for part in message.split("…")), re.DOTALL)
    assert any(shown.search(text) for text in texts), "no text in the code is like it"


def test_troubleshooting_names_every_exception_that_the_gate_and_a_wait_raise() -> None:
    page = (DOCS / "troubleshooting.md").read_text()
    raised = {each.name for each in reference_pages.exceptions() if "AirflowFailException" in each.bases}
    assert {name for name in raised if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("block", DAGS)
def test_a_dag_of_a_page_parses(block: Block, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(block.text)
    bag = load(tmp_path)
    assert bag.import_errors == {}
    assert dict(bag.captured_warnings) == {}
    assert bag.dags
    assert all(dag.tasks for dag in bag.dags.values())


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_a_how_to_has_complete_code(page: Path) -> None:
    assert all(block.title for block in blocks(page) if block.language == "python")
    assert any(block.language == "python" for block in blocks(page))


def test_a_picture_of_a_terminal_has_each_line_as_text() -> None:
    picture = ET.fromstring(terminal("make demo", ["vendor  gate", "", "a <b>   passed"]))
    texts = [line.text for line in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["$ make demo", "vendor  gate", None, "a <b>   passed"]


def test_the_demo_says_what_is_expected() -> None:
    row = {"dag_id": "bulkjobs_sendgrid_contacts", "pipeline": "a", "gate": "passed", "items": 1000, "failed": 30}
    acquia = {**row, "dag_id": "bulkjobs_acquia_contacts", "pipeline": "b", "gate": "failed"}
    assert notes([row, {**row, "gate": "failed"}]) == []
    unknown, failed = notes([row, acquia, {**row, "pipeline": "c", "items": None}, {**row, "failed": None}])
    assert (unknown[:8], unknown[-7:]) == ("unknown:", "(c, a).")
    assert (failed[:7], failed[-4:]) == ("failed:", "(b).")


@pytest.mark.parametrize("documented", PUBLIC, ids=lambda documented: documented.__name__)
def test_the_example_in_a_docstring_runs(documented: type) -> None:
    names: dict[str, Any] = {documented.__name__: documented}
    exec(example(documented), names)
    assert any(isinstance(value, documented) for value in names.values())


def test_the_keys_of_the_result_are_documented() -> None:
    job = BulkJob("a1b2", JobState.PARTIALLY_FAILED, "errored", total=100, failed=3)
    [block] = [block for block in blocks(DOCS / "reference/result.md") if block.language == "json"]
    shown, real = json.loads(block.text), summarize(vendor="sendgrid", conn_id="c", job_kind="contacts", jobs=[job])
    assert list(shown) == list(real)
    assert list(shown["jobs"][0]) == list(real["jobs"][0])


def test_every_metric_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    emitted = set()
    monkeypatch.setattr(metrics, "_emit", lambda how, name, *_: emitted.add(name))
    job = BulkJob("a1b2", JobState.SUCCEEDED, "completed", finished_at="2026-03-14T12:01:10+00:00")
    counted = metrics.Metrics("sendgrid", every=0)
    with metrics.in_flight("sendgrid"):
        counted.poll()
        counted.error()
        counted.waited_for_rate_limit(2)
        counted.finished(job)
    assert len(emitted) == 5
    for page in ("reference/metrics.md", "waiting.md"):
        text = (DOCS / page).read_text()
        assert {name for name in emitted if f"`bulkjobs.{name}`" not in text} == set()


def test_every_option_is_documented() -> None:
    page = (DOCS / "reference/configuration.md").read_text()
    sections = get_provider_info().get("config", {})
    names = [name for section in sections.values() for name in section["options"]]
    assert {name for name in names if f"### {name}\n" not in page} == set()


def test_every_page_is_in_the_navigation() -> None:
    nav = (PROJECT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    vendors = {path for path in DOCS.glob("vendors/*.md") if path.stem != "index"}  # a hook adds them
    pages = {str(path.relative_to(DOCS)) for path in set(DOCS.rglob("*.md")) - vendors}
    assert set(re.findall(r"[\w/-]+\.md$", nav, re.MULTILINE)) == pages | {"changelog.md"}


@pytest.mark.parametrize("path", sorted((PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem)
def test_an_issue_template_is_a_form(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert set(form) == {"blank_issues_enabled"}
        return
    assert {"name", "description", "body"} <= set(form)
    assert all(each["type"] in {"markdown", "input", "textarea"} for each in form["body"])
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids))


def test_submitting_names_the_vendors_that_can_cancel_and_that_name_invalid_records() -> None:
    page = (DOCS / "submitting.md").read_text()
    able = {
        "\n## Cancel\n": [vendor for vendor in VENDORS if any(kind.cancel for kind in vendor.kinds)],
        "\nA vendor may reject a whole request": [vendor for vendor in VENDORS if vendor.errors.invalid_items],
    }
    for begin, vendors in able.items():
        paragraph = page.partition(begin)[2].lstrip().partition("\n\n")[0]
        assert [each.label for each in vendors if not any(word in paragraph for word in each.label.split())] == []
