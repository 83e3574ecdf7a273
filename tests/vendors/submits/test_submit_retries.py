# SPDX-License-Identifier: Apache-2.0
"""Retries of submits: never of a request that is not idempotent."""

import socket

import pytest
from vendors.fixture_loader import (
    FACTS,
    LIMITS,
    Answer,
    Key,
)
from vendors.scripted import Script
from vendors.submit_cases import CASE_OF, DRIVEN, ID, JOB, QUICK, Case, answer, each_driven, each_driver, send, sent

from airflow_provider_bulkjobs.exceptions import (
    UnknownOutcomeError,
    VendorAPIError,
    VendorUnavailableError,
)

REPEATABLE = [(case, transport) for case, transport in DRIVEN if case.limits.idempotent]


# aiohttp itself retries a PUT and a DELETE after a lost connection; submits are sent by workers, over requests.
SINGLE = [
    (case, transport)
    for case, transport in DRIVEN
    if not case.limits.idempotent and (transport == "requests" or case.submit.method == "POST")
]


LOST: dict[str, Answer] = {
    "reset": {"breaks": "reset"},
    "closed": {"breaks": "closed"},
    "half a body": {"status": 202, "body": "{", "breaks": "half a body"},
    "500": answer({}, 500),
    "502": answer("<html>Bad gateway</html>", 502),
    "503": answer("", 503),
    "504": answer("", 504),
    "408": answer({}, 408),
    "not JSON": answer("<html>Please log in</html>", 200),
    "nothing": answer("", 202),
    "a list": answer([{"id": JOB}], 202),
    "no id": answer({"status": "pending"}, 202),
}


PAUSE = {"Retry-After": "0.001"}


def ids(driven: list[tuple[Case, str]]) -> list[str]:
    return [f"{case}-{transport}" for case, transport in driven]


@pytest.mark.parametrize("is_warm", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("case", "transport"), SINGLE, ids=ids(SINGLE))
def test_lost_response_of_non_idempotent_request_is_not_retried(
    script: Script, case: Case, transport: str, lost: str, is_warm: bool
) -> None:
    before = FACTS[case.vendor.conn_type]["check"]["answers"] if is_warm else []
    script.play([*before, LOST[lost], *case.submit.answers])
    outcome = send(case, transport, script.url(), *[case.vendor.check] * is_warm)
    assert sent(script)[len(before) :] == [(case.submit.method, case.submit.path)]
    assert type(outcome) is UnknownOutcomeError, outcome


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("case", "transport"), REPEATABLE, ids=ids(REPEATABLE))
def test_lost_response_of_idempotent_request_is_retried(script: Script, case: Case, transport: str, lost: str) -> None:
    script.play([LOST[lost], *case.submit.answers])
    assert send(case, transport, script.url()) == JOB
    first, second = script.seen[:2]
    assert not script.answers
    assert (first.method, first.path, first.body) == (second.method, second.path, second.body)


@each_driven
def test_429_is_retried(script: Script, case: Case, transport: str) -> None:
    script.play([answer({}, 429, **PAUSE), *case.submit.answers])
    assert send(case, transport, script.url()) == JOB
    assert sent(script)[:2] == [(case.submit.method, case.submit.path)] * 2


@each_driver
def test_import_limit_with_status_400_is_retried(script: Script, transport: str) -> None:
    case = CASE_OF["activecampaign", "contacts", "import"]
    reasons = ["Up to 100 imports may be requested per minute."]
    refused = {"success": 0, "message": "Rate limit exceeded.", "failureReasons": reasons}
    script.play([answer(refused, 400, **PAUSE), *case.submit.answers])
    assert send(case, transport, script.url()) == JOB
    assert len(script.seen) == 2


@each_driven
def test_refused_connection_is_retried(case: Case, transport: str) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        outcome = send(case, transport, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert type(outcome) is VendorUnavailableError, outcome
    assert f"{QUICK.max_attempts} times in a row" in str(outcome)


@each_driver
def test_pending_export_is_not_retried(script: Script, transport: str) -> None:
    pending = {"errors": [{"code": "too_many", "message": "You can only have 1 pending message data export job"}]}
    script.play([answer(pending, 429)])
    outcome = send(CASE_OF["intercom", "export", "export"], transport, script.url())
    assert isinstance(outcome, VendorAPIError), outcome
    assert len(script.seen) == 1


@each_driver
@pytest.mark.parametrize(
    "key", [key for key, limits in LIMITS.items() if not limits.idempotent and limits.supports_append]
)
def test_new_job_after_closed_job_is_not_created_twice(script: Script, key: Key, transport: str) -> None:
    closed = answer({"errors": [{"code": "forbidden", "message": "closed"}]}, 403)
    script.play([closed, {"breaks": "closed"}, *ID])
    assert type(send(CASE_OF[key], transport, script.url(), open_job="job-9")) is UnknownOutcomeError
    assert len(script.seen) == 2
