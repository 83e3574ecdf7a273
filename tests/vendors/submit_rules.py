# SPDX-License-Identifier: Apache-2.0
"""The rules for every submit operation. Each yields the problems that it finds."""

import json
from collections.abc import Iterator
from typing import Any

from vendors.fixture_loader import JOB_ID, LEAK, PRIVATE, Answer
from vendors.generated import ODD_BODIES, STATUSES, UNAVAILABLE, ok, throttled
from vendors.in_memory import HOST, QUICK, InMemoryTransport, play
from vendors.scripted import SECRET, make_account
from vendors.submit_cases import Case, steps

from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.operation import MAX_BYTES

VALUE = "s3cret-cell"  # the values of records in the fixtures
UNKNOWN = "UnknownOutcomeError"
NO_ID: tuple[Any, ...] = (
    *(None, "", " ", False, True, [], {}, [JOB_ID], {"id": JOB_ID}, 1.5, "null", "..", "a\nb", "x" * 513),
)
# The request was sent, and nobody knows whether it was executed.
LOST: dict[str, Answer] = {
    "reset": {"breaks": "reset"},
    "timeout": {"breaks": "no response in time"},
    **{str(status): {"status": status, "body": {}} for status in (408, 500, 502, 503, 504)},
    "502 page": {"status": 502, "body": "<html>Bad gateway</html>"},
    "no id": ok({"status": "pending"}),
    **{f"body {name}": {"status": 202, "body": body} for name, body in ODD_BODIES.items()},
}


def send(case: Case, *answers: Answer, open_job: str | None = None, **conn: Any) -> tuple[Any, InMemoryTransport]:
    """Send the submit of a case as the operator would; return the id of the job, or the error."""
    transport, account = play(case.sample.of, *answers, **conn)
    context = case.context(account, open_job)
    outcome = transport.outcome(lambda: steps(case, context), policy=QUICK)
    transport.sent = transport.sent[len(case.sample.of.token) :]
    return outcome, transport


def submitted_id(case: Case) -> str:
    """Return the id of the job in the responses to the submit."""
    return case.sample.id_with(JOB_ID)


def with_job_id(one: Answer, job_id: Any) -> Answer:
    """Return a response with another job id, at any depth, also at the end of a URI."""

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replaced(each) for name, each in value.items()}
        if isinstance(value, list):
            return [replaced(each) for each in value]
        if isinstance(value, str) and value.endswith(f"/{JOB_ID}"):
            return f"{value.removesuffix(JOB_ID)}{job_id}"
        return job_id if value == JOB_ID else value

    return {**one, "body": replaced(one["body"])}


def limit_problems(case: Case) -> Iterator[str]:
    """Compare the declared limits with the documented ones."""
    operation, limits = case.operation, case.limits
    group = case.vendor.rate_limit_of(Request(case.submit.method, case.submit.path))
    declared = {
        "items": operation.max_items,
        "size": operation.max_bytes,
        "item_size": operation.max_item_bytes,
        "idempotent": operation.idempotent,
        "supports_append": operation.supports_append,
        "per_minute": group.requests * 60 / group.seconds if group else 0,
    }
    for name, value in declared.items():
        documented = getattr(limits, name)
        # If the vendor documents no limit, a request must still fit into memory.
        is_right = (
            value == documented if documented is not None else value > 0 and (name != "size" or value <= MAX_BYTES)
        )
        if not is_right:
            yield f"{case}: {name} is {value} in the declaration, {documented} in the documentation"
    names = [option.name for option in operation.options]
    if len(names) != len(set(names)) or not all(option.help.strip() and option.types for option in operation.options):
        yield f"{case}: options need unique names, a help text and types"
    if not {*operation.per_record_options, *filter(None, [operation.replaces_records])} <= set(names):
        yield f"{case}: options for records that are not declared"


def request_problems(case: Case) -> Iterator[str]:
    """The documented request, and nothing else, with the credentials in one header."""
    submit, of = case.submit, case.sample.of
    outcome, transport = send(case, *submit.answers)
    if outcome != submitted_id(case) or transport.answers:
        yield f"{case}: {outcome!r}, and {len(transport.answers)} responses not requested"
    sent = transport.sent[0]
    text = sent.body.decode(errors="replace")
    header, credential = of.credential
    actual = {
        "request": (sent.method, sent.path),
        "body": json.loads(text) if text and submit.content_type.endswith("json") else text or None,
        "content type": sent.headers.get("content-type"),
        "accept": sent.headers["accept"],
        "credentials": sent.headers.get(header),
        "carriers of the secret": [name for name, each in sent.headers.items() if SECRET in each and name != header],
        "headers": {name: sent.headers.get(name) for name in submit.headers},
    }
    expected = {
        "request": (submit.method, submit.path),
        "body": submit.body,
        "content type": submit.content_type if text else None,
        "accept": of.accept,
        "credentials": credential,
        "carriers of the secret": [],
        "headers": submit.headers,
    }
    for name, value in expected.items():
        if actual[name] != value:
            yield f"{case}: {name}: {value!r} expected, got {actual[name]!r}"
    if SECRET in sent.path + text:
        yield f"{case}: the secret is in the path or in the body"
    context = case.context(make_account(case.vendor, HOST, **of.conn))
    if "ada@example.com" in repr(next(case.operation.submit(context))) or SECRET in repr(context):
        yield f"{case}: the repr of the request has the records, or that of the context the secret"


