# SPDX-License-Identifier: Apache-2.0
"""Responses that mean the same for every vendor, generated from the sample of a job kind.

What a response should lead to is stated here and in the samples, never taken from the vendor's declaration.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vendors.fixture_loader import LEAK, Answer, Pages, Sample, VendorSample, changed, read_answers, without

UNAVAILABLE = "VendorUnavailableError"
HTML = {"Content-Type": "text/html"}
PAGE = "<html><h1>Maintenance</h1></html>"

# The error that a status leads to, if the body is an error of the vendor's API.
STATUSES = {
    **dict.fromkeys((400, 405, 409, 410, 411, 413, 415, 418, 422), "VendorAPIError"),
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "JobNotFoundError",
    **dict.fromkeys((408, 423, 425, 429, 477, 500, 501, 502, 503, 504, 529), UNAVAILABLE),
}
# No vendor's API responds to a status request like this; a retry may get a better response.
ODD_BODIES: dict[str, Any] = {
    "empty": "",
    "blank": " \n",
    "truncated": '{"status": "comp',
    "a page": PAGE,
    "an empty object": {},
    "a list": [{"status": "completed"}],
    "an empty list": [],
    "a string": '"completed"',
    "a number": "5",
    "a huge number": "1" * 5000,
    "infinity": "1e999",
    "null": "null",
    "true": "true",
    "deeply nested": "[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00{",
}
# Without an error of the vendor's API in the body.
BARE_ANSWERS: dict[str, tuple[Answer, str]] = {
    "404 empty": ({"status": 404, "body": ""}, "JobNotFoundError"),
    "404 page": ({"status": 404, "headers": HTML, "body": PAGE}, UNAVAILABLE),
    "403 challenge": ({"status": 403, "headers": {**HTML, "cf-mitigated": "challenge"}, "body": PAGE}, UNAVAILABLE),
    "403 Retry-After": ({"status": 403, "headers": {"Retry-After": "1"}, "body": {}}, UNAVAILABLE),
    "503 page": ({"status": 503, "headers": HTML, "body": PAGE}, UNAVAILABLE),
    "500 empty": ({"status": 500, "body": ""}, UNAVAILABLE),
    "302": (
        {"status": 302, "headers": {"Location": "https://login.example.com/?next=1"}, "body": ""},
        "VendorAPIError",
    ),
}
# The headers with which vendors say how long to wait, and the seconds.
PAUSES: dict[str, tuple[dict[str, str], float]] = {
    "Retry-After": ({"Retry-After": "30"}, 30.0),
    "Retry-After, a date": (
        {"Retry-After": "Sat, 14 Mar 2026 12:00:40 GMT", "Date": "Sat, 14 Mar 2026 12:00:00 GMT"},
        40.0,
    ),
    "X-RateLimit-Reset, seconds": ({"X-RateLimit-Reset": "20"}, 20.0),
    "RateLimit-Reset, a timestamp": (
        {"RateLimit-Reset": "1773489610", "Date": "Sat, 14 Mar 2026 12:00:00 GMT"},
        10.0,
    ),
}
NOT_COUNTS = (True, -1, "five", "-1", "", 1.5, 1e300, [], {"a": 1})
NO_OBJECTS = ("x", 5, True, [], ["x"])
NO_LISTS = ("x", 5, True, {}, {"1": {}}, None)
LOOPS = ((2, 2), (2, 3, 2), (2, 3, 3))
NO_CURSORS = (True, False, [], ["2"], {}, {"href": "2"})


@dataclass(frozen=True)
class Case:
    """Responses to the requests of a status, and what they lead to.

    :param job: the expected fields of the job; all of them if ``is_whole``.
    :param error: the class of the expected error.
    :param contains: what its message contains.
    """

    name: str
    answers: tuple[Answer, ...]
    job: dict[str, Any] | None = None
    error: str | None = None
    contains: tuple[str, ...] = ()
    is_whole: bool = True
    conn: dict[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


def ok(body: Any) -> Answer:
    return {"status": 200, "body": body}


def failing(name: str, error: str, *answers: Answer, contains: tuple[str, ...] = ()) -> Case:
    return Case(name, answers, error=error, contains=contains)


def status_cases(sample: Sample) -> Iterator[Case]:
    """Yield everything that can be derived for the status of a job kind."""
    first = (sample.path_with(sample.vendor_id),)
    yield Case(
        "sample",
        (ok(sample.body), *sample.details),
        job=sample.content["job"],
        headers=sample.content.get("headers", {}),
        paths=() if sample.details else first,
    )
    yield from word_cases(sample)
    yield from unknown_word_cases(sample)
    yield from odd_body_cases(sample)
    yield from refusal_cases(sample.of)
    if sample.pages:
        yield from details_cases(sample, sample.pages)


def word_cases(sample: Sample) -> Iterator[Case]:
    """Every documented state leads to the documented meaning, also if the rest of the response is missing or null."""
    for word, meaning in sample.words.items():
        job = {"state": meaning["state"], "vendor_state": word, "known": meaning["known"]}
        whole = changed(sample.body, sample.state_path, meaning["value"])
        bodies = {"": whole}
        if meaning["state"] != "succeeded":  # what a success without counts means is particular to the vendor
            bodies[" alone"] = changed({}, sample.state_path, meaning["value"])
            nulls = {name: value if name == sample.state_path.split(".")[0] else None for name, value in whole.items()}
            bodies[" and nulls"] = nulls
        if sample.any_case:
            other = changed(sample.body, sample.state_path, word.swapcase())
            yield Case(
                f"state {word.swapcase()!r}",
                (ok(other), *sample.details),
                job={**job, "vendor_state": word.swapcase()},
                is_whole=False,
            )
        for how, body in bodies.items():
            yield Case(f"state {word!r}{how}", (ok(body), *sample.details), job=job, is_whole=False)


def unknown_word_cases(sample: Sample) -> Iterator[Case]:
    """A state that is not documented is an error; a missing one is an unusable response."""
    words, path = sample.words, sample.state_path
    known = [meaning["value"] for meaning in words.values()]
    swapped = () if sample.any_case else map(str.swapcase, words)
    texts = {"hibernating", "", "x" * 2000, *(f" {word}" for word in words), *swapped} - set(words)
    others = [["completed"], *([word] for word in words), {"state": "completed"}, 3, 1e300, True, False]
    for value in (*sorted(texts), *(other for other in others if not any(other is word for word in known))):
        contains = (sample.vendor.label.split()[-1], "https://", f"{path.split('.')[-1]}=")
        answer = ok(changed(sample.body, path, value))
        yield failing(f"unknown state {value!r:.60}", "UnknownStateError", answer, contains=contains)
    key = (f"{path.split('.')[-1]!r}",)
    yield failing("state missing", UNAVAILABLE, ok(without(sample.body, path)), contains=key)
    yield failing("state null", UNAVAILABLE, ok(changed(sample.body, path, None)), contains=key)
    for parent in parents(path):
        yield failing(f"{parent} missing", UNAVAILABLE, ok(without(sample.body, parent)))
        unknown = parent == sample.content.get("null_if_unknown")
        yield failing(
            f"{parent} null", "JobNotFoundError" if unknown else UNAVAILABLE, ok(changed(sample.body, parent, None))
        )
        for value in NO_OBJECTS:
            yield failing(f"{parent} {value!r}", UNAVAILABLE, ok(changed(sample.body, parent, value)))


def odd_body_cases(sample: Sample) -> Iterator[Case]:
    """A body or a count that cannot be read is never a result."""
    for name, body in ODD_BODIES.items():
        yield failing(f"body {name}", UNAVAILABLE, ok(body))
    for path in sample.content.get("counts", ()):
        for value in NOT_COUNTS:
            yield failing(f"{path} {value!r}", UNAVAILABLE, ok(changed(sample.body, path, value)))
        for value in NO_OBJECTS if "." in path and path.rpartition(".")[0] not in sample.state_path else ():
            parent = path.rpartition(".")[0]
            yield failing(f"{parent} {value!r}", UNAVAILABLE, ok(changed(sample.body, parent, value)))


def refusal_cases(of: VendorSample) -> Iterator[Case]:
    """Each HTTP status leads to the error that says what to do; the vendor's message is in it, redacted."""
    statuses = {**STATUSES, **{int(status): error for status, error in of.content.get("statuses", {}).items()}}
    for status, error in statuses.items():
        yield failing(
            f"HTTP {status}", error, {"status": status, "body": of.refusal(LEAK)}, contains=("bad row for", str(status))
        )
        for name in ("empty", "an empty object", "a list", "a number", "true", "deeply nested"):
            answer = {"status": status, "body": ODD_BODIES[name]}
            yield failing(f"HTTP {status}, body {name}", of.error_without_json(answer, error), answer)
    for name, (answer, error) in BARE_ANSWERS.items():
        yield failing(f"HTTP {name}", statuses[404] if name == "404 empty" else error, answer)
    for name, answer in throttled(of).items():
        yield failing(f"throttled, {name}", UNAVAILABLE, answer)


