# SPDX-License-Identifier: Apache-2.0
"""Generate docs/vendors, a page per vendor and their comparison, and the README's matrix, from the declarations."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from vendor_index import YES, index, limit, table, with_matrix

from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Field
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

PROJECT = Path(__file__).parent.parent
PAGES = PROJECT / "docs" / "vendors"
UNKNOWN = ("unconfirmed", "undocumented")  # the glossary has both
TEST_BUTTON = (
    "The connection test sends a few requests that change nothing. It says `Connected to …` and the account, or what "
    "is wrong, and which field or permission to check. `AIRFLOW__CORE__TEST_CONNECTION=Enabled` enables Airflow's Test "
    "button. In Airflow 2, the button tests the values in the form: to test a saved connection, enter the secret "
    'again. In Airflow 3.3.2, the button rejects connections without a port ("Bad Request"), for every provider: use '
    "the command below instead."
)


def sample(field: Field) -> str | float:
    """Return an example value of a field."""
    if field.default is not None:
        return field.default
    return field.choices[0] if field.choices else field.placeholder


def sample_connection(vendor: Vendor, *, full: bool = False) -> dict[str, object]:
    """Return an example connection; to use it, replace the values of the required fields.

    :param full: include all extra fields, also those that are usually empty.
    """
    # The password is needed with the default authentication, even if another one does without it.
    needed = (field for field in vendor.fields if field.is_standard and (field.required or field.name == "password"))
    own = {field.name: sample(field) for field in needed}
    extra = {
        field.name: sample(field)
        for field in vendor.fields
        if not field.is_standard and (full or field.required or field.choices or field.type == "number")
    }
    return {"conn_type": vendor.conn_type, **own, "extra": extra}


def uri(connection: Mapping[str, object]) -> str:
    """Return a connection as a URI."""
    login, password = quote(str(connection.get("login", "")), safe=""), quote(str(connection["password"]), safe="")
    host = str(connection.get("host", "")).removeprefix("https://")
    extra = connection["extra"]
    query = urlencode(extra if isinstance(extra, dict) else {})
    return f"{str(connection['conn_type']).replace('_', '-')}://{login}:{password}@{host}/?{query}"


def add_command(conn_id: str, connection: Mapping[str, object]) -> str:
    """Return the command that adds a connection to Airflow's database."""
    options = {f"--conn-{name.replace('_', '-')}": value for name, value in connection.items()}
    options["--conn-type"] = options.pop("--conn-conn-type")
    lines = [f"airflow connections add {conn_id}"]
    for name, value in sorted(options.items(), key=lambda option: option[0] != "--conn-type"):
        lines.append(f"    {name} {shlex.quote(value if isinstance(value, str) else json.dumps(value))}")
    return " \\\n".join(lines)


def ways(conn_id: str, connection: Mapping[str, object]) -> Iterator[str]:
    """Return all ways to configure a connection in Airflow."""
    yield from ("As an environment variable, in JSON or as a URI:", "", "```bash")
    for value in (json.dumps(connection), uri(connection)):
        yield f"export AIRFLOW_CONN_{conn_id.upper()}={shlex.quote(value)}"
    yield from ("```", "", "In Airflow's database:", "", "```bash", add_command(conn_id, connection), "```", "")
    yield "In a secrets backend, the value of the connection is the same JSON. For the local filesystem backend, one"
    yield "file holds all connections:"
    yield from ("", "```bash", f"echo {shlex.quote(json.dumps({conn_id: connection}))} > connections.json")
    yield "export AIRFLOW__SECRETS__BACKEND=airflow.secrets.local_filesystem.LocalFilesystemBackend"
    yield r'export AIRFLOW__SECRETS__BACKEND_KWARGS="{\"connections_file_path\": \"$PWD/connections.json\"}"'
    yield from ("```", "")


def every_way(vendor: Vendor) -> Iterator[str]:
    """Return the recipes with the required fields, and with all extra fields if there are more."""
    conn_id = f"{vendor.conn_type}_default"
    needed, full = sample_connection(vendor), sample_connection(vendor, full=True)
    yield from ways(conn_id, needed)
    if full != needed:
        yield from ("### With every extra field", "", "All extra fields are optional.", "", *ways(conn_id, full))


def field_row(field: Field) -> tuple[str, ...]:
    """Return the table row of a field."""
    choices = f" One of {', '.join(f'`{choice}`' for choice in field.choices)}." if field.choices else ""
    default = "required" if field.required else "" if field.default is None else f"`{field.default}`"
    example = "" if field.choices or field.type == "number" else f"`{field.placeholder}`"
    place = f"`{field.name}`" if field.is_standard else f"`extra.{field.name}`"
    return field.label, place, f"{field.help}{choices}", default, example


def kind_row(kind: JobKind) -> tuple[str, ...]:
    """Return the table row of a job kind."""
    operations = ", ".join(f"`{operation.name}`" for operation in kind.operations)
    return f"`{kind.name}`", kind.noun, operations, YES[kind.results is not None], YES[kind.cancel is not None]


def operation_row(kind: JobKind, operation: Operation) -> tuple[str, ...]:
    """Return the table row of an operation."""
    return f"`{kind.name}`", f"`{operation.name}`", limit(operation), YES[operation.idempotent]


