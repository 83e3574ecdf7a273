# SPDX-License-Identifier: Apache-2.0
"""Marketo (Adobe Marketo Engage): imports of leads, program members and custom objects.

https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/authentication
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-import
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.marketo import jobs
from airflow_provider_bulkjobs.vendors.marketo.submits import LEADS_IMPORT, MEMBERS_IMPORT, OBJECTS_IMPORT
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.operation import Operation
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import ClientCredentials
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint

# A group of its own, so that a pause of submits, because the queue of imports is full, does not delay polls.
SUBMITS = RateLimit(("/bulk/v1/",), 50, seconds=20.0, method="POST")
QUEUE_PAUSE = 120.0  # seconds; an import takes minutes


def _is_failure(body: Any) -> bool:
    """Return whether a response with status 200 is a failure; that of the token endpoint does not say."""
    return isinstance(body, dict) and (body.get("success") not in (True, None) or bool(body.get("errors")))


def _kind(name: str, noun: str, status: StatusEndpoint, ending: str, operation: Operation) -> JobKind:
    results = jobs.results_of(status, ending)
    return JobKind(
        name, noun, status, operations=(operation,), results=results, states=jobs.STATES, returns_records=True
    )


class Marketo(Vendor):
    """Marketo; each subscription has its own host."""

    conn_type = "marketo"
    label = "Marketo"
    docs_url = jobs.DOCS_URL
    requests_per_second = 2.5  # half of Marketo's limit, which all integrations of the subscription share
    fields = (
        Field(
            "host",
            "REST API host",
            "In Marketo: Admin > Integration > Web Services > REST API > Endpoint. What follows the host is cut off.",
            placeholder="https://123-abc-456.mktorest.com",
            where="Admin > Web Services > REST API",
            required=True,
        ),
        Field(
            "login",
            "Client ID",
            "In Marketo: Admin > Integration > LaunchPoint > View Details of a custom service.",
            placeholder="4e3d2c1b-0a9f-4e8d-7c6b-5a4f3e2d1c0b",
            where="Admin > LaunchPoint > View Details",
            required=True,
        ),
        Field(
            "password",
            "Client secret",
            "In Marketo: Admin > Integration > LaunchPoint > View Details of the same custom service.",
            placeholder="a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6",
            where="next to the client ID",
            required=True,
        ),
    )
    auth = ClientCredentials(endpoint="/identity/oauth/token", credentials="query")
    api_paths = ("/rest/v1", "/bulk/v1", "/identity", "/rest", "/bulk")
    errors = Errors(
        messages=(Message("errors", "code", "message"),),
        codes=("errors.code",),
        meaning={
            **dict.fromkeys(("601", "602"), 401),
            "603": 403,
            "610": 404,
            **dict.fromkeys(("606", "607", "615", "1016", "1019"), 429),  # certainly not executed
            **dict.fromkeys(("502", "604", "608", "611", "614", "713"), 503),
        },
        failed=_is_failure,
        # 606: 100 calls in 20 seconds. 607: the daily quota. 615: ten calls at once. 1016: ten imports are waiting.
        # 1019: another import into the same list.
        pauses={"606": 20.0, "607": 900.0, "615": 2.0, "1016": QUEUE_PAUSE, "1019": QUEUE_PAUSE},
    )
    throttling = Throttling(limits=(SUBMITS,))
    kinds = (
        _kind("leads", "lead import", jobs.LEADS, ".json", LEADS_IMPORT),
        _kind("program_members", "program member import", jobs.MEMBERS, "/status.json", MEMBERS_IMPORT),
        _kind("custom_objects", "custom object import", jobs.OBJECTS, "/status.json", OBJECTS_IMPORT),
    )
    notes = VendorDocs(
        reported={
            **dict.fromkeys(("leads", "program_members", "custom_objects"), Reported("yes", "yes", "no", "yes")),
        },
        retention="7 days",
        permissions="The role of the custom service's user needs read-write access to persons, and for the other job "
        "kinds to program memberships or custom objects. An allowlist of IP addresses needs that of the server. Error "
        "603 stands for either. The connection test needs the access to persons.",
        limits=(
            "100 calls in 20 seconds and ten at once, shared by all integrations; the default is half of that.",
            "50,000 calls a day with common subscriptions. After that (607), a wait polls every 15 minutes.",
            "Ten imports may be open, of which two run; whether the kinds of imports share these is unconfirmed.",
            "While the queue is full (1016) or a list in use (1019), a submit is sent every two minutes, ten times.",
            "Then the task fails with the ids of the imports that were accepted, and a retry resumes.",
            "A file is smaller than 10 MB; more records are sent as several imports.",
            "Status and results are kept for seven days; the response after that is unconfirmed: 404, or error 610.",
            "The format of program members is sent as CSV; whether csv is accepted is unconfirmed.",
            "What an empty cell does to a field is unconfirmed: give all records of an import the same fields.",
            "Error 614 (subscription unreachable or unknown) is retried; if it persists, check the host.",
        ),
        not_reported=(
            "The total: it is the sum of imported and failed rows. Without both, an import is `partially_failed`.",
            "How many leads were created and how many updated; any time; the rows that were imported.",
            "Rows with a warning as failed, such as an invalid address: they were imported; `warning` in the results.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the calls of today, for which any role will do, and an import, for which the role needs access."""
        body = (yield Request("GET", "/rest/v1/stats/usage.json")).json
        usage = value_at(body, jobs.RESULT)
        require_vendor_response(self, account, body.get("requestId") and isinstance(usage, dict))
        try:
            yield Request("GET", "/bulk/v1/leads/batch/1.json")
        except PermissionDeniedError:
            raise
        except BulkJobError:
            pass  # there need not be such an import; how Marketo says so is undocumented, also by a code of an outage
        calls = value_at(usage, "total")
        return f"Connected to Marketo at {self.base_url(account)} ({calls} API calls today)."
