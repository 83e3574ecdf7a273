# SPDX-License-Identifier: Apache-2.0
"""Write the page of each vendor in docs/vendors, from what the vendor declares: it cannot drift from the code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Field
from airflow_provider_bulkjobs.vendors.spec.operation import MOST_BYTES, Operation
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

PAGES = Path(__file__).parent.parent / "docs" / "vendors"
TEST_BUTTON = (
    "`AIRFLOW__CORE__TEST_CONNECTION=Enabled` switches Airflow's Test button on. In Airflow 2 it tests what is typed: "
    "type the secret again to test a saved connection. The button of Airflow 3.3.2 refuses connections without a port, "
    'of any provider ("Bad Request"): use the command below there.'
)


def sample(field: Field) -> str | float:
    """Return a value to show."""
    if field.default is not None:
        return field.default
    return field.choices[0] if field.choices else field.placeholder


def sample_connection(vendor: Vendor, *, full: bool = False) -> dict[str, object]:
    """Return a connection that works when only the values that are needed are replaced.

    :param full: with all extra fields, also the texts that most people leave empty.
    """
    own = {field.name: sample(field) for field in vendor.fields if field.is_standard and field.required}
    extra = {
        field.name: sample(field)
        for field in vendor.fields
        if not field.is_standard and (full or field.choices or field.type == "number")
    }
    return {"conn_type": vendor.conn_type, **own, "extra": extra}


def uri(connection: Mapping[str, object]) -> str:
    """Return the same as a URI."""
    login, password = quote(str(connection.get("login", "")), safe=""), quote(str(connection["password"]), safe="")
    host = str(connection.get("host", "")).removeprefix("https://")
    extra = connection["extra"]
    query = urlencode(extra if isinstance(extra, dict) else {})
    return f"{str(connection['conn_type']).replace('_', '-')}://{login}:{password}@{host}/?{query}"


def add_command(conn_id: str, connection: Mapping[str, object]) -> str:
    """Return the command that puts it into Airflow's database."""
    options = {f"--conn-{name.replace('_', '-')}": value for name, value in connection.items()}
    options["--conn-type"] = options.pop("--conn-conn-type")
    lines = [f"airflow connections add {conn_id}"]
    for name, value in sorted(options.items(), key=lambda option: option[0] != "--conn-type"):
        lines.append(f"    {name} {shlex.quote(value if isinstance(value, str) else json.dumps(value))}")
    return " \\\n".join(lines)


def ways(conn_id: str, connection: Mapping[str, object]) -> Iterator[str]:
    """Return all the ways to tell Airflow of a connection."""
    yield from ("As an environment variable, in JSON or as a URI:", "", "```bash")
    for value in (json.dumps(connection), uri(connection)):
        yield f"export AIRFLOW_CONN_{conn_id.upper()}={shlex.quote(value)}"
    yield from ("```", "", "In Airflow's database:", "", "```bash", add_command(conn_id, connection), "```", "")
    yield "In a secrets backend, the value of the connection is the same JSON. With the one that reads files, where one"
    yield "file has all connections, and an absolute path finds it from everywhere:"
    yield from ("", "```bash", f"echo {shlex.quote(json.dumps({conn_id: connection}))} > connections.json")
    yield "export AIRFLOW__SECRETS__BACKEND=airflow.secrets.local_filesystem.LocalFilesystemBackend"
    yield 'export AIRFLOW__SECRETS__BACKEND_KWARGS=\'{"connections_file_path": "connections.json"}\''
    yield from ("```", "")


def every_way(vendor: Vendor) -> Iterator[str]:
    """Return the ways with what is needed, and with all extra fields where these are more."""
    conn_id = f"{vendor.conn_type}_default"
    needed, full = sample_connection(vendor), sample_connection(vendor, full=True)
    yield from ways(conn_id, needed)
    if full != needed:
        yield from ("### With every extra field", "", "Each of them may be left out.", "", *ways(conn_id, full))


def table(*rows: Iterable[str]) -> Iterator[str]:
    """Return a table; the first row is its head."""
    for number, row in enumerate(rows):
        cells = [cell.replace("|", "\\|") for cell in row]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield f"|{'---|' * len(cells)}"


