# SPDX-License-Identifier: Apache-2.0
"""``make vendor``: the skeleton is a complete vendor, whose tests say what to fill in."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
COPIED = (
    "airflow_provider_bulkjobs",
    "changes",
    "docs",
    "scripts",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
    ".airflow-registry.yaml",
)
FILES = [
    *(f"airflow_provider_bulkjobs/vendors/mail_man/{name}.py" for name in ("jobs", "simulated", "submits", "vendor")),
    *(f"tests/vendors/fixtures/mail_man/contacts/{name}.json" for name in ("sample", "results", "submit/import")),
    "tests/vendors/fixtures/mail_man/vendor.json",
    "docs/vendors/mail_man.md",
    "README.md",
    "changes/mail_man.feature.md",
]


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module or script in a copy of the project."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{project / 'scripts'}", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    ignore = shutil.ignore_patterns("__pycache__", "images")
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignore)
        else:
            shutil.copy(source, copy / name)
    (copy / "tests").mkdir()
    shutil.copy(PROJECT / "tests" / "conftest.py", copy / "tests")
    shutil.copy(PROJECT / "tests" / "test_project_files.py", copy / "tests")
    shutil.copytree(PROJECT / "tests" / "vendors", copy / "tests" / "vendors", ignore=ignore)
    return copy


@pytest.fixture(scope="module")
def project(copy: Path) -> Path:
    """A copy of the project with a new vendor."""
    written = run(copy, "scripts/new_vendor.py", "mail_man", "--label", "MailMan")
    assert written.returncode == 0, written.stderr
    assert "mail_man/vendor.py" in written.stdout
    assert run(copy, "scripts/vendor_docs.py").returncode == 0
    return copy


@pytest.mark.parametrize("path", FILES)
def test_skeleton_has_what_a_vendor_needs(project: Path, path: str) -> None:
    text = (project / path).read_text()
    assert "FILL IN" in text
    assert not re.search("@(name|label|Class)@", text)


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(tool) is None, reason=f"{tool} is not installed")


@needs("ruff")
@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=" ".join)
def test_skeleton_passes_ruff(project: Path, arguments: tuple[str, ...]) -> None:
    checked = run(project, "-m", "ruff", *arguments, "airflow_provider_bulkjobs/vendors")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@needs("mypy")
def test_skeleton_passes_mypy(project: Path) -> None:
    cache = PROJECT / ".mypy_cache"
    checked = run(project, "-m", "mypy", "--cache-dir", str(cache), "-p", "airflow_provider_bulkjobs.vendors.mail_man")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_skeleton_passes_the_contract_suite_and_its_failures_say_what_to_fill_in(project: Path) -> None:
    suites = ("tests/vendors/test_contract.py", "tests/vendors/test_unfilled.py", "tests/test_project_files.py")
    tested = run(project, "-m", "pytest", "-q", "-k", "mail_man or docs_are", *suites)
    assert tested.returncode == 1
    assert "2 failed, " in tested.stdout, tested.stdout[-3000:]
    for words in (
        "MailMan is not complete. Replace what is marked:",
        "vendors/mail_man/vendor.py:46: FILL IN the host",
        "fixtures/mail_man/contacts/sample.json:2: FILL IN the page, the documented status",
        "Complete the rows of the new vendor:",
        ": FILL IN this row",
        "changes/mail_man.feature.md:1: FILL IN what is imported",
    ):
        assert words in tested.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "The name is missing. Run: make vendor NAME=mailman"),
        ("klaviyo", "airflow_provider_bulkjobs/vendors/klaviyo exists already"),
        ("toolkit", "airflow_provider_bulkjobs/vendors/toolkit exists already"),
        ("salesforce", "another Airflow provider. Use salesforce_bulk"),
        ("Mailman", "'Mailman' is not a valid name"),
        ("mail-man", "'mail-man' is not a valid name"),
        ("../mailman", "'../mailman' is not a valid name"),
        ("class", "'class' is not a valid name"),
        ("7mail", "'7mail' is not a valid name"),
        ("m" * 41, "at most 40 characters"),
    ],
)
def test_odd_name_is_rejected_and_nothing_written(copy: Path, name: str, words: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.suffix in {".py", ".json", ".md"}}
    refused = run(copy, "scripts/new_vendor.py", name)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_odd_label_is_rejected(copy: Path) -> None:
    refused = run(copy, "scripts/new_vendor.py", "another", "--label", 'Mail"man')
    assert refused.returncode == 2
    assert "is not a valid label" in refused.stderr