def throttled(of: VendorSample, **headers: str) -> dict[str, Answer]:
    """Return the responses that mean "too many requests"."""
    answers = [{"status": 429, "body": of.refusal("slow down")}, {"status": 429, "body": ""}, *of.throttled]
    return {
        f"{number}, {answer['status']} {json.dumps(answer['body'])[:40]}": {**answer, "headers": headers}
        for number, answer in enumerate(answers, 1)
    }


def details_cases(sample: Sample, pages: Pages) -> Iterator[Case]:
    """A list of details that cannot be read, or read to its end, never passes for "no failures"."""
    first = ok(pages.after)
    places = {"first page": (first,)}
    if sample.details:  # all pages are read, and not only whether there is one
        places["second page"] = (first, ok(pages.page(2)))
    for place, start in places.items():
        for name, answer in unusable_pages(sample, pages):
            yield failing(f"{place} of details: {name}", UNAVAILABLE, *start, answer)
    for path, value in odd_values(pages):
        yield failing(f"{path} {value!r}", UNAVAILABLE, first, ok(changed(pages.body, path, value)))
    for loop in LOOPS:
        answers = (first, *(ok(pages.page(number)) for number in loop))
        yield Case(f"pages {loop}", answers, job={"state": "partially_failed", "failed": None}, is_whole=False)