def field_row(field: Field) -> tuple[str, ...]:
    """Return a field as a row."""
    choices = f" One of {', '.join(f'`{choice}`' for choice in field.choices)}." if field.choices else ""
    default = "required" if field.required else "" if field.default is None else f"`{field.default}`"
    example = "" if field.choices or field.type == "number" else f"`{field.placeholder}`"
    place = f"`{field.name}`" if field.is_standard else f"`extra.{field.name}`"
    return field.label, place, f"{field.help}{choices}", default, example


def kind_row(kind: JobKind) -> tuple[str, ...]:
    """Return a job kind as a row."""
    yes = {True: "yes", False: "no"}
    operations = ", ".join(f"`{operation.name}`" for operation in kind.operations)
    return f"`{kind.name}`", kind.noun, operations, yes[kind.results is not None], yes[kind.cancel is not None]


def operation_row(kind: JobKind, operation: Operation) -> tuple[str, ...]:
    """Return what can be submitted as a row."""
    items = f"{operation.max_items:,} records" if operation.max_items else "no records"
    most = "" if operation.max_bytes == MOST_BYTES else f", {operation.max_bytes:,} bytes"
    most += f", {operation.max_item_bytes:,} bytes each" if operation.max_item_bytes else ""
    rate = f"; {operation.requests_per_minute:g} a minute" if operation.requests_per_minute else ""
    options = ", ".join(f"`{option.name}`" for option in operation.options)
    again = "yes" if operation.idempotent else "no"
    return f"`{kind.name}`", f"`{operation.name}`", f"{items}{most}{rate}", options, again


def state_rows(kinds: Iterable[JobKind]) -> Iterator[tuple[str, ...]]:
    """Return the vendor's words and ours as rows."""
    for kind in kinds:
        for word, state in kind.states.words.items() if kind.states else ():
            yield f"`{kind.name}`", f"`{word}`", f"`{state}`", "yes" if state.is_finished else "no"


def render(vendor: Vendor) -> str:
    """Return a vendor's page."""
    default_id = f"{vendor.conn_type}_default"
    rate = vendor.requests_per_second
    kept = f"At most {rate:g} requests a second are sent, by each process" if rate else "No rate is kept to by default"
    lines = [
        f"# {vendor.label}",
        "",
        "<!-- Written by scripts/vendor_docs.py from what the vendor declares: change that, and run `make docs`. -->",
        "",
        f"Connection type `{vendor.conn_type}`, default id `{default_id}`. [The vendor's own docs]({vendor.docs_url})",
        "",
        "## The connection",
        "",
        *table(
            ("Field", "Key", "What it is, and where to find it", "Default", "Example"), *map(field_row, vendor.fields)
        ),
        "",
        *(f"![{text}](../images/{vendor.conn_type}{part}.png)" for text, part in pictures(vendor)),
        "",
        f"**Permissions.** {vendor.notes.permissions}",
        "",
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
            ("`job_kind`", "What it is", "`operation`", "`BulkJobResultsOperator`", "Can be stopped"),
            *map(kind_row, vendor.kinds),
        ),
        "",
        "The first kind is the default. What can be submitted:",
        "",
        *table(
            ("`job_kind`", "`operation`", "A request takes at most", "`options`", "Sent again after a lost answer"),
            *(operation_row(kind, operation) for kind in vendor.kinds for operation in kind.operations),
        ),
        "",
        "## States",
        "",
        *table(("`job_kind`", f"{vendor.label} says", "`state`", "Ended"), *state_rows(vendor.kinds)),
        "",
        "A `succeeded` job with failed items is `partially_failed`; items that are counted nowhere have failed.",
        "Any other word is an error.",
        "",
        "## Limits",
        "",
        f"- {kept} (`requests_per_second`); what the vendor's headers ask for is obeyed in any case.",
        *(f"- {limit}" for limit in vendor.notes.limits),
        "",
        f"## What {vendor.label} does not tell",
        "",
        *(f"- {line}" for line in vendor.notes.not_reported),
        "",
    ]
    return "\n".join(lines)


def pictures(vendor: Vendor) -> Iterator[tuple[str, str]]:
    """Return the pictures of the form that there are."""
    for text, part in (("The form in Airflow 3.3", ""), ("Its extra fields", "-extra")):
        if (PAGES.parent / "images" / f"{vendor.conn_type}{part}.png").exists():
            yield text, part


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for vendor in VENDORS:
        (PAGES / f"{vendor.conn_type}.md").write_text(render(vendor))
