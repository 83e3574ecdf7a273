# SPDX-License-Identifier: Apache-2.0
"""Operations to submit, and the fakes around them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from face.modes import fire

from airflow_provider_bulkjobs._airflow import (
    TaskDeferred,
)
from airflow_provider_bulkjobs.links import PAGE_KEY
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

SIMULATED = {"acquia_campaign_studio": "acquia"}


def person(number):
    return {"email": f"person-{number}@example.com"}


def mailjet_person(number):
    return {"Email": f"person-{number}@example.com"}


def contact(number):
    return {"contact_id": f"{number:036}"}


def eloqua_contact(number):
    return {"C_EmailAddress": f"person-{number}@example.com"}


def zoho_contact(number):
    return {"Email": f"person-{number}@example.com", "Last_Name": f"Person {number}"}


def known(number):
    return {"id": f"{number:036}"}


def member(number):
    return {"email_address": f"person-{number}@example.com"}


def company(number):
    return {"company_id": f"c-{number}", "name": "Example"}


def vehicle(number):
    return {"vin": f"{number:017}"}


def crm_contact(number):
    return {"CRM_Key__c": f"c-{number}", "Email": f"person-{number}@example.com"}


def crm_id(number):
    return {"Id": f"{number:018}"}


def address(number):
    return {"email": f"known-{number}@example.com"}


def ticket(number):
    return {"ticket_type_id": "1", "contacts": [{"id": str(number)}]}


def organization(number):
    return {"name": f"Example {number}"}


def membership(number):
    return {"user_id": number, "organization_id": 1}


def conversation(number):
    text = {"value": f"Question {number}"}
    return {"subject": "Hello", "comment": text, "comments": [text]}


LISTS = {"list_ids": ["04fe9a97-a579-43c5-bb1a-58ed29bf0a6a"]}


class Case(NamedTuple):
    """An operation, and as many records as make three requests, unless ``requests`` says otherwise.

    :param options: the options that the operation requires.
    :param job_id: the job id, with {} in place of the simulator's, if it has more than that.
    """

    vendor: str
    kind: str
    operation: str
    record: Callable[[int], dict[str, Any]]
    number: int
    idempotent: bool
    requests: int = 3
    options: dict[str, Any] | None = None
    job_id: str = "{}"

    def arguments(self, number: int | None = None) -> dict[str, Any]:
        records = [self.record(n) for n in range(1, (self.number if number is None else number) + 1)]
        options = {"options": self.options} if self.options else {}
        return {"job_kind": self.kind, "operation": self.operation, "records": records, **options}

    def job_ids(self, sim: Any) -> list[str]:
        """Return the ids of all jobs of the vendor."""
        return [self.job_id.format(job["job_id"]) for job in sim.state()[self.vendor]["jobs"]]


AUDIENCE, NEW_MEMBERS = {"list_id": "57afe96172"}, {"status_if_new": "subscribed"}
VIP = {"tags": ["vip"]}

IN_PIECES = (
    Case("intercom", "contacts", "create", person, 250, idempotent=False),
    Case("intercom", "contacts", "update", known, 250, idempotent=True),
    Case("intercom", "contacts", "delete", known, 250, idempotent=False),
    Case("intercom", "companies", "upsert", company, 250, idempotent=True),
    Case("intercom", "companies", "update", known, 250, idempotent=True),
    Case("intercom", "companies", "delete", known, 250, idempotent=False),
    Case("intercom", "job", "enqueue", ticket, 3, idempotent=False),
    Case("sendgrid", "contacts", "upsert", person, 60_001, idempotent=True),
    Case("sendgrid", "contacts", "delete", known, 250, idempotent=False),
    Case("activecampaign", "contacts", "import", person, 600, idempotent=False),
    Case("acquia", "contacts", "create", person, 20_001, idempotent=False),
    Case("acquia", "contacts", "edit", known, 20_001, idempotent=True),
    Case("acquia", "contacts", "replace", known, 20_001, idempotent=False),
    Case("klaviyo", "profiles", "import", person, 20_001, idempotent=True),
    Case("mailjet", "contacts", "manage", mailjet_person, 10_001, idempotent=False),
    Case("mailchimp", "contacts", "upsert", member, 2_001, idempotent=True, options=AUDIENCE | NEW_MEMBERS),
    Case("zendesk_bulk", "users", "upsert", person, 250, idempotent=True),
    Case("zendesk_bulk", "users", "create", person, 250, idempotent=False),
    Case("zendesk_bulk", "tickets", "create", conversation, 250, idempotent=False),
    Case("omnisend", "contacts", "import", person, 250, idempotent=True),
)


# A million rows are one file. SendGrid opens an import before its file is uploaded, Mailjet starts it after that.
CSV = Case("sendgrid", "contacts", "import_csv", person, 250, idempotent=True, requests=2)
FOLDER = {"data_file_folder": "memory://people"}
IN_ONE_FILE = (
    CSV,
    Case("hubspot", "import", "upsert", person, 250, idempotent=False, requests=1),
    Case("hubspot", "import", "create", person, 250, idempotent=False, requests=1),
    Case("hubspot", "import", "update", person, 250, idempotent=False, requests=1),
    Case("brevo", "contacts", "import", person, 250, idempotent=False, requests=1),
    Case("mailjet", "csv_import", "import", person, 250, idempotent=False, requests=2, options={"ContactsListID": 57}),
    Case("marketo", "leads", "import", person, 250, idempotent=False, requests=1),
    Case(
        *("marketo", "program_members", "import", person, 250),
        idempotent=False,
        requests=1,
        options={"programId": 1044, "programMemberStatus": "On List"},
    ),
    Case(
        *("marketo", "custom_objects", "import", vehicle, 250),
        idempotent=False,
        requests=1,
        options={"apiName": "vehicle_c"},
        job_id="vehicle_c:{}",
    ),
    Case("mailchimp", "contacts", "tag", member, 250, idempotent=False, requests=1, options=AUDIENCE | VIP),
    Case("mailchimp", "contacts", "archive", member, 250, idempotent=False, requests=1, options=AUDIENCE),
    *(  # the requests: create, upload, close
        Case("salesforce_bulk", "ingest", operation, record, 250, idempotent, 3, {"object": "Contact", **options})
        for operation, record, idempotent, options in (
            ("upsert", crm_contact, True, {"externalIdFieldName": "CRM_Key__c"}),
            ("insert", crm_contact, False, {}),
            ("update", crm_id, True, {}),
            ("delete", crm_id, True, {}),
            ("hard_delete", crm_id, True, {}),
        )
    ),
    Case("dotdigital", "contacts", "import", person, 250, idempotent=False, requests=1),
    Case("dotdigital", "deletions", "delete", address, 250, idempotent=False, requests=1),
    Case("getresponse", "contacts", "import", person, 250, idempotent=False, requests=1, options={"campaignId": "z5c"}),
    *(  # the requests: to the storage (see bucket.py), and to the vendor
        Case("customer_io", "import", f"import_{name}", person, 250, name != "events", 2, {key: value, **FOLDER})
        for name, key, value in (
            ("people", "identifier", "email"),
            ("events", "identifier", "email"),
            ("relationships", "identifier", "email"),
            ("objects", "object_type_id", "1"),
        )
    ),
    Case("constant_contact", "contacts", "import", person, 250, idempotent=False, requests=1, options=LISTS),
    Case("constant_contact", "activities", "delete", contact, 250, idempotent=False, requests=1),
    *(
        Case("constant_contact", "activities", name, contact, 250, idempotent=False, requests=1, options=LISTS)
        for name in ("add_list_memberships", "remove_list_memberships")
    ),
    # The requests: define, stage, sync.
    Case("eloqua", "contacts", "import", eloqua_contact, 250, idempotent=True, requests=3),
    # The requests: stage, upload, start.
    Case("shopify", "customers", "upsert", person, 250, idempotent=True, requests=3),
    Case("shopify", "customers", "create", person, 250, idempotent=False, requests=3),
    *(  # the requests: upload, create
        Case("zoho_crm", "bulk_write", operation, record, 250, False, 2, {"module": "Contacts", **options})
        for operation, record, options in (
            ("upsert", zoho_contact, {"find_by": "Email"}),
            ("insert", zoho_contact, {}),
            ("update", known, {"find_by": "id"}),
        )
    ),
)


# In the same way as another operation of the vendor.
IN_THE_SAME_WAY = (
    Case("omnisend", "contacts", "import_with_welcome", person, 250, idempotent=False),
    Case("zendesk_bulk", "users", "update", known, 250, idempotent=True),
    Case("zendesk_bulk", "users", "delete", known, 250, idempotent=False),
    Case("zendesk_bulk", "organizations", "create", organization, 250, idempotent=False),
    Case("zendesk_bulk", "organizations", "update", known, 250, idempotent=True),
    Case("zendesk_bulk", "organizations", "delete", known, 250, idempotent=False),
    Case("zendesk_bulk", "organization_memberships", "create", membership, 250, idempotent=False),
    Case("zendesk_bulk", "organization_memberships", "delete", known, 250, idempotent=False),
    Case("zendesk_bulk", "tickets", "import", conversation, 250, idempotent=False),
    Case("zendesk_bulk", "tickets", "update", known, 250, idempotent=False),
    Case("zendesk_bulk", "tickets", "delete", known, 250, idempotent=False),
)


WITH_RECORDS = (*IN_PIECES, *IN_ONE_FILE, *IN_THE_SAME_WAY)


EXPORTS = {
    ("intercom", "export", "export"): {"created_at_after": 1, "created_at_before": 2},
    ("sendgrid", "export", "export"): {"file_type": "json"},
}


IMPORT, CREATE, UPSERT = (
    next(case for case in IN_PIECES if (case.vendor, case.operation) == wanted)
    for wanted in (("activecampaign", "import"), ("acquia", "create"), ("sendgrid", "upsert"))
)


def cases(which):
    return pytest.mark.parametrize("case", which, ids=lambda case: "-".join(case[:3]))


every_case = cases(WITH_RECORDS)


def _chosen(*names):
    return cases([case for case in WITH_RECORDS if case[:3] in names])


# The rules of a submit are the same for all vendors, so one operation of each kind is enough: a job that further
# requests are appended to, a job per request, and a request that may be repeated.
in_pieces = _chosen(
    ("intercom", "contacts", "create"), ("activecampaign", "contacts", "import"), ("zendesk_bulk", "users", "upsert")
)


once_only = _chosen(("intercom", "contacts", "create"), ("activecampaign", "contacts", "import"))
# A request that was appended to an open job is found there: see test_submit_found.py.
not_found = _chosen(("activecampaign", "contacts", "import"), ("acquia", "contacts", "create"))


idempotent = _chosen(("intercom", "contacts", "update"), ("zendesk_bulk", "users", "upsert"))


both_modes = pytest.mark.parametrize("mode", ["poke", "deferrable"])


every_flag = pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])


lost_answers = pytest.mark.parametrize("fault", ["reset", "half_body", "not_json", "slow", "server_error"])


class TaskInstance:
    """As much of a task instance as a submit asks for.

    :param on_id: called when the first job id is there, which is after the first request and before the second.
    """

    def __init__(self, on_id: Callable[[], Any] = lambda: None) -> None:
        self.on_id = on_id
        self.pushed: list[list[str]] = []
        self.page: str | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        if key == PAGE_KEY:
            self.page = value
            return
        if key == "return_value":
            return
        assert key == "job_ids"
        self.pushed.append(json.loads(json.dumps(value)))
        if value and not any(self.pushed[:-1]):
            self.on_id()


class Store:
    """As much of the task's state as Airflow keeps from 3.3 on: JSON, by key.

    :param dies: the worker dies when this is to be noted down.
    """

    def __init__(self, dies: Callable[[Any], bool] = lambda _value: False) -> None:
        self.dies = dies
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        assert retention == timedelta.max, "it must not expire before the wait ends"
        if self.dies(value):
            raise WorkerDiedError
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class WorkerDiedError(BaseException):
    """What no code of the worker survives."""


def make(mode="poke", **arguments):
    arguments = {"task_id": "import", "poke_interval": 0.05, "timeout": 20, **arguments}
    return BulkJobOperator(deferrable=mode == "deferrable", **arguments)


def run(mode="poke", context=None, **arguments):
    """Return what the operator returns; raise what it raises."""
    context = {} if context is None else context
    try:
        return make(mode, **arguments).execute(context)
    except TaskDeferred as deferred:
        event = fire(deferred.trigger)
        kwargs = json.loads(json.dumps(deferred.kwargs))
        # Another worker resumes the task: it has only the arguments and the kwargs.
        return getattr(make(mode, **arguments), deferred.method_name)(context, event, **kwargs)


def submit(context=None, **arguments):
    return run(context=context, wait_for_completion=False, **arguments)


def sent(sim, vendor):
    """Return the requests that change something; a token request does not."""
    return [each for each in sim.requests(vendor) if each.method != "GET" and "/oauth" not in each.path_qs]


def books(sim, vendor):
    return sim.state()[vendor]["contacts"]


def create_known(sim, case, number):
    """Create what the records of a case refer to."""
    records = [
        {**each, "id": each["contact_id"]} if "contact_id" in each else each
        for each in case.arguments(number)["records"]
    ]
    known_ones = [each for record in records for each in record.get("contacts", [record])]
    known_ones = [{"id": each["Id"]} if "Id" in each else each for each in known_ones]
    known_ones = [
        each
        for each in known_ones
        if "id" in each or case.operation in {"update", "tag", "archive"} or case.record is address
    ]
    sim.contacts(case.vendor, known_ones, kind=case.kind if case.kind in sim.state()[case.vendor]["stored"] else None)


def each_once(number):
    return {"total": number, "distinct": number}
