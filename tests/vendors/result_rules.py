# SPDX-License-Identifier: Apache-2.0
"""The rules for the per-item results of every job kind. Each yields the problems that it finds."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vendors.fixture_loader import LEAK, PRIVATE, Answer, Sample, changed
from vendors.generated import LOOPS, ODD_BODIES, STATUSES, UNAVAILABLE, ok, unknown_word_cases, unusable_pages
from vendors.in_memory import QUICK, InMemoryTransport, play

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Client:
    """The part of a hook that reads results."""

    vendor: Vendor
    account: Account
    transport: InMemoryTransport
    log: logging.Logger = log


def fetch(sample: Sample, *answers: Answer) -> tuple[Any, InMemoryTransport]:
    """Read the results; return them, or the error."""
    transport, account = play(sample.of, *answers)
    client: Any = Client(sample.vendor, account, transport)
    try:
        outcome: Any = list(iter_item_results(client, sample.kind, sample.job_id, 10**6, QUICK))
    except BulkJobError as error:
        outcome = error
    transport.sent = transport.sent[len(sample.of.token) :]
    return outcome, transport


def expect(
    sample: Sample, what: str, error: str, *answers: Answer, words: str = "", requests: int = 0
) -> Iterator[str]:
    outcome, transport = fetch(sample, *answers)
    if type(outcome).__name__ != error or words not in str(outcome):
        yield f"{sample}: results, {what}: {error} {words!r} expected, got {outcome!r}"
    # Another request may follow, which looks for the job elsewhere.
    if requests and transport.requests.count(transport.requests[0]) != requests:
        yield f"{sample}: results, {what}: sent {transport.requests}"
    if any(word in f"{outcome} {outcome!r}" for word in PRIVATE):
        yield f"{sample}: results, {what}: leaked {outcome!r}"


def state_problems(sample: Sample) -> Iterator[str]:
    """Only a finished job with a documented state has results."""
    for word, meaning in sample.words.items():
        if meaning["state"] in {"pending", "running"}:
            for whole in (sample.body, {}):
                body = changed(whole, sample.state_path, meaning["value"])
                yield from expect(sample, word, "JobNotFinishedError", ok(body), words="BulkJobSensor", requests=1)
    for case in unknown_word_cases(sample):
        answers = case.answers * QUICK.max_attempts
        yield from expect(sample, case.name, case.error or "", *answers)


def response_problems(sample: Sample) -> Iterator[str]:
    """An unusable response, or a rejection, is never an empty list of results."""
    for name, body in ODD_BODIES.items():
        yield from expect(sample, f"body {name}", UNAVAILABLE, *[ok(body)] * QUICK.max_attempts)
    own = {int(status): error for status, error in sample.of.content.get("statuses", {}).items()}
    for status, error in {**STATUSES, **own}.items():
        answer = {"status": status, "body": sample.of.refusal(LEAK)}
        requests = QUICK.max_attempts if error == UNAVAILABLE else 1
        yield from expect(sample, f"HTTP {status}", error, *[answer] * requests, words="bad row for", requests=requests)


def details_problems(sample: Sample) -> Iterator[str]:
    """A list that is missing, or does not end, is never an empty list of results."""
    pages = sample.pages
    if pages is None:
        return
    first = ok(pages.after)
    for name, answer in unusable_pages(sample, pages):
        yield from expect(sample, name, UNAVAILABLE, *[first, *[answer] * QUICK.max_attempts])
    for loop in LOOPS:
        answers = [ok(pages.page(number)) for number in loop]
        words = f"did not end after {len(set(loop)) + 1} pages"
        yield from expect(sample, f"pages {loop}", "UntrustedResponseError", first, *answers, words=words)


RULES = {rule.__name__: rule for rule in (state_problems, response_problems, details_problems)}
