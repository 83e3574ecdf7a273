# SPDX-License-Identifier: Apache-2.0
"""The vendors' pages in the docs: as the vendors declare them, and with lines that work when they are copied."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from vendor_docs import PAGES, PROJECT, render, sample, sample_connection
from vendor_index import index, with_matrix

from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
READ = """
import json, shlex, sys, warnings
warnings.simplefilter("ignore")
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow.models.connection import Connection
def read():
    accounts = {}
    for hook_class in HOOKS:
        connection = Connection.get_connection_from_secrets(hook_class.default_conn_name)
        accounts[hook_class.conn_type] = dict(hook_class().with_connection(connection).account.values)
    print(json.dumps(accounts))
"""
READ_ONCE = f"{READ}\nread()"
# One process for all commands: Airflow takes seconds to start.
RUN_AND_READ = f"""{READ}
from airflow.__main__ import main
def run(command):
    sys.argv = shlex.split(command.replace(chr(92) + chr(10), ""))
    main()
run("airflow db migrate")
for commands in json.loads(sys.stdin.read()):
    for command in commands:
        run(command)
    read()
    for hook_class in HOOKS:
        run(f"airflow connections delete {{hook_class.default_conn_name}}")
"""

with_and_without_all_fields = pytest.mark.parametrize("full", [False, True])
every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)


def page(vendor: Vendor) -> str:
    return (PAGES / f"{vendor.conn_type}.md").read_text()


def blocks(vendor: Vendor, word: str) -> list[str]:
    return [block for block in BLOCK.findall(page(vendor)) if word in block]


def after(lines: str, **variables: str) -> dict[str, str]:
    """Return the environment that lines of a shell leave behind."""
    env = {**os.environ, **variables}
    shell = ["bash", "-ec", f"{lines}\nenv -0"]
    done = subprocess.run(shell, env=env, capture_output=True, text=True, check=True, cwd=variables["AIRFLOW_HOME"])
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def python(code: str, env: Mapping[str, str], told: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        input=told,
        capture_output=True,
        text=True,
        check=False,
        cwd=env["AIRFLOW_HOME"],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(vendor: Vendor, *, full: bool) -> dict[str, Any]:
    values = {
        field.name: sample(field)
        for field in vendor.fields
        if field.required or field.name == "password" or (full and not field.is_standard)
    }
    return {field.name: values.get(field.name, field.default) for field in vendor.fields}


def shown(vendor: Vendor, word: str, *, full: bool) -> str:
    """Return the block with a word; a page shows it once or, where there are fields to leave out, twice."""
    found = blocks(vendor, word)
    assert len(found) == (1 if sample_connection(vendor) == sample_connection(vendor, full=True) else 2)
    return found[-1 if full else 0]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db"}


@every_vendor
def test_a_page_is_what_the_vendor_declares(vendor: Vendor) -> None:
    assert page(vendor) == render(vendor), "it has drifted: make docs"


def test_the_comparison_is_what_the_vendors_declare() -> None:
    assert (PAGES / "index.md").read_text() == index(), "it has drifted: make docs"


def test_the_matrix_of_the_readme_is_what_the_vendors_declare() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert readme == with_matrix(readme), "it has drifted: make docs"


def test_there_are_no_other_pages() -> None:
    assert {path.stem for path in PAGES.iterdir()} == {"index", *(vendor.conn_type for vendor in VENDORS)}


@every_vendor
def test_a_vendor_leaves_nothing_out(vendor: Vendor) -> None:
    lacking = [f"notes.{name}" for name in ("permissions", "limits", "not_reported") if not getattr(vendor.notes, name)]
    lacking += [f"states of the kind {kind.name!r}" for kind in vendor.kinds if not kind.states]
    lacking += [f"notes.reported of {kind.name!r}" for kind in vendor.kinds if kind.name not in vendor.notes.reported]
    fields = {
        "placeholder": [field for field in vendor.fields if not (field.placeholder or field.choices)],
        "where": [field for field in vendor.fields if field.is_standard and not field.where],
    }
    lacking += [f"{what} of the field {field.name!r}" for what, those in fields.items() for field in those]
    assert not lacking, f"{vendor.label} has no {', no '.join(lacking)}"


@every_vendor
@with_and_without_all_fields
def test_the_environment_variables(
    vendor: Vendor, home: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    block = shown(vendor, "export AIRFLOW_CONN", full=full)
    name = f"AIRFLOW_CONN_{vendor.conn_type.upper()}_DEFAULT"
    lines = block.splitlines()
    assert len(lines) == 2
    for line in lines:
        monkeypatch.setenv(name, after(line, **home)[name])
        assert dict(HOOK_OF[vendor.conn_type]().account.values) == expected(vendor, full=full)


@pytest.mark.slow
@with_and_without_all_fields
def test_the_secrets_backends(home: dict[str, str], *, full: bool) -> None:
    # One backend for all: each page writes the file anew.
    files = {}
    env = home
    for vendor in VENDORS:
        env = after(shown(vendor, "SECRETS__BACKEND=", full=full), **home)
        files |= json.loads((Path(home["AIRFLOW_HOME"]) / "connections.json").read_text())
    (Path(home["AIRFLOW_HOME"]) / "connections.json").write_text(json.dumps(files))
    accounts = json.loads(python(READ_ONCE, env).splitlines()[-1])
    assert accounts == {vendor.conn_type: expected(vendor, full=full) for vendor in VENDORS}


@pytest.mark.slow
def test_the_commands(home: dict[str, str]) -> None:
    ways = (False, True)
    commands = [[shown(vendor, "airflow connections add", full=full) for vendor in VENDORS] for full in ways]
    printed = python(RUN_AND_READ, {**os.environ, **home}, json.dumps(commands)).splitlines()
    accounts = [json.loads(line) for line in printed if line.startswith("{")]
    assert accounts == [{vendor.conn_type: expected(vendor, full=full) for vendor in VENDORS} for full in ways]


@every_vendor
def test_a_sample_has_every_extra_field(vendor: Vendor) -> None:
    extra = sample_connection(vendor, full=True)["extra"]
    assert isinstance(extra, dict)
    assert set(extra) == {field.name for field in vendor.fields if not field.is_standard}


@every_vendor
def test_what_is_copied_means_the_same_as_an_empty_field(vendor: Vendor) -> None:
    # A user's name with oauth2, or a region beside the account of another, would be a connection that cannot work.
    for full in (False, True):
        extra = sample_connection(vendor, full=full)["extra"]
        assert isinstance(extra, dict)
        defaults = {field.name: field.default for field in vendor.fields if field.default is not None}
        assert {**extra, **defaults} == {**defaults, **extra}
        required = {field.name for field in vendor.fields if field.required}
        assert full or set(extra) <= defaults.keys() | required
