# SPDX-License-Identifier: Apache-2.0
"""Both transports over a real connection: they send what the flows yield. Everything else is tested in memory."""

import json
import socket
from functools import partial
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLES, Sample
from vendors.generated import ok
from vendors.scripted import DRIVERS, HERE, SECRET, Script, Seen, make_account, serving
from vendors.status_rules import ODD_IDS
from vendors.submit_cases import CASES, QUICK, Case, RoughHandler, each_driver, each_kind, send, sent

from airflow_provider_bulkjobs.exceptions import UnknownOutcomeError, VendorUnavailableError
from airflow_provider_bulkjobs.protocol.job import BulkJob

PREFIX = "/prefix"
FILES = "text/csv"  # accepted, where details of a job come as a file
# One submit for each way to encode and to repeat a request. Only workers upload files; of these, a gzipped one.
SUBMITS = list(
    {
        (
            case.submit.method,
            case.submit.content_type.partition(";")[0],
            case.operation.gzipped,
            case.limits.repeats_first,
        ): case
        for case in CASES
        if not case.sample.of.token and (case.operation.gzipped or HERE not in json.dumps(case.content["answers"]))
    }.values()
)
BREAKS: dict[str, dict[str, Any]] = {
    "reset": {"breaks": "reset"},
    "closed": {"breaks": "closed"},
    "half a body": {"status": 202, "body": "{", "breaks": "half a body"},
    "503": {"status": 503, "body": ""},
}


@pytest.fixture
def rough() -> Any:
    with serving(RoughHandler) as script:
        yield script


def driven(transport: str) -> list[Case]:
    return [case for case in SUBMITS if transport == "requests" or not case.operation.gzipped]


def check_headers(seen: Seen, sample: Sample) -> None:
    name, value = sample.of.credential
    assert seen.headers[name] == value
    assert SECRET not in seen.path + seen.body
    assert {header for header, text in seen.headers.items() if SECRET in text} <= {name}
    assert seen.headers["accept"] in {sample.of.accept, FILES}
    assert seen.headers["user-agent"].startswith("airflow-provider-bulkjobs/")
    assert "cookie" not in seen.headers


@each_kind
def test_both_transports_give_same_job(script: Script, sample: Sample) -> None:
    account = make_account(sample.vendor, script.url(PREFIX), **sample.of.conn)
    answers = [*sample.of.token, *sample.before, ok(sample.body), *sample.details]
    wires = []
    for transport in DRIVERS:
        script.play(answers)
        job = DRIVERS[transport](sample.vendor, account, lambda: sample.kind.status(account, sample.job_id))
        assert isinstance(job, BulkJob), job
        assert job.to_json() == {"job_id": sample.job_id, "known": True, **sample.content["job"]}
        assert not script.answers
        wire = script.seen[len(sample.of.token) + len(sample.before) :]
        assert (wire[0].method, wire[0].path) == (sample.method, PREFIX + sample.path_with(sample.vendor_id))
        assert wire[0].headers["accept"] == sample.of.accept
        for seen in wire:
            if seen.path.startswith(PREFIX):
                check_headers(seen, sample)
            else:  # a file at a signed URL
                assert SECRET not in str(seen)
        wires.append([(seen.method, seen.path, seen.body) for seen in script.seen])
    assert wires[0] == wires[1]


@each_driver
def test_job_id_is_one_path_segment_on_the_wire(script: Script, transport: str) -> None:
    sample = next(
        sample
        for sample in SAMPLES
        if sample.content["path"].endswith("/{}") and not sample.of.token and not sample.before
    )
    for prefix in ("", PREFIX):
        account = make_account(sample.vendor, script.url(prefix), **sample.of.conn)
        script.play([ok(sample.unfinished)] * len(ODD_IDS))
        starts = [partial(sample.kind.status, account, job_id) for job_id in ODD_IDS]
        assert isinstance(DRIVERS[transport](sample.vendor, account, *starts), BulkJob)
        paths = [prefix + sample.path_with(job_id) for job_id in ODD_IDS]
        assert [seen.path for seen in script.seen] == paths


@each_driver
def test_submit_on_the_wire(rough: Script, transport: str) -> None:
    for case in driven(transport):
        rough.play(case.submit.answers)
        assert send(case, transport, rough.url(PREFIX)) == case.sample.job_id, case
        assert not rough.answers
        seen = rough.seen[0]
        assert (seen.method, seen.path) == (case.submit.method, PREFIX + case.submit.path)
        is_json = case.submit.content_type.endswith("json")
        assert (json.loads(seen.body) if is_json and seen.body else seen.body or None) == case.submit.body
        assert seen.headers.get("content-type") == (case.submit.content_type if seen.body else None)
        check_headers(seen, case.sample)


@each_driver
@pytest.mark.parametrize("breaks", BREAKS)
@pytest.mark.parametrize("is_warm", [False, True], ids=["first", "later"])
def test_lost_response_on_the_wire(rough: Script, transport: str, breaks: str, is_warm: bool) -> None:
    for case in driven(transport):
        # aiohttp itself retries a PUT and a DELETE after a lost connection; submits are sent by workers, over requests.
        if not case.limits.repeats_first and transport == "aiohttp" and case.submit.method != "POST":
            continue
        before = case.sample.of.content["check"]["answers"] if is_warm else []
        rough.play([*({"status": 200, **each} for each in before), BREAKS[breaks], *case.submit.answers])
        outcome = send(case, transport, rough.url(), *[case.vendor.check] * is_warm)
        requests, first = sent(rough)[len(before) :], (case.submit.method, case.submit.path)
        if case.limits.repeats_first:
            assert outcome == case.sample.job_id, (case, outcome)
            assert requests[:2] == [first] * 2
        else:
            assert type(outcome) is UnknownOutcomeError, (case, outcome)
            assert requests == [first]


@each_driver
def test_refused_connection_is_retried(transport: str) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        for case in driven(transport):
            outcome = send(case, transport, f"http://127.0.0.1:{taken.getsockname()[1]}")
            assert type(outcome) is VendorUnavailableError, (case, outcome)
            assert f"{QUICK.max_attempts} times in a row" in str(outcome)
