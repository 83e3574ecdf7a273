# SPDX-License-Identifier: Apache-2.0
"""The rules for the status of every job kind. Each returns the problems that it finds."""

from collections.abc import Iterable, Iterator
from typing import Any

from vendors.fixture_loader import PRIVATE, Answer, Sample, changed
from vendors.generated import PAUSES, Case, ok, status_cases, throttled, written_cases
from vendors.in_memory import FILES, QUICK, InMemoryTransport, Sent, play
from vendors.scripted import SECRET

from airflow_provider_bulkjobs.exceptions import (
    BadArgumentError,
    JobNotFoundError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.retry import NO_RETRY, RetryPolicy
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState

ODD_IDS = (
    *("a/b", "a?b=c", "a#b", "%2e%2e", "a b", "é", "a&batchId=x", "a+b", "../a", "//example.com", "a;b", "a\\b", "%"),
)


def outcome_problem(sample: Sample, case: Case, outcome: Any) -> str | None:
    """Return what is wrong with the outcome of a case, or ``None``."""
    shown = outcome if isinstance(outcome, BulkJob) else f"{type(outcome).__name__}: {outcome}"
    if case.error is not None:
        if type(outcome).__name__ != case.error:
            return f"{case.error} expected, got {shown}"
        lacking = [words for words in case.contains if words not in str(outcome)]
        if lacking:
            return f"{shown} does not mention {lacking}"
    else:
        expected = {"known": True, **(case.job or {})}
        if not isinstance(outcome, BulkJob):
            return f"job {expected} expected, got {shown}"
        job = {"known": True, **outcome.to_json()}
        job_id = job.pop("job_id")
        if job_id != sample.job_id or (job if case.is_whole else {key: job.get(key) for key in expected}) != expected:
            return f"job {expected} expected, got {job}"
    leaked = [word for word in PRIVATE if word in f"{outcome} {outcome!r}"]
    return f"{leaked} leaked: {shown}" if leaked else None


def poll(
    sample: Sample, *answers: Answer, job_id: str | None = None, policy: RetryPolicy = NO_RETRY, **conn: Any
) -> tuple[Any, InMemoryTransport]:
    """Run the status flow; return the job, or the error, and the transport."""
    transport, account = play(sample.of, *sample.before, *answers, **conn)
    outcome = transport.outcome(lambda: sample.kind.status(account, job_id or sample.job_id), policy=policy)
    transport.sent = transport.sent[len(sample.of.token) + len(sample.before) :]
    return outcome, transport


def stop(sample: Sample, *answers: Answer, job_id: str | None = None) -> tuple[Any, InMemoryTransport]:
    """Run the cancel flow; return whether the job was canceled, or the error, and the transport."""
    transport, account = play(sample.of, *answers)
    outcome = transport.outcome(lambda: sample.kind.stop(account, job_id or sample.job_id))
    transport.sent = transport.sent[len(sample.of.token) :]
    return outcome, transport


def case_problem(sample: Sample, case: Case) -> str | None:
    outcome, transport = poll(sample, *case.answers, **case.conn)
    if problem := outcome_problem(sample, case, outcome):
        return problem
    if case.is_whole and transport.answers:
        return f"{len(transport.answers)} of the responses were not requested"
    paths = tuple(sent.path for sent in transport.sent)
    if case.paths and paths != case.paths:
        return f"requests {case.paths} expected, got {paths}"
    problems = (request_problem(sample, case, sent) for sent in transport.sent)
    return next(filter(None, problems), None)


def request_problem(sample: Sample, case: Case, sent: Sent) -> str | None:
    if sent.path.startswith(FILES):
        return f"a file is requested with credentials: {sent}" if SECRET in str(sent) else None
    if SECRET in sent.path or not sent.path.startswith("/"):
        return f"path {sent.path!r}"
    if sent.method != sample.method and "authorization" in sent.headers:
        return f"{sent.method} {sent.path}: {sample.method} expected"
    for name, value in case.headers.items():
        if sent.headers.get(name) != value:
            return f"header {name}: {value!r} expected, got {sent.headers.get(name)!r}"
    return None


def case_problems(sample: Sample, cases: Iterable[Case]) -> list[str]:
    problems = ((case, case_problem(sample, case)) for case in cases)
    return [f"{sample}: {case.name}: {problem}" for case, problem in problems if problem]


def declaration_problems(sample: Sample) -> list[str]:
    """Compare the declared states with the documented ones."""
    declared = {word: state.value for word, state in sample.kind.states.words.items()} if sample.kind.states else {}
    documented = {word: meaning["state"] for word, meaning in sample.words.items()}
    words = sorted(declared.keys() | documented.keys())
    problems = [
        f"{sample}: state {word!r} is {declared.get(word)} in the declaration, {documented.get(word)} in sample.json"
        for word in words
        if declared.get(word) != documented.get(word)
    ]
    groups = {"a success": {"succeeded"}, "an unfinished job": {"pending", "running"}}
    for what, states in groups.items():
        if not states & set(documented.values()):
            problems.append(f"{sample}/sample.json: no state means {what}")
    return problems


def id_problems(sample: Sample) -> list[str]:
    """A job id is data: it cannot change the path or the query."""
    problems = []
    for odd in ODD_IDS:
        job_id = sample.id_with(odd)
        outcome, transport = poll(sample, ok(sample.unfinished), job_id=job_id)
        if isinstance(outcome, BadArgumentError) and not transport.sent:
            continue
        paths = [sent.path for sent in transport.sent]
        if paths != [sample.path_with(odd)]:
            problems.append(f"{sample}: job id {job_id!r} requests {paths}")
        elif not isinstance(outcome, BulkJob) or outcome.job_id != job_id:
            problems.append(f"{sample}: job id {job_id!r} leads to {outcome!r}")
    return problems


def throttling_problems(sample: Sample) -> list[str]:
    """A throttled request is sent again; the vendor's headers say when, for the whole account."""
    problems = []
    for headers, seconds in ({}, None), *PAUSES.values():
        for name, answer in throttled(sample.of, **headers).items():
            outcome, transport = poll(sample, answer, ok(sample.unfinished), policy=QUICK)
            where = f"{sample}: {name} with {headers}"
            if not isinstance(outcome, BulkJob) or len(transport.sent) != 2:
                problems.append(f"{where}: not sent again, but {outcome!r}")
            is_reset = any("reset" in header.lower() for header in headers)
            if not transport.pauses:
                problems.append(f"{where}: the account does not pause")
            elif seconds and not (is_reset and answer["status"] != 429) and transport.pauses != [seconds]:
                problems.append(f"{where}: pauses for {transport.pauses} s, not {seconds}")
    return problems


def details_problems(sample: Sample) -> list[str]:
    """404 for details does not mean that the job is gone: its state is read again first."""
    pages = sample.pages
    if pages is None:
        return []
    state, details, gone = ok(pages.after), ok(pages.body), {"status": 404, "body": sample.of.refusal("not found")}
    expected = {
        "a retry finds them": ((state, gone, state, details), BulkJob),
        "never found": ((state, gone) * QUICK.max_attempts, VendorUnavailableError),
        "the job is gone as well": ((state, gone, gone), JobNotFoundError),
    }
    problems = []
    for name, (answers, kind) in expected.items():
        outcome, transport = poll(sample, *answers, policy=QUICK)
        is_success = not isinstance(outcome, BulkJob) or outcome.state is JobState.SUCCEEDED
        if type(outcome) is not kind or not is_success or transport.answers:
            problems.append(f"{sample}: details are 404, {name}: {outcome!r}")
    return problems


def cancel_problems(sample: Sample) -> list[str]:
    """The requests of a cancel, its result, and what a rejection means."""
    if sample.kind.cancel is None:
        return [f"{sample} has cancel.json, but cannot be canceled"] if sample.cancels else []
    missing = {True, False} - {content["canceled"] for content in sample.cancels.values()}
    problems = [f"{sample}/cancel.json has no case where 'canceled' is {value}" for value in missing]
    for name, content in sample.cancels.items():
        outcome, transport = stop(sample, *content["answers"])
        requests = [list(each) for each in transport.requests]
        if outcome is not content["canceled"] or requests != content["expected_requests"]:
            problems.append(f"{sample}: cancel, {name}: {outcome!r} after {requests}")
        header, value = sample.of.credential
        if any(sent.headers.get(header) != value for sent in transport.sent):
            problems.append(f"{sample}: cancel, {name}: no credentials")
    for status, error in ((403, "PermissionDeniedError"), (401, "AuthenticationError")):
        outcome, transport = stop(sample, {"status": status, "body": {}})
        if type(outcome).__name__ != sample.of.content.get("statuses", {}).get(str(status), error):
            problems.append(f"{sample}: cancel, HTTP {status}: {outcome!r}")
        if len(transport.sent) != 1:
            problems.append(f"{sample}: cancel, HTTP {status}: sent {transport.requests}")
    _, transport = stop(sample, ok({}), job_id=sample.id_with("../a?b"))
    if any("../a" in path for _, path in transport.requests):
        problems.append(f"{sample}: cancel, the job id changes the path: {transport.requests}")
    return problems


def generated_problems(sample: Sample) -> list[str]:
    """Everything that is derived from the sample."""
    return case_problems(sample, status_cases(sample))


def written_problems(sample: Sample) -> list[str]:
    """What is particular to the vendor."""
    return case_problems(sample, written_cases(sample))


def odd_value_problems(sample: Sample) -> list[str]:
    """A value of another type is an error like any other, or means nothing: it ends no wait with a traceback."""
    longest = max(written_cases(sample), key=lambda case: len(case.answers), default=None)
    problems = []
    for number, answer in enumerate(longest.answers if longest else ()):
        for path in paths_of(answer["body"]) if isinstance(answer["body"], dict) else ():
            for odd in ([["x"]], {"x": 1}):
                odd_answer = {**answer, "body": changed(answer["body"], path, odd)}
                try:
                    poll(sample, *longest.answers[:number], odd_answer, *longest.answers[number + 1 :], **longest.conn)
                except Exception as error:  # noqa: BLE001
                    problems.append(f"{sample}: {longest.name}, {path}={odd!r}: {error!r}")
    return problems


def paths_of(body: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all values in a body."""
    entries = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in entries:
        yield f"{prefix}{key}"
        yield from paths_of(value, f"{prefix}{key}.")


RULES = {
    rule.__name__: rule
    for rule in (
        declaration_problems,
        generated_problems,
        written_problems,
        id_problems,
        throttling_problems,
        details_problems,
        cancel_problems,
        odd_value_problems,
    )
}
