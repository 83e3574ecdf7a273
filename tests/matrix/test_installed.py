# SPDX-License-Identifier: Apache-2.0
"""The metadata of the installed provider. ``make matrix`` runs this with each Airflow, from the wheel."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_bulkjobs
from airflow_provider_bulkjobs.provider import get_provider_info
from airflow_provider_bulkjobs.vendors import VENDORS

AIRFLOW = Path(sys.executable).with_name("airflow")


@pytest.fixture(scope="module")
def airflow_cli(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("airflow")

    def run(*command: str) -> list[dict[str, str]]:
        done = subprocess.run(
            [AIRFLOW, *command, "--output", "json"],
            env={**os.environ, "AIRFLOW_HOME": str(home), "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout[done.stdout.index("[{") :])

    return run


@pytest.mark.skipif("PYTHONSAFEPATH" not in os.environ, reason="requires the package to be installed from its wheel")
def test_the_package_is_the_installed_one() -> None:
    assert "site-packages" in Path(airflow_provider_bulkjobs.__file__).parts


def test_airflow_lists_the_provider(airflow_cli: Any) -> None:
    [ours] = [each for each in airflow_cli("providers", "list") if each["package_name"] == "airflow-provider-bulkjobs"]
    assert ours["version"] == airflow_provider_bulkjobs.__version__
    assert ours["description"].startswith("Submit bulk contact imports")


def test_airflow_lists_the_hooks(airflow_cli: Any) -> None:
    hooks = {each["connection_type"]: each for each in airflow_cli("providers", "hooks")}
    for vendor in VENDORS:
        hook = hooks[vendor.conn_type]
        assert hook["class"].endswith(f".hooks.bulk_job.{type(vendor).__name__}Hook")
        assert hook["conn_id_attribute_name"] == "conn_id"
        assert hook["hook_name"] == vendor.label
        assert hook["package_name"] == "airflow-provider-bulkjobs"


def test_airflow_lists_the_behaviours(airflow_cli: Any) -> None:
    behaviours = {each["field_behaviours"] for each in airflow_cli("providers", "behaviours")}
    assert {each["connection-type"] for each in get_provider_info()["connection-types"]} <= behaviours
