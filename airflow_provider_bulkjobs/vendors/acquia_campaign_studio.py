# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio (hosted Mautic): bulk contact jobs, whose success only the details tell.

https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit
https://devdocs.mautic.org/en/latest/rest_api/authentication.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from airflow_provider_bulkjobs.errors import BadConnectionError, TransientError, UnsafeAnswerError
from airflow_provider_bulkjobs.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.account import Account, Field
from airflow_provider_bulkjobs.vendors.base import (
    Conversation,
    JobKind,
    Request,
    States,
    Token,
    Vendor,
    listed,
    mapping,
    origin,
    path_segment,
)

DOCS_URL = "https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit"
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
    """Return the instance's root; people paste it with and without the API's path."""
    return (account.host or "").removesuffix("/api")


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


def job_status(account: Account, job_id: str) -> Conversation[BulkJob]:
    """Ask for a job and, once it is completed, count the outcomes in all pages of its details."""
    path = f"/api/contacts/job/{path_segment(job_id)}"
    answer = (yield Request("GET", path)).json
    state, word = STATES.read(answer)
    if not state.is_finished:
        return BulkJob(job_id, state, word)

    outcomes = {"created": 0, "updated": 0, "failed": 0}
    asked: set[str] = set()
    page: str | None = f"{path}?details=1"
    while page and page not in asked:
        if len(asked) >= MOST_PAGES:
            raise UnsafeAnswerError(f"{STATES.vendor}: the details of the job did not end after {MOST_PAGES} pages")
        asked.add(page)
        details = (yield Request("GET", page)).json.get("details") or {}
        contacts = details.get("contacts") if isinstance(details, dict) else "nothing known"
        if contacts is None and len(asked) > 1:
            break
        if not isinstance(contacts, list):
            # Nothing else tells whether the job did any good, so this must not pass for "no failures".
            raise TransientError(f"{STATES.vendor} answered {word!r} without the details that were asked for")
        for contact in contacts:
            outcomes[outcome(contact)] += 1
        # How the last page looks is documented nowhere: no next page, an empty one, or the same one again.
        following = details.get("next-page")
        page = next_page(account, following) if contacts and isinstance(following, str) and following else None

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


def cancel_job(account: Account, job_id: str) -> Conversation[None]:  # noqa: ARG001
    """Stop a job that is queued or in progress; what is already written stays written."""
    yield Request("DELETE", f"/api/contacts/job/{path_segment(job_id)}")


def fetch_token(account: Account) -> Conversation[Token]:
    """Fetch an access token with the client credentials, in the body: a query would show up in logs."""
    form = {
        "grant_type": "client_credentials",
        "client_id": account["login"],
        "client_secret": account["password"],
    }
    answer = (yield Request("POST", "/oauth/v2/token", form=form, authorized=False)).json
    token = answer.get("access_token")
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        raise TransientError(f"{STATES.vendor} answered the token request without an access token")
    return Token(token, count(answer.get("expires_in")) or 3600)


class AcquiaCampaignStudio(Vendor):
    """Acquia Campaign Studio; every customer has an instance of their own."""

    conn_type = "acquia_campaign_studio"
    label = "Acquia Campaign Studio"
    docs_url = DOCS_URL
    requests_per_second = 0.0  # a limit per hour that each instance sets, told in headers
    fields = (
        Field(
            "host",
            "Instance URL",
            "The address you log in at. The API must be switched on: Configuration > API Settings.",
            placeholder="https://yourcompany.mautic.net",
            required=True,
        ),
        Field(
            "login",
            "User name or client id",
            "basic: a Campaign Studio user. oauth2: the client id from Settings > API Credentials.",
            placeholder="api-bot",
            required=True,
        ),
        Field(
            "password",
            "Password or client secret",
            "basic: the user's password. oauth2: the client secret from Settings > API Credentials.",
            required=True,
        ),
        Field(
            "auth_type",
            "Authentication",
            "basic must be switched on under Configuration > API Settings.",
            choices=("basic", "oauth2"),
            default="basic",
        ),
    )
    kinds = (JobKind("contacts", "contact job", job_status, cancel_job),)

    def base_url(self, account: Account) -> str:
        """Return the instance's root."""
        return base_url(account)

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return user and password, or the access token."""
        if account["auth_type"] == "oauth2":
            return {"Authorization": f"Bearer {token}"}
        if ":" in account["login"]:
            raise BadConnectionError(
                f"Connection {account.conn_id!r}: the field 'login' (User name or client id) contains a colon, "
                "which basic authentication cannot carry. Use auth_type oauth2."
            )
        pair = f"{account['login']}:{account['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def sign_in(self, account: Account) -> Conversation[Token] | None:
        """Return the token request, with OAuth2."""
        return fetch_token(account) if account["auth_type"] == "oauth2" else None

    def check(self, account: Account) -> Conversation[str]:  # noqa: ARG002
        """Ask who the credentials belong to."""
        answer = yield Request("GET", "/api/users/self")
        return f"Connected to Campaign Studio as user {answer.json.get('username')!r}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the message of each error: ``errors`` in today's Mautic, ``error`` in older ones and in OAuth."""
        if isinstance(body.get("error"), str):
            return ": ".join(str(body[key]) for key in ("error", "error_description") if body.get(key))
        errors = [mapping(e) for e in (*listed(body.get("errors")), *listed(body.get("error")))]
        return "; ".join(str(error["message"]) for error in errors if error.get("message")) or None
