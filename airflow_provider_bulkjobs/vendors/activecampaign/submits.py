# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign submits: the bulk contact importer.

https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.activecampaign.jobs import STATES
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option, Record, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, json_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs

SUBMIT_PATH = "/api/3/import/bulk_import"
ON_CONTACTS = ("exclude_automations",)  # the vendor's example sends it in each contact


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit a batch of contacts."""
    extra = {name: value for name, value in context.options.items() if name not in ON_CONTACTS}
    body = (yield json_request("POST", SUBMIT_PATH, context, key="contacts", extra=extra)).json
    return accepted_job_id(STATES.vendor, body, "batchId")


_needs_email = needs("email")


def _check_contact(record: Record) -> str | None:
    # The vendor rejects the whole batch if one contact has no valid address.
    if problem := _needs_email(record):
        return problem
    email = record["email"]
    name, _, domain = email.rpartition("@") if isinstance(email, str) else ("", "", "")
    return None if name and domain else "has no e-mail address in field 'email'"


IMPORT = Operation(
    "import",
    submit_import,
    max_items=250,
    max_bytes=399_999,
    check=_check_contact,
    header_names=("email",),
    options=(
        Option("exclude_automations", (bool,), "True: the import starts no automations"),
        Option("callback", (dict,), "your URL, called at the end of the import, with the reasons of failed contacts"),
    ),
    per_record_options=ON_CONTACTS,
)
