# SPDX-License-Identifier: Apache-2.0
"""What the package imports is what it declares: a dependency of a dependency may be gone, or another, tomorrow."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "airflow_provider_bulkjobs"
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS = METADATA["optional-dependencies"]
DECLARED = {
    re.match(r"[\w.-]+", each)[0].lower(): each
    for each in (*METADATA["dependencies"], *EXTRAS["parquet"], *EXTRAS["zstd"], *EXTRAS["redis"])
}
# What a declared distribution has, or brings along in every release that there is.
DISTRIBUTION_OF = {
    "airflow": "apache-airflow",
    "asgiref": "apache-airflow",
    "certifi": "requests",
    "cryptography": "apache-airflow",
    "jwt": "apache-airflow",
    "multidict": "aiohttp",
    "yarl": "aiohttp",
}
OPTIONAL = {"wtforms", "flask_appbuilder"}  # for the forms of an Airflow that has them


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            else:
                continue
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(file.name)
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names | {PACKAGE.name}}


def test_what_is_imported_is_declared(imported):
    undeclared = {
        module: files for module, files in imported.items() if DISTRIBUTION_OF.get(module, module) not in DECLARED
    }
    assert set(undeclared) <= OPTIONAL, undeclared


def test_what_is_declared_is_imported(imported):
    modules = {DISTRIBUTION_OF.get(module, module) for module in imported}
    assert set(DECLARED) - {"apache-airflow-providers-common-compat"} <= modules


@pytest.mark.parametrize("requirement", DECLARED.values())
def test_the_lowest_releases_are_the_tested_ones(requirement):
    name, _, lowest = requirement.partition(">=")
    [tested] = re.findall(rf"^{name}==(.*)$", (PROJECT / "constraints/lowest.txt").read_text(), re.MULTILINE)
    assert Version(lowest) == Version(tested)


def test_urllib3_can_do_what_the_driver_asks_of_it():
    # requests is content with releases whose HTTPResponse has no read1, where every answer would break.
    oldest = re.search(r">=(\d+)\.(\d+)", DECLARED["urllib3"])
    assert (int(oldest[1]), int(oldest[2])) >= (2, 2)
