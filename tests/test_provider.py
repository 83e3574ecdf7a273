# SPDX-License-Identifier: Apache-2.0
"""The provider metadata, and the cost of importing the package."""

import importlib
import importlib.util
import json
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs._airflow import HAS_FLASK_FORMS, BaseHook, BaseOperatorLink
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS, BulkJobHook, hook_for
from airflow_provider_bulkjobs.hooks.connection_form import form_behaviour, form_fields, help_of
from airflow_provider_bulkjobs.provider import get_provider_info
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid

PROJECT = Path(__file__).parent.parent
INFO = get_provider_info()
CONNECTION_TYPES = {each["connection-type"]: each for each in INFO["connection-types"]}
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}


def airflow_schema(name: str) -> dict[str, Any]:
    spec = importlib.util.find_spec("airflow")
    assert spec
    assert spec.submodule_search_locations
    for folder in spec.submodule_search_locations:
        if (file := Path(folder) / name).exists():
            schema: dict[str, Any] = json.loads(file.read_text())
            return schema
    pytest.fail(f"this Airflow has no {name}")


def in_fresh_python(code: str) -> Any:
    """Run code in an interpreter of its own; return what it prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_metadata_keep_airflows_schema() -> None:
    jsonschema.validate(INFO, airflow_schema("provider_info.schema.json"))
    assert json.loads(json.dumps(INFO)) == INFO


def test_airflow_finds_the_provider() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert INFO["package-name"] == project["name"]
    path = project["entry-points"]["apache_airflow_provider"]["provider_info"]
    module, _, function = path.partition(":")
    assert getattr(importlib.import_module(module), function) is get_provider_info


def dotted_paths() -> Iterator[str]:
    for key in ("hooks", "sensors", "triggers"):
        for each in INFO[key]:
            yield from each["python-modules"]
    for each in INFO["connection-types"]:
        yield each["hook-class-name"]
    yield from INFO["extra-links"]


@pytest.mark.parametrize("path", sorted(set(dotted_paths())))
def test_every_path_leads_somewhere(path: str) -> None:
    module, _, name = path.rpartition(".")
    if name[0].isupper():
        assert issubclass(getattr(importlib.import_module(module), name), BaseHook | BaseOperatorLink)
    else:
        assert importlib.import_module(path).__name__ == path


def test_every_integration_is_declared() -> None:
    declared = {each["integration-name"] for each in INFO["integrations"]}
    assert declared == {vendor.label for vendor in VENDORS}
    assert {each["integration-name"] for key in ("hooks", "sensors", "triggers") for each in INFO[key]} == declared


def test_the_metadata_need_no_airflow() -> None:
    metadata = in_fresh_python(
        """
        import json, sys

        class NoAirflow:
            def find_spec(self, name, *_):
                if name.partition(".")[0] == "airflow":
                    raise ImportError(f"{name} must not be imported")

        sys.meta_path.insert(0, NoAirflow())
        from airflow_provider_bulkjobs.provider import get_provider_info
        print(json.dumps(get_provider_info()))
        """
    )
    assert metadata == INFO


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_a_hook_class_agrees_with_the_metadata(conn_type: str) -> None:
    hook_class, metadata = HOOK_OF[conn_type], CONNECTION_TYPES[conn_type]
    assert metadata["hook-class-name"] == f"{hook_class.__module__}.{hook_class.__qualname__}"
    assert getattr(importlib.import_module(hook_class.__module__), hook_class.__name__) is hook_class
    assert metadata["hook-name"] == hook_class.hook_name
    # Airflow looks for them in the class itself.
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= set(hook_class.__dict__)
    assert hook_class.conn_name_attr == "conn_id"
    assert hook_class.default_conn_name == f"{conn_type}_default"


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_both_forms_have_the_same_fields(conn_type: str) -> None:
    pytest.importorskip("wtforms")  # Airflow 3.3 has it no more, and reads the metadata
    widgets = HOOK_OF[conn_type].get_connection_form_widgets()
    fields = CONNECTION_TYPES[conn_type]["conn-fields"]
    assert list(widgets) == list(fields)
    for name, widget in widgets.items():
        label, description = widget.args[0], widget.kwargs["description"]
        assert (label, description) == (fields[name]["label"], fields[name]["description"])
        schema = fields[name]["schema"]
        default, choices = schema.get("default"), schema.get("enum", [])
        assert [list(v.values) for v in widget.kwargs["validators"] if hasattr(v, "values")] == (
            [choices] if choices else []
        )
        rendered_by = getattr(widget.kwargs["widget"], "__name__", "")
        assert (rendered_by == "render") == (HAS_FLASK_FORMS and bool(choices))
        assert default is None or widget.kwargs["default"] == str(default)


@pytest.mark.parametrize("conn_type", CONNECTION_TYPES)
def test_both_forms_behave_the_same(conn_type: str) -> None:
    behaviour = HOOK_OF[conn_type].get_ui_field_behaviour()
    metadata = dict(CONNECTION_TYPES[conn_type]["ui-field-behaviour"])
    hidden = [name for name in metadata.pop("hidden-fields") if not (HAS_FLASK_FORMS and name == "extra")]
    assert behaviour == {"hidden_fields": hidden, **metadata}
    jsonschema.validate(behaviour, airflow_schema("customized_form_field_behaviours.schema.json"))


SHOWN = """
import json, warnings
warnings.simplefilter("ignore")
shown = {}
try:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
except ImportError:
    from airflow.providers_manager import ProvidersManager
    for conn_type, how in ProvidersManager().field_behaviours.items():
        hints = how.get("placeholders", {})
        shown[conn_type] = {name: [label, hints.get(name), []] for name, label in how["relabeling"].items()}
    for key, info in ProvidersManager().connection_form_widgets.items():
        _, conn_type, name = key.split("__", 2)
        field = info.field.kwargs
        choices = [choice for each in field.get("validators", []) for choice in getattr(each, "values", [])]
        shown.setdefault(conn_type, {})[name] = [info.field.args[0], field.get("description"), choices]
