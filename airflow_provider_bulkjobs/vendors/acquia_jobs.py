# SPDX-License-Identifier: Apache-2.0
"""Acquia's jobs: how they stand, how each contact fared, what can be submitted, and how one is stopped.

https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from airflow_provider_bulkjobs.errors import TransientError, UnsafeAnswerError
from airflow_provider_bulkjobs.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Conversation, Request, States, listed, mapping, origin, path_segment
from airflow_provider_bulkjobs.vendors.operation import (
    Operation,
    Option,
    Order,
    Record,
    SubmitConversation,
    accepted_id,
    every,
    identifies_if_given,
    json_request,
    needs,
)
from airflow_provider_bulkjobs.vendors.outcome import Outcome, ResultsConversation, ask_more, finished_word
from airflow_provider_bulkjobs.vendors.values import is_blank, shown_fields

DOCS_URL = "https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit"
MOST_CONTACTS = 10_000  # in a job
ALIAS = re.compile(r"[a-z][a-z0-9_]*")
CAMEL_CASE = frozenset({"ipAddress", "lastActive", "overwriteWithBlank"})
NOT_CONTACT_FIELDS = CAMEL_CASE | {"id", "tags", "owner"}  # with nothing else, a contact is blank
CONTACT_ALIASES = ("email", "firstname", "lastname", "company", "phone", "mobile")
MOST_PAGES = 10_000  # 10,000 contacts a job: one a page is the smallest page there can be

STATES = States(
    "Acquia Campaign Studio",
    DOCS_URL,
    "status",
    {
        "queued": JobState.PENDING,
        "in_progress": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,  # or partial, or nothing but failures: the details tell
    },
)


def base_url(account: Account) -> str:
    """Return the instance's root; people paste it with and without the API's path, or that of a page."""
    return account.host_without("/s/dashboard", "/s/login", "/s", "/api") or ""


def next_page(account: Account, page: str) -> str:
    """Return the path of the next page of details, from the relative address in ``next-page``.

    :raises UnsafeAnswerError: it leads to another host, which must not get our credentials.
    """
    base = base_url(account)
    url = urljoin(f"{base}/", page)
    here, there = urlsplit(base), urlsplit(url)
    if origin(url) != origin(base):
        raise UnsafeAnswerError("the vendor's next page of details is on another host; it was not asked")
    path = there.path
    if path.startswith(f"{here.path}/"):
        path = path[len(here.path) :]
    # Encoded already, but for what a sloppy server leaves in; both drivers must send the same.
    return quote(f"{path}?{there.query}" if there.query else path, safe="/?%&=+,;:@!$'()*~")


class Pages:
    """The pages of a completed job's details. How many there are, and how the last one looks, is documented nowhere."""

    def __init__(self, account: Account, job_id: str) -> None:
        self._account = account
        self._next: str | None = f"/api/contacts/job/{path_segment(job_id)}?details=1"
        self._asked: set[str] = set()

    @property
    def has_next(self) -> bool:
        """Whether there is a page that was not asked for: the last one may name none, an empty one, or itself."""
        return self._next is not None and self._next not in self._asked

    def ask(self) -> Conversation[list[Any]]:
        """Ask for the next page; return its contacts."""
        if len(self._asked) >= MOST_PAGES:
            raise UnsafeAnswerError(f"{STATES.vendor}: the details of the job did not end after {MOST_PAGES} pages")
        page = self._next or ""
        self._asked.add(page)
        self._next = None
        details = (yield from ask_more(STATES.vendor, page)).get("details") or {}
        contacts = details.get("contacts") if isinstance(details, dict) else "nothing known"
        if contacts is None and len(self._asked) > 1:
            return []
        if not isinstance(contacts, list):
            # Nothing else tells whether the job did any good, so this must not pass for "no failures".
            raise TransientError(f"{STATES.vendor} answered 'completed' without the details that were asked for")
        following = details.get("next-page")
        if contacts and isinstance(following, str) and following:
            self._next = next_page(self._account, following)
        return contacts


