# SPDX-License-Identifier: Apache-2.0
"""What the project says of itself in files that no code reads: it must be so."""

import importlib
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from airflow_provider_bulkjobs.provider import get_provider_info
from airflow_provider_bulkjobs.vendors import VENDORS

PROJECT = Path(__file__).parent.parent
REGISTRY = yaml.safe_load((PROJECT / ".airflow-registry.yaml").read_text())
FRAGMENTS = [path for path in (PROJECT / "changes").iterdir() if path.name != "README.md"]


@pytest.mark.parametrize("entry", [*REGISTRY["operators"], *REGISTRY["other"]], ids=lambda entry: entry["module"])
def test_what_the_registry_shows_is_there(entry: dict[str, str]) -> None:
    module, _, name = entry["module"].rpartition(".")
    assert getattr(importlib.import_module(module), name).__name__ == name
    assert entry["description"].endswith(".")


def test_the_registry_calls_the_package_as_airflow_does() -> None:
    info = get_provider_info()
    assert REGISTRY["package-name"] == info["package-name"]
    assert REGISTRY["display-name"] == info["name"]


@pytest.mark.parametrize("path", sorted((PROJECT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflows_take_actions_by_their_hash_and_no_permissions_by_default(path: Path) -> None:
    text = path.read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    of_others = [each for each in used if not each[0].startswith("./.github/")]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action, _ in of_others)
    assert all(re.fullmatch(r"  # v\d+\.\d+\.\d+", comment) for _, comment in of_others)
    assert yaml.safe_load(text)["permissions"] == {}


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_of_a_kind_that_there_is(path: Path) -> None:
    assert re.fullmatch(r"[\w-]+\.(feature|fix|change|dependency)\.md", path.name)
    assert path.read_text().strip()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_vendor_is_in_the_changelog(vendor: Any) -> None:
    texts = [path.read_text() for path in (PROJECT / "CHANGELOG.md", *FRAGMENTS)]
    assert any(f"(`{vendor.conn_type}`)" in text for text in texts)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_vendor_is_in_the_table_of_operations(vendor: Any) -> None:
    lines = (PROJECT / "docs/submitting.md").read_text().splitlines()
    rows = sum(line.startswith(f"| `{vendor.conn_type}` |") for line in lines)
    assert rows == 1, f"docs/submitting.md: {vendor.conn_type} has {rows} rows in the table of operations"


WITH_RESULTS = [pytest.param(vendor, kind, id=kind.noun) for vendor in VENDORS for kind in vendor.kinds if kind.results]


@pytest.mark.parametrize(("vendor", "kind"), WITH_RESULTS)
def test_every_kind_with_results_is_in_their_table(vendor: Any, kind: Any) -> None:
    table = (PROJECT / "docs/submitting.md").read_text().partition("## Results")[2].partition("## Cancel")[0]
    name = vendor.label.removeprefix("Twilio ")
    names = f"({re.escape(name)}|{re.escape(name.partition(' ')[0])})"
    row = re.search(rf"^\| [^|]*\b{names} (`\w+`, )*`{kind.name}`", table, re.MULTILINE)
    assert row, f"docs/submitting.md: no row of the results of {name} `{kind.name}`"


@pytest.fixture
def noxfile(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The noxfile's tables, without nox, which has an environment of its own."""
    nox = ModuleType("nox")
    plain: Any = lambda *args, **_: args[0] if args and callable(args[0]) else lambda function: function  # noqa: E731
    vars(nox).update(options=SimpleNamespace(), Session=object, param=lambda *args, **_: args)
    vars(nox).update(session=plain, parametrize=plain)
    monkeypatch.setitem(sys.modules, "nox", nox)
    return runpy.run_path(str(PROJECT / "noxfile.py"))


def test_the_documented_cells_are_the_tested_ones(noxfile: dict[str, Any]) -> None:
    rows = re.findall(
        r"^\| (\d\.\d+) \| ([\d., ]+) \| (\d[\d.]+)", (PROJECT / "docs/compatibility.md").read_text(), re.MULTILINE
    )
    documented = {airflow: (release, tuple(pythons.split(", "))) for airflow, pythons, release in rows}
    assert documented == {name: (each.version, each.pythons) for name, each in noxfile["RELEASES"].items()}


def test_the_constraints_pin_the_tested_releases(noxfile: dict[str, Any]) -> None:
    pinned = {f"airflow-{name}": each.version for name, each in noxfile["RELEASES"].items()}
    pinned["lowest"] = noxfile["LOWEST"].version
    assert {path.stem for path in (PROJECT / "constraints").iterdir()} == set(pinned)
    for name, version in pinned.items():
        lines = (PROJECT / "constraints" / f"{name}.txt").read_text().splitlines()
        assert f"apache-airflow=={version}" in lines
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "a plain list of pins"