def option_rows(vendor: Vendor) -> Iterator[tuple[str, ...]]:
    """Return the table rows of the options, each with the operations that take it."""
    several = len(vendor.kinds) > 1
    operations: dict[Option, list[str]] = {}
    for kind in vendor.kinds:
        for operation in kind.operations:
            name = f"`{kind.name}` `{operation.name}`" if several else f"`{operation.name}`"
            for option in operation.options:
                operations.setdefault(option, []).append(name)
    for option, names in operations.items():
        types = " or ".join(f"`{each.__name__}`" for each in option.types)
        choices = f"; one of {', '.join(f'`{choice}`' for choice in option.choices)}" if option.choices else ""
        yield f"`{option.name}`", ", ".join(names), types, YES[option.required], f"{option.help}{choices}"


def options(vendor: Vendor) -> Iterator[str]:
    """Return the section about the options, if there are any."""
    if rows := list(option_rows(vendor)):
        header = ("Option", "Taken by", "Type", "Required", "Description")
        yield from ("### Options", "", "They go into the argument `options`.", "", *table(header, *rows), "")


def state_rows(kinds: Iterable[JobKind]) -> Iterator[tuple[str, ...]]:
    """Return the table rows of the vendor's states and their meaning."""
    for kind in kinds:
        for word, state in kind.states.words.items() if kind.states else ():
            yield f"`{kind.name}`", f"`{word}`", f"`{state}`", "yes" if state.is_finished else "no"


def render(vendor: Vendor) -> str:
    """Return a vendor's page."""
    default_id = f"{vendor.conn_type}_default"
    rate = vendor.requests_per_second
    default_rate = f"At most {rate:g} requests per second" if rate else "No client-side limit by default"
    lines = [
        f"# {vendor.label}",
        "",
        "<!-- Generated by scripts/vendor_docs.py from the vendor's declaration: edit it, and run `make docs`. -->",
        "",
        f"Connection type `{vendor.conn_type}`, default id `{default_id}`. [Vendor documentation]({vendor.docs_url})."
        + "".join(examples(vendor)),
        "",
        "## Connection",
        "",
        *table(("Field", "Key", "Description", "Default", "Example"), *map(field_row, vendor.fields)),
        "",
        *(f"![{text}](../images/{vendor.conn_type}{part}.png)" for text, part in pictures(vendor)),
        "",
        f"**Permissions.** {vendor.notes.permissions}",
        "",
        *credentials(vendor),
        f"**Test.** {TEST_BUTTON}",
        "",
        "```bash",
        f"AIRFLOW__CORE__TEST_CONNECTION=Enabled airflow connections test {default_id}",
        "```",
        "",
        *every_way(vendor),
        "## Jobs",
        "",
        *table(
            ("`job_kind`", "Description", "`operation`", "`BulkJobResultsOperator`", "Can be canceled"),
            *map(kind_row, vendor.kinds),
        ),
        "",
        "The first job kind is the default. Operations:",
        "",
        *table(
            ("`job_kind`", "`operation`", "Maximum per request", "Retried after a lost response"),
            *(operation_row(kind, operation) for kind in vendor.kinds for operation in kind.operations),
        ),
        "",
        "[Submitting](../submitting.md#operations) has the required fields of the records.",
        "",
        *options(vendor),
        "## States",
        "",
        *table(("`job_kind`", f"{vendor.label} state", "`state`", "Finished"), *state_rows(vendor.kinds)),
        "",
        "A `succeeded` job with failed items becomes `partially_failed`. Items of a finished job that appear in no",
        "count are treated as failed. Any other state raises `UnknownStateError`.",
        "",
        "## Limits",
        "",
        f"- Finished jobs and their results can be read for: {vendor.notes.retention}.",
        f"- {default_rate} (`requests_per_second`). The vendor's rate limit headers are always followed.",
        *(f"- {limit}" for limit in vendor.notes.limits),
        "",
        f"## What {vendor.label} does not report",
        "",
        *(f"- {line}" for line in vendor.notes.not_reported),
        "",
    ]
    if found := [word for word in UNKNOWN if any(word in line for line in lines)]:
        lines += [f"What {' and '.join(found)} mean{'s' * (len(found) == 1)}: see the [glossary](../glossary.md).", ""]
    return "\n".join(lines)


def credentials(vendor: Vendor) -> Iterator[str]:
    """Return how to get the credentials, where that takes more than the form says."""
    if vendor.notes.credentials:
        yield from ("**Credentials.**", "", *(f"- {line}" for line in vendor.notes.credentials), "")


def examples(vendor: Vendor) -> Iterator[str]:
    """Return links to example DAGs of the vendor."""
    for path in sorted((PROJECT / "example_dags").glob(f"{vendor.conn_type.partition('_')[0]}*_contacts.py")):
        yield f" [Example DAG](../../example_dags/{path.name})."


def pictures(vendor: Vendor) -> Iterator[tuple[str, str]]:
    """Return the screenshots of the connection form that exist."""
    for text, part in (("The form in Airflow 3.3", ""), ("Extra fields in Airflow 3.3", "-extra")):
        if (PAGES.parent / "images" / f"{vendor.conn_type}{part}.png").exists():
            yield text, part


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for vendor in VENDORS:
        (PAGES / f"{vendor.conn_type}.md").write_text(render(vendor))
    (PAGES / "index.md").write_text(index())
    readme = PROJECT / "README.md"
    readme.write_text(with_matrix(readme.read_text()))
