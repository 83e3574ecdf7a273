# SPDX-License-Identifier: Apache-2.0
"""Omnisend submits: contacts are created, or updated by their identifiers; a batch has up to 100.

https://api-docs.omnisend.com/reference/post_batches
https://api-docs.omnisend.com/reference/post_contacts
"""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.omnisend import contacts
from airflow_provider_bulkjobs.vendors.omnisend.jobs import BATCHES, STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import objects

ENVELOPE = {"method": "POST", "endpoint": "contacts"}


def submit_batch(context: SubmitContext) -> SubmitFlow:
    """Start a batch."""
    request = json_request("POST", BATCHES, context, key="items", extra=ENVELOPE)
    return (yield from submit_request(STATES.vendor, request, "batchID"))


def _import(name: str, *, welcome: bool) -> Operation:
    return Operation(
        name,
        submit_batch,
        max_items=100,  # the limit in bytes is not documented
        check=every(contacts.check_identity(welcome=welcome), objects(contacts.PROPERTIES), contacts.check_fields),
        header_names=tuple(contacts.CHANNELS),
        options=(
            Option(
                "status",
                (str,),
                "status of the channels, for records without their own; 'subscribed' needs the contacts' consent",
                choices=contacts.STATUSES,
            ),
        ),
        per_record_options=("status",),
        encode=lambda record: encode_json(contacts.to_contact(record, welcome=welcome)),
        # Omnisend updates contacts that exist. But a second batch could send the welcome message a second time.
        idempotent=not welcome,
    )


CONTACTS = (_import("import", welcome=False), _import("import_with_welcome", welcome=True))
