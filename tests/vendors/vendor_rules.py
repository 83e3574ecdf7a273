# SPDX-License-Identifier: Apache-2.0
"""The rules for the declaration and the connection test of every vendor. Each returns the problems."""

from collections.abc import Iterator
from typing import Any

from vendors.fixture_loader import VendorSample
from vendors.generated import UNAVAILABLE, ok
from vendors.in_memory import HOST, InMemoryTransport, play
from vendors.scripted import SECRET, make_account

from airflow_provider_bulkjobs.vendors.spec.auth import Auth
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, DiscoveredHost

GARBAGE: tuple[Any, ...] = (
    *(None, 5, "x", "", {}, [], [1, None], {"message": None}, {"message": 5}, {"message": {"a": "b"}}, {"a": 1}),
    [[], {}, {"code": None, "message": None}, {"message": {"a": 1}}, {"message": ["b"]}],
)
ERROR_KEYS = ("errors", "error", "error_description", "message", "detail", "title", "failureReasons", "data", "result")
NOT_THE_VENDOR: tuple[dict[str, Any], ...] = (
    {},
    {"data": [None]},
    {"app": 5, "user": [], "scopes": "x", "data": {}, "results": {}, "username": ""},
    {"app": {"region": "EU"}, "user": {"email": "ada@example.com"}, "data": [{"id": None}]},
)


def declaration_problems(of: VendorSample) -> Iterator[str]:
    vendor = of.vendor
    fields = [field.name for field in vendor.fields]
    kinds = [kind.name for kind in vendor.kinds]
    rules = {
        "docs_url is https": vendor.docs_url.startswith("https://"),
        "conn_type is a lower-case identifier": vendor.conn_type.isidentifier() and vendor.conn_type.islower(),
        "label is given": vendor.label.strip(),
        "requests_per_second is not negative": vendor.requests_per_second >= 0,
        "kinds have unique names": kinds and len(kinds) == len(set(kinds)) and all(map(str.isidentifier, kinds)),
        "kinds have a noun": all(kind.noun.strip() for kind in vendor.kinds),
        "kinds have operations": all(kind.operations for kind in vendor.kinds),
        "kinds have results, or notes say that there are none": all(
            kind.results or "no results" in "".join(vendor.notes.not_reported) for kind in vendor.kinds
        ),
        "fields have unique names": len(fields) == len(set(fields)),
        "fields include password, host and the rate": {"password", "host", "requests_per_second"} <= set(fields),
        "fields have a label and a help text": all(each.label.strip() and each.help.strip() for each in vendor.fields),
        "defaults are choices": all(
            field.default is None or not field.choices or field.default in field.choices for field in vendor.fields
        ),
        "fields that authenticate are secret": all(
            field.is_secret for field in vendor.fields if field.name in _secret_fields(getattr(vendor, "auth", None))
        ),
    }
    for kind in vendor.kinds:
        names = [operation.name for operation in kind.operations]
        is_right = len(names) == len(set(names)) and all(map(str.isidentifier, names))
        rules[f"operations of {kind.name} have unique names"] = is_right
    yield from (f"{vendor.conn_type}: not so: {rule}" for rule, is_kept in rules.items() if not is_kept)


def _secret_fields(auth: Auth | None) -> set[str]:
    """Return the names of the fields with keys, passwords and other secrets."""
    if isinstance(auth, AuthChoice):
        return set().union(*map(_secret_fields, auth.choices.values()))
    if isinstance(auth, DiscoveredHost):
        return _secret_fields(auth.auth)
    parameters = ("field", "password", "client_secret", "refresh_token", "private_key")
    return {getattr(auth, name) for name in parameters if hasattr(auth, name)}


def account_problems(of: VendorSample) -> Iterator[str]:
    """The secret is known as one and not shown; the base URL has no slash at its end."""
    for host in ("https://vendor.example.com", "https://vendor.example.com/", "vendor.example.com"):
        account = make_account(of.vendor, host, **of.conn)
        if of.vendor.base_url(account) != "https://vendor.example.com":
            yield f"{of.vendor.conn_type}: base_url is {of.vendor.base_url(account)!r} for host {host!r}"
        if SECRET not in account.secrets or SECRET in f"{account!r} {account}":
            yield f"{of.vendor.conn_type}: the secret is not known as one, or shown: {account!r}"


def error_text_problems(of: VendorSample) -> Iterator[str]:
    """The vendor's message is read from its error body, and a malformed body is no error of its own."""
    if "refused for a test" not in (of.vendor.error_text(of.refusal("refused for a test")) or ""):
        yield f"{of.vendor.conn_type}: error_text does not read the 'refusal' of vendor.json"
    for key in ERROR_KEYS:
        for value in GARBAGE:
            text = of.vendor.error_text({key: value})
            if text is not None and not isinstance(text, str):
                yield f"{of.vendor.conn_type}: error_text({ {key: value} }) is {text!r}"


def check(of: VendorSample, *answers: Any) -> tuple[Any, InMemoryTransport]:
    transport, account = play(of, *answers)
    outcome = transport.outcome(lambda: of.vendor.check(account))
    transport.sent = transport.sent[len(of.token) :]
    return outcome, transport


def connection_test_problems(of: VendorSample) -> Iterator[str]:
    """The connection test names the account, and status 200 alone does not pass it."""
    facts, name = of.content["check"], of.vendor.conn_type
    header, value = of.credential
    outcome, transport = check(of, *facts["answers"])
    if outcome != facts["expected_message"].replace("{host}", HOST):
        yield f"{name}: connection test: {outcome!r}"
    if [path for _, path in transport.requests] != facts["expected_requests"]:
        yield f"{name}: connection test: requests {transport.requests}"
    if any(sent.headers.get(header) != value for sent in transport.sent):
        yield f"{name}: connection test: a request without credentials"
    for body in NOT_THE_VENDOR:
        outcome, _ = check(of, *[ok(body)] * 9)
        words = f"not the {of.vendor.label} API. Check the host of connection 'mine'"
        if type(outcome).__name__ != "VendorAPIError" or words not in str(outcome):
            yield f"{name}: connection test: {body}: {outcome!r}"
    failures = ((401, "{}", "AuthenticationError"), (200, "<html>", UNAVAILABLE), (503, "", UNAVAILABLE))
    for status, body, error in failures:
        outcome, _ = check(of, *[{"status": status, "body": body}] * 9)
        if type(outcome).__name__ != error:
            yield f"{name}: connection test: HTTP {status} {body!r}: {outcome!r}"


RULES = {
    rule.__name__: rule
    for rule in (declaration_problems, account_problems, error_text_problems, connection_test_problems)
}