else:
    for meta in HookMetaService.hook_meta_data():
        form = meta.model_dump()
        standard = {name: field for name, field in (form["standard_fields"] or {}).items() if field and field["title"]}
        shown[form["connection_type"]] = {
            **{name: [field["title"], field["placeholder"], []] for name, field in standard.items()},
            **{
                name: [field["schema"]["title"], field["description"], field["schema"].get("enum") or []]
                for name, field in (form["extra_fields"] or {}).items()
            },
        }
print(json.dumps(shown, default=str))
"""


@pytest.mark.slow
def test_airflow_itself_shows_the_declared_forms() -> None:
    if not HAS_FLASK_FORMS and version("apache-airflow").startswith("3.0."):
        pytest.importorskip("wtforms", reason="Airflow 3.0 draws no forms without it")
    shown = in_fresh_python(SHOWN)
    for vendor in VENDORS:
        hints = form_behaviour(vendor.fields)["placeholders"]
        assert shown[vendor.conn_type] == {
            field.name: [field.label, hints.get(field.name) if field.is_standard else help_of(field), [*field.choices]]
            for field in vendor.fields
        }


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_each_field_is_in_the_form_once(vendor: Any) -> None:
    behaviour, extra = form_behaviour(vendor.fields), form_fields(vendor.fields)
    shown = {"host", "login", "password", "port", "schema", "extra"} - set(behaviour["hidden_fields"])
    assert shown | set(extra) == {field.name for field in vendor.fields}
    assert shown == set(behaviour["relabeling"])
    assert not shown & set(extra)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_each_text_has_an_example(vendor: Any) -> None:
    hints, extra = form_behaviour(vendor.fields)["placeholders"], form_fields(vendor.fields)
    texts = [field for field in vendor.fields if field.type == "string" and not field.choices]
    assert set(hints) == {field.name for field in texts}
    for field in texts:
        assert hints[field.name].startswith(field.placeholder)
    for name in {field.name for field in texts if field.default is None} & set(extra):
        assert extra[name]["description"].endswith(f"Example: {hints[name]}")


HEAVY = ("requests", "aiohttp", "pendulum", "wtforms", "flask_appbuilder")


def modules_after(*imports: str) -> set[str]:
    return set(
        in_fresh_python(f"""
        import importlib, json, sys, warnings
        warnings.simplefilter("ignore")
        for name in {imports!r}:
            importlib.import_module(name)
        print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
        """)
    )


@pytest.mark.slow
def test_importing_the_sensor_hook_and_trigger_costs_no_more_than_their_base_classes() -> None:
    package = "airflow_provider_bulkjobs"
    base = ("airflow.triggers.base", "airflow.providers.common.compat.sdk")
    own = modules_after(*(f"{package}.{name}.bulk_job" for name in ("sensors", "hooks", "triggers")))
    with_attributes = set(
        in_fresh_python(f"""
        import importlib, json, sys, warnings
        warnings.simplefilter("ignore")
        for name in {base!r}:
            importlib.import_module(name)
        from airflow.providers.common.compat.sdk import (
            AirflowFailException, BaseHook, BaseSensorOperator, Connection, PokeReturnValue, TaskDeferred, conf,
        )
        print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
        """)
    )
    assert own <= with_attributes


# A vendor from another package.


class Mailman(SendGrid):
    """A vendor that another package brings, which happens to speak like SendGrid."""

    conn_type = "mailman"
    label = "Mailman"


class MailmanHook(BulkJobHook):
    vendor = Mailman()


@pytest.fixture
def mailman(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(job_seconds=0) as sim:
        values = {"conn_type": "mailman", "host": sim.url_of("sendgrid"), "password": simulator.SENDGRID_KEY}
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(values))
        yield sim


def test_a_hook_of_another_package_has_everything() -> None:
    assert (MailmanHook.conn_type, MailmanHook.hook_name) == ("mailman", "Mailman")
    assert MailmanHook().conn_id == "mailman_default"
    assert "relabeling" in MailmanHook.get_ui_field_behaviour()
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= set(MailmanHook.__dict__)


def test_a_hook_of_another_package_is_found(mailman: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection_class = type(BaseHook.get_connection("mine"))
    monkeypatch.setattr(connection_class, "get_hook", lambda self, **_: MailmanHook(self.conn_id))
    hook = hook_for("mine")
    assert type(hook) is MailmanHook
    job = hook.get_job(mailman.job("sendgrid", states=["completed"], items=3))
    hook.transport.close()
    assert job.state.is_finished
    assert job.total == 3


async def test_a_hook_of_another_package_waits_without_holding_the_loop(mailman: Simulator) -> None:
    job = await MailmanHook("mine").aget_job(mailman.job("sendgrid", states=["completed"], items=3))
    assert job.total == 3
