# SPDX-License-Identifier: Apache-2.0
"""A provider package of somebody else: installed from its wheel, found by Airflow, and tested against its simulator."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests
from external_wheel import build_wheel, install

from airflow_provider_bulkjobs._airflow import HAS_FLASK_FORMS
from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent
PACKAGE = "airflow_provider_acme_mail"
PROJECT = TESTS / "external_provider"
PAGE = (TESTS.parent / "docs/writing_a_vendor.md").read_text()
FOUND = """
import json, warnings
warnings.simplefilter("ignore")
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
provider = manager.providers["airflow-provider-acme-mail"]
hook = manager.hooks["acme_mail"]
print(json.dumps([provider.version, provider.data["name"], hook.hook_class_name, hook.hook_name]))
"""
FORM = """
import json, warnings
warnings.simplefilter("ignore")
try:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
except ImportError:
    from airflow.providers_manager import ProvidersManager
    manager = ProvidersManager()
    labels = list(manager.field_behaviours["acme_mail"]["relabeling"].values())
    prefix = "extra__acme_mail__"
    labels += [each.field.args[0] for key, each in manager.connection_form_widgets.items() if key.startswith(prefix)]
else:
    [meta] = [each for each in HookMetaService.hook_meta_data() if each.connection_type == "acme_mail"]
    form = meta.model_dump()
    labels = [each["title"] for each in form["standard_fields"].values() if each and each["title"]]
    labels += [each["schema"]["title"] for each in form["extra_fields"].values()]
print(json.dumps(labels))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the package into a folder; return the environment in which Python finds it."""
    folder = tmp_path_factory.mktemp("external")
    install(build_wheel(PROJECT, folder), folder / "site")
    paths = os.pathsep.join([str(folder / "site"), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": paths, "AIRFLOW_HOME": str(folder / "airflow")}


def python(env: Mapping[str, str], code: str) -> Any:
    """Run code; return what it prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_airflow_finds_the_package(installed: dict[str, str]) -> None:
    assert python(installed, FOUND) == ["1.0.0", "Acme Mail", f"{PACKAGE}.hook.AcmeMailHook", "Acme Mail"]


def test_airflow_shows_its_form(installed: dict[str, str]) -> None:
    if not HAS_FLASK_FORMS and version("apache-airflow").startswith("3.0."):
        pytest.importorskip("wtforms", reason="Airflow 3.0 draws no forms without it")
    assert sorted(python(installed, FORM)) == ["API host", "API key", "Requests per second"]


def test_its_tests_pass(installed: dict[str, str], tmp_path: Path) -> None:
    # A copy, so that the tests find the installed package only.
    tests = shutil.copytree(PROJECT / "tests", tmp_path / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-c", os.devnull, str(tests)]
    done = subprocess.run(command, env=installed, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


@pytest.fixture
def served(installed: dict[str, str]) -> Iterator[str]:
    """Serve the vendor from the command line; return the URL of the simulator."""
    place = f"{PACKAGE}.simulated:SimulatedAcmeMail"
    command = [sys.executable, "-m", "airflow_provider_bulkjobs.simulator", "--port", "0", "--vendor", place]
    with subprocess.Popen(command, env=installed, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        first = process.stdout.readline()
        found = re.search(r"http://\S+", first)
        yield found[0] if found else first
        process.send_signal(signal.SIGTERM)


def test_the_command_line_serves_it(served: str) -> None:
    account = requests.get(f"{served}/acme_mail/v1/account", headers={"X-Api-Key": "acme-key"}, timeout=10)
    assert account.json() == {"account": {"acme_id": "7", "name": "Example Ltd"}}


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME", json.dumps({"conn_type": "acme_mail", "password": "acme-key"}))
    with pytest.raises(BadConnectionError, match=r"'acme_mail', which has no hook that Airflow could load.*installed"):
        hook_for("acme")


def test_it_uses_public_modules_only() -> None:
    public = set(re.findall(r"`(airflow_provider_bulkjobs(?:\.\w+)+)`", PAGE))
    used = {
        node.module
        for path in PROJECT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("airflow_provider_bulkjobs")
    }
    assert {module for module in used if not module.startswith(tuple(public))} == set()


def test_the_docs_show_its_code() -> None:
    code = "\n".join(path.read_text() for path in sorted(PROJECT.rglob("*.py")))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert [block for block in blocks if block not in code] == []
    assert len(blocks) >= 4