def unusable_pages(sample: Sample, pages: Pages) -> Iterator[tuple[str, Answer]]:
    """Yield responses that are not a page of the list."""
    yield from ((f"body {name}", ok(body)) for name, body in ODD_BODIES.items())
    for status in (404, 429, 500, 503):
        yield f"HTTP {status}", {"status": status, "body": sample.of.refusal("not found")}
    yield from ((f"{pages.items} {value!r}", ok(changed(pages.body, pages.items, value))) for value in NO_LISTS)
    yield f"no {pages.items}", ok(without(pages.body, pages.items))


def odd_values(pages: Pages) -> Iterator[tuple[str, Any]]:
    """Yield a path in a page, and a value there that is neither a list, nor a cursor, nor the end of the list."""
    above = parents(pages.items)
    yield from ((parent, value) for parent in above for value in (None, *NO_OBJECTS))
    yield from ((parent, value) for parent in parents(pages.next) if parent not in above for value in NO_OBJECTS)
    yield from ((pages.next, value) for value in NO_CURSORS)


def parents(path: str) -> list[str]:
    """Return the paths above a dotted path."""
    keys = path.split(".")
    return [".".join(keys[:number]) for number in range(1, len(keys))]


def written_cases(sample: Sample) -> Iterator[Case]:
    """Yield the hand-written fixtures of a job kind."""
    for name, content in sample.cases.items():
        yield Case(
            name,
            read_answers(content["answers"]),
            job=content.get("job"),
            error=content.get("error"),
            contains=tuple(content.get("error_contains", ())),
            conn=content.get("conn", {}),
            paths=tuple(content.get("paths", ())),
            headers=content.get("expected_headers", {}),
        )