def record_problems(case: Case) -> Iterator[str]:
    """A record that the documentation excludes is rejected by field names, without values; others are accepted."""
    check, refused = case.operation.check, case.content.get("refused", ())
    for each in refused:
        problem = check(each["record"])
        if not problem or any(f"'{name}'" not in problem for name in each["fields"]) or VALUE in problem:
            yield f"{case}: {each}: {problem!r}"
    for record in (*case.submit.records, *case.content.get("accepted", ())):
        if (problem := check(record)) is not None:
            yield f"{case}: {record} is rejected: {problem}"
    if case.operation.max_items and bool(refused) is bool(case.content.get("unchecked")):
        yield f"{case}: give either 'refused' records or \"unchecked\": true"


def id_problems(case: Case) -> Iterator[str]:
    """The id of the accepted job is text or a whole number; a response without one is unusable."""
    outcome, _ = send(case, *(with_job_id(one, 20) for one in case.submit.answers))
    if outcome != case.sample.id_with("20"):
        yield f"{case}: job id 20: {outcome!r}"
    [*_, last] = [one for one in case.submit.answers if JOB_ID in json.dumps(one["body"], default=str)]
    for job_id in NO_ID:
        outcome, transport = send(case, *[with_job_id(last, job_id)] * QUICK.max_attempts)
        error = UNAVAILABLE if case.limits.repeats_first else UNKNOWN
        requests = QUICK.max_attempts if case.limits.repeats_first else 1
        if type(outcome).__name__ != error or len(transport.sent) != requests:
            yield f"{case}: job id {job_id!r:.20}: {error} expected, got {outcome!r} after {transport.requests}"


def refusal_problems(case: Case) -> Iterator[str]:
    """A rejection is final and has the vendor's message, redacted."""
    of = case.sample.of
    statuses = {**STATUSES, **{int(status): error for status, error in of.content.get("statuses", {}).items()}}
    bodies = (of.refusal(LEAK), ODD_BODIES["empty"], ODD_BODIES["a list"], ODD_BODIES["a number"])
    for answer in ({"status": status, "body": body} for status in statuses for body in bodies):
        status, body = answer["status"], answer["body"]
        error = of.error_without_json(answer, statuses[status])
        if error == UNAVAILABLE:
            continue
        outcome, transport = send(case, answer)
        if type(outcome).__name__ != error or len(transport.sent) != 1:
            yield f"{case}: HTTP {status}: {error} expected, got {outcome!r} after {len(transport.sent)} requests"
        if body and "bad row" in json.dumps(body) and "bad row for" not in str(outcome):
            yield f"{case}: HTTP {status}: no message of the vendor in {outcome}"
        if any(word in f"{outcome} {outcome!r}" for word in PRIVATE):
            yield f"{case}: HTTP {status}: leaked {outcome!r}"
    bodies = (of.refusal(LEAK), f"<html>{LEAK}</html>", {"id": None, "message": LEAK})
    for status in (200, 302, 400, 404, 413, 429, 500):
        for body in bodies:
            outcome, _ = send(case, *[{"status": status, "body": body}] * QUICK.max_attempts)
            if isinstance(outcome, str) or any(word in f"{outcome} {outcome!r}" for word in PRIVATE):
                yield f"{case}: HTTP {status} with {str(body)[:40]}: {outcome!r}"


def lost_problems(case: Case) -> Iterator[str]:
    """A request whose outcome is unknown is sent again only if it is idempotent."""
    first = (case.submit.method, case.submit.path)
    for name, lost in LOST.items():
        outcome, transport = send(case, lost, *case.submit.answers)
        if case.limits.repeats_first:
            is_right = outcome == submitted_id(case) and transport.requests[:2] == [first] * 2 and not transport.answers
            is_right = is_right and transport.sent[0].body == transport.sent[1].body
        else:
            is_right = type(outcome).__name__ == UNKNOWN and transport.requests == [first]
        if not is_right:
            yield f"{case}: lost ({name}): {outcome!r} after {transport.requests}"
    outcome, transport = send(case, *[{"status": 302, "body": ""}] * QUICK.max_attempts)
    error = "VendorAPIError" if case.limits.repeats_first else UNKNOWN
    if type(outcome).__name__ != error or len(transport.sent) != 1:
        yield f"{case}: HTTP 302: {error} expected, got {outcome!r}"


def not_executed_problems(case: Case) -> Iterator[str]:
    """What proves that a request was not executed lets every operation send it again."""
    answers = {**throttled(case.sample.of), "refused": {"breaks": "refused"}, "423": {"status": 423, "body": {}}}
    for name, answer in answers.items():
        outcome, transport = send(case, answer, *case.submit.answers)
        if outcome != submitted_id(case) or transport.requests[:2] != [(case.submit.method, case.submit.path)] * 2:
            yield f"{case}: {name}: not sent again, but {outcome!r} after {transport.requests}"
        outcome, transport = send(case, *[answer] * QUICK.max_attempts)
        if type(outcome).__name__ != UNAVAILABLE or len(transport.sent) != QUICK.max_attempts:
            yield f"{case}: {name}, again and again: {outcome!r}"


RULES = {
    rule.__name__: rule
    for rule in (
        limit_problems,
        request_problems,
        record_problems,
        id_problems,
        refusal_problems,
        lost_problems,
        not_executed_problems,
    )
}