def job_status(account: Account, job_id: str) -> Conversation[BulkJob]:
    """Ask for a job and, once it is completed, count the outcomes in all pages of its details."""
    path = f"/api/contacts/job/{path_segment(job_id)}"
    answer = (yield Request("GET", path)).json
    state, word = STATES.read(answer)
    if not state.is_finished:
        return BulkJob(job_id, state, word)

    outcomes = {"created": 0, "updated": 0, "failed": 0}
    pages = Pages(account, job_id)
    while pages.has_next:
        for contact in (yield from pages.ask()):
            outcomes[outcome(contact)] += 1

    total = sum(outcomes.values())
    failed = outcomes["failed"]
    return BulkJob(
        job_id,
        JobState.PARTIALLY_FAILED if failed else state,
        word,
        total=total,
        succeeded=total - failed,
        failed=failed,
        created=outcomes["created"],
        updated=outcomes["updated"],
    )


def outcome(contact: Any) -> str:
    """Return how one contact fared; anything but a clear success is a failure."""
    status = count(mapping(contact).get("statusCode"))
    if status == 201:
        return "created"
    return "updated" if status is not None and 200 <= status < 300 else "failed"


def job_results(account: Account, job_id: str) -> ResultsConversation:
    """Tell how each contact fared, page by page; an error comes in the vendor's words."""
    answer = yield Request("GET", f"/api/contacts/job/{path_segment(job_id)}")
    finished_word(STATES, answer.json)
    pages = Pages(account, job_id)
    while pages.has_next:
        contacts = yield from pages.ask()
        yield [Outcome(outcome(one), _words(mapping(one).get("errors")), mapping(one)) for one in contacts]


def _words(errors: Any) -> str | None:
    words = [str(mapping(error)["message"]) for error in listed(errors) if mapping(error).get("message")]
    return "; ".join(words) or None


def cancel_job(account: Account, job_id: str) -> Conversation[None]:  # noqa: ARG001
    """Stop a job that is queued or in progress; what is already written stays written."""
    yield Request("DELETE", f"/api/contacts/job/{path_segment(job_id)}")


def submit(method: str, path: str, order: Order) -> SubmitConversation:
    """Queue contacts; the body is the bare list of them."""
    answer = yield json_request(method, path, order)
    return accepted_id(STATES.vendor, answer.json, "id")


def _check_aliases(record: Record) -> str | None:
    # Mautic ignores a name that is no alias, and makes a blank contact of what is left.
    wrong = [name for name in record if not ALIAS.fullmatch(name) and name not in CAMEL_CASE]
    if not wrong:
        return None
    # Other names may be people, where a file has no header.
    known = [name for name in wrong if name.lower() in {*CONTACT_ALIASES, *NOT_CONTACT_FIELDS}]
    what = f"{shown_fields(known, 'and')}, which" if known else "a field whose name"
    return f"has {what} is no alias of a contact field: aliases have lower-case letters, digits and underscores"


def _check_contact(record: Record) -> str | None:
    has_value = any(not is_blank(value) for name, value in record.items() if name not in NOT_CONTACT_FIELDS)
    return None if has_value else "has no value in any contact field, such as 'email' or 'lastname'"


_operation = partial(
    Operation,
    most_items=MOST_CONTACTS,
    options=(Option("overwriteWithBlank", (bool,), "True lets empty values clear fields"),),
    option_on_records=("overwriteWithBlank",),
    option_for_blanks="overwriteWithBlank",
)
OPERATIONS = (
    # Updates a contact with the same address, and doubles one without an address.
    _operation(
        "create",
        partial(submit, "POST", "/api/contacts/bulk/new"),
        check=every(_check_aliases, _check_contact, identifies_if_given("email")),
        header_names=CONTACT_ALIASES,
    ),
    _operation(
        "edit",
        partial(submit, "PATCH", "/api/contacts/bulk/edit"),
        check=every(needs("id"), _check_aliases),
        header_names=("id",),
        repeatable=True,
    ),
    # Clears the fields that a record leaves out, and creates a contact where the id is unknown.
    _operation(
        "replace",
        partial(submit, "PUT", "/api/contacts/bulk/edit"),
        check=every(needs("id"), _check_aliases),
        header_names=("id",),
    ),
)
