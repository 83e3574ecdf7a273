# SPDX-License-Identifier: Apache-2.0
"""Customer.io submits: imports of CSV files, which Customer.io downloads from a URL.

https://docs.customer.io/integrations/api/app/ (import)
https://customer.io/docs/uploading-people
"""

from __future__ import annotations

from functools import partial

from airflow_provider_bulkjobs.vendors.customer_io.jobs import IMPORTS, STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    SubmitContext,
    SubmitFlow,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import object_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs_field_of

FILE, FOLDER = "data_file_url", "data_file_folder"
PROCESS = ("all", "only_new", "only_existing")


def submit_import(import_type: str, context: SubmitContext) -> SubmitFlow:
    """Submit the URL of a file."""
    body = {"import": {"name": "Airflow", **context.options, "type": import_type}}
    return (yield from submit_request(STATES.vendor, object_request("POST", IMPORTS, body), "import.id"))


def _identified_by(*names: str) -> Option:
    return Option("identifier", (str,), "column that identifies people", required=True, choices=names)


def _process(*choices: str) -> Option:
    return Option("data_to_process", (str,), "which people to import (default: all)", choices=choices)


COMMON = (
    Option(FILE, (str,), "instead of records: URL of a CSV file, or its path in object storage, which is signed"),
    Option(FOLDER, (str,), "folder in object storage for the records: s3://aws_default@bucket/folder"),
    Option("name", (str,), "name of the import in Customer.io (default: Airflow)"),
    Option("description", (str,), "description of the import in Customer.io"),
)
OBJECT_TYPE = Option("object_type_id", (str,), 'id of the object type: "1"', required=True)
_operation = partial(
    Operation,
    max_items=1_000_000,  # no limit is documented; max_bytes is usually reached first
    max_bytes=100_000_000,  # of an upload in the web UI; that of the API is unconfirmed
    replaces_records=FILE,
    upload_folder=FOLDER,
    is_csv=True,
)
_people = partial(_operation, check_by_options=needs_field_of("identifier"))
OPERATIONS = (
    _people(
        "import_people",
        partial(submit_import, "people"),
        options=(*COMMON, _identified_by("id", "email"), _process(*PROCESS)),
        idempotent=True,
    ),
    # Not idempotent: a repeated request tracks the events again.
    _people(
        "import_events",
        partial(submit_import, "event"),
        options=(*COMMON, _identified_by("id", "email"), _process("all", "only_existing")),
    ),
    _people(
        "import_relationships",
        partial(submit_import, "relationship"),
        options=(*COMMON, _identified_by("id", "email", "cio_id"), _process(*PROCESS)),
        idempotent=True,
    ),
    _operation(
        "import_objects",
        partial(submit_import, "object"),
        options=(*COMMON, OBJECT_TYPE, _process(*PROCESS)),
        idempotent=True,
    ),
)
