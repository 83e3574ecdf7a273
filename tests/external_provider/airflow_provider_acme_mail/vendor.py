# SPDX-License-Identifier: Apache-2.0
"""The declaration of Acme Mail, a vendor that does not exist."""

from __future__ import annotations

from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems, listed_results
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs

DOCS_URL = "https://developers.acme-mail.example/imports"
STATES = States(
    "Acme Mail",
    DOCS_URL,
    "state",
    {
        "queued": JobState.PENDING,
        "running": JobState.RUNNING,
        "done": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "stopped": JobState.CANCELED,
    },
)
STATUS = StatusEndpoint("/v1/imports/{job_id}", STATES, counts={"total": "total", "failed": "failed"})


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit a batch of contacts."""
    request = json_request("POST", "/v1/imports", context, key="contacts")
    return (yield from submit_request("Acme Mail", request, "id"))


def cancel_import(account: Account, job_id: str) -> Flow[None]:
    """Stop an import."""
    yield Request("DELETE", f"/v1/imports/{path_segment(job_id)}")


IMPORTS = JobKind(
    "imports",
    "contact import",
    STATUS,
    cancel=cancel_import,
    operations=(Operation("import", submit_import, max_items=500, check=needs("email"), header_names=("email",)),),
    results=listed_results(STATUS, ListedItems("errors", "failed", errors=(Message("reason"),))),
    states=STATES,
)


class AcmeMail(Vendor):
    """Acme Mail."""

    conn_type = "acme_mail"
    label = "Acme Mail"
    docs_url = DOCS_URL
    default_host = "https://api.acme-mail.example"
    requests_per_second = 10.0
    fields = (
        Field("password", "API key", "In Acme Mail: Settings > API keys.", placeholder="am_xxxx", required=True),
        Field("host", "API host", "Leave empty to use Acme Mail's host.", placeholder="https://api.acme-mail.example"),
    )
    auth = HeaderKey("X-Api-Key")
    errors = Errors(messages=(Message("", "message"),))
    kinds = (IMPORTS,)
    notes = VendorDocs(permissions="The key needs the permission Imports.")

    def check(self, account: Account) -> Flow[str]:
        """Request the account of the key."""
        found = as_dict((yield Request("GET", "/v1/account")).json.get("account"))
        require_vendor_response(self, account, found.get("acme_id"))
        return f"Connected to Acme Mail as {format_identity(found.get('name'), found.get('acme_id'))}."
