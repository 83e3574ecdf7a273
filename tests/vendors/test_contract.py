# SPDX-License-Identifier: Apache-2.0
"""The contract of every vendor: one suite, with the responses in ``fixtures``.

A new vendor needs only fixtures: ``fixtures/<conn_type>/<job_kind>/<name>.json`` with the ``answers`` (responses) in
order, and either the resulting ``job`` or the name of the ``error``. Optional keys: ``conn`` (values of the
connection's extra), ``paths`` (expected requests), ``expected_headers``, and ``error_contains`` (parts of the error
message). ``every_kind`` has the fixtures that apply to all vendors, ``vendor.json`` the documented data of a vendor.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from vendors.fixture_loader import ACCEPT, CREDENTIALS, EVERY_KIND, FACTS, FIXTURES, KIND_FACTS, PATHS, WORDS, read_json
from vendors.scripted import DRIVERS, SECRET, FlowOutcome, Script, Seen, by_hand, make_account

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

JOB_ID = "j-1"
PREFIXES = ("", "/prefix")

ODD_IDS = {
    "a/b": "a%2Fb",
    "a?b=c": "a%3Fb%3Dc",
    "a#b": "a%23b",
    "%2e%2e": "%252e%252e",
    "a b": "a%20b",
    "é": "%C3%A9",
    "a&batchId=x": "a%26batchId%3Dx",
    "a+b": "a%2Bb",
    "../a": "..%2Fa",
    "//example.com": "%2F%2Fexample.com",
    "a;b": "a%3Bb",
    "a\\b": "a%5Cb",
    "%": "%25",
}
GARBAGE: tuple[dict[str, Any], ...] = (
    {},
    {"errors": None},
    {"errors": "x"},
    {"errors": 5},
    {"errors": {}},
    {"errors": {"message": None}},
    {"errors": [1, None]},
    {"errors": [[], {}, {"code": None, "message": None}, {"message": {"a": 1}}, {"message": ["b"]}]},
    {"error": 5},
    {"error": None},
    {"error": ""},
    {"error": []},
    {"error": {"message": 5}},
    {"error": "x", "error_description": 5},
    {"error": "x", "error_description": None},
    {"message": None},
    {"message": 5},
    {"message": {"a": "b"}},
    {"failureReasons": None},
    {"failureReasons": "x"},
    {"failureReasons": [1, None, "x", {}]},
    {"failureReasons": {"a": 1}},
)


@dataclass(frozen=True)
class Case:
    vendor: Vendor
    kind: JobKind
    name: str
    content: dict[str, Any]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return self.content["answers"]

    @property
    def conn(self) -> dict[str, Any]:
        return self.content.get("conn", {})

    @property
    def state(self) -> JobState | None:
        return JobState(self.content["job"]["state"]) if "job" in self.content else None


def read_cases(vendor: Vendor, kind: JobKind) -> list[Case]:
    folder = FIXTURES / vendor.conn_type / kind.name
    paths = [*sorted(folder.glob("*.json")), *sorted(EVERY_KIND.glob("*.json"))]
    return [Case(vendor, kind, path.stem, read_json(path, "answers")) for path in paths]


KINDS = [(vendor, kind) for vendor in VENDORS for kind in vendor.kinds]
CASES = [case for vendor, kind in KINDS for case in read_cases(vendor, kind)]

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
each_kind = pytest.mark.parametrize(
    ("vendor", "kind"), KINDS, ids=[f"{vendor.conn_type}-{kind.name}" for vendor, kind in KINDS]
)
each_case = pytest.mark.parametrize(
    "case",
    CASES,
    ids=[f"{case.vendor.conn_type}-{case.kind.name}-{case.name}" for case in CASES],
)
each_prefix = pytest.mark.parametrize("prefix", PREFIXES, ids=["root", "prefix"])
each_driver = pytest.mark.parametrize("transport", DRIVERS)


def check_outcome(case: Case, outcome: FlowOutcome) -> None:
    if "error" in case.content:
        assert type(outcome).__name__ == case.content["error"], outcome
        for words in case.content.get("error_contains", ()):
            assert words in str(outcome)
        assert SECRET not in str(outcome)
    else:
        assert isinstance(outcome, BulkJob), outcome
        assert outcome.to_json() == {"job_id": JOB_ID, "known": True, **case.content["job"]}


def is_same(one: FlowOutcome, other: FlowOutcome) -> bool:
    return one == other if isinstance(one, BulkJob) else type(one) is type(other)


def run_over(script: Script, transport: str, case: Case, prefix: str) -> tuple[FlowOutcome, list[Seen]]:
    script.play(case.answers)
    account = make_account(case.vendor, script.url(prefix), **case.conn)
    outcome = DRIVERS[transport](case.vendor, account, lambda: case.kind.status(account, JOB_ID))
    assert not script.answers, f"{len(script.answers)} responses of the fixture were not requested"
    return outcome, script.seen


# --- the fixtures: without transport, and over both transports


@each_case
def test_flow_without_transport(case: Case) -> None:
    account = make_account(case.vendor, "https://vendor.example.com/prefix", **case.conn)
    outcome, asked = by_hand(case.vendor, account, case.kind, JOB_ID, case.answers)
    check_outcome(case, outcome)
    assert [request.path for request in asked] == case.content.get("paths", [request.path for request in asked])
    for request in asked:
        assert request.path.startswith("/")
        assert SECRET not in request.path
        assert request.method == ("GET" if request.authorized else "POST")
        assert request.form is None or not request.authorized
        for name, value in case.content.get("expected_headers", {}).items():
            sent = {**case.vendor.headers(account, None), **request.headers}
            assert {key.lower(): text for key, text in sent.items()}[name] == value


# Flows are tested by hand, and transports once for all vendors. So one success of each kind is enough on the wire.
WIRE = list({(case.kind.name, case.vendor.conn_type, str(case.conn)): case for case in CASES if case.state}.values())


@each_prefix
@pytest.mark.parametrize("case", WIRE, ids=[f"{case.vendor.conn_type}-{case.kind.name}-{case.name}" for case in WIRE])
def test_both_transports_give_same_result(script: Script, case: Case, prefix: str) -> None:
    account = make_account(case.vendor, script.url(prefix), **case.conn)
    _, asked = by_hand(case.vendor, account, case.kind, JOB_ID, case.answers)
    outcomes, wires = zip(*(run_over(script, transport, case, prefix) for transport in DRIVERS), strict=True)
    for outcome, wire in zip(outcomes, wires, strict=True):
        check_outcome(case, outcome)
        assert [(seen.method, seen.path) for seen in wire] == [(r.method, prefix + r.path) for r in asked]
        check_wire(case, wire, prefix)
    assert is_same(*outcomes)
    name, _ = CREDENTIALS[case.vendor.conn_type]
    assert [seen.headers.get(name) for seen in wires[0]] == [seen.headers.get(name) for seen in wires[1]]


def check_wire(case: Case, wire: list[Seen], prefix: str) -> None:
    is_oauth2 = case.conn.get("auth_type") == "oauth2"
    name, value = CREDENTIALS[case.vendor.conn_type]
    api = wire[1:] if is_oauth2 else wire
    if api:
        assert api[0].path == prefix + PATHS[case.vendor.conn_type, case.kind.name].format(JOB_ID)
    for seen in api:
        assert (seen.method, seen.body) == ("GET", "")
        assert SECRET not in seen.path
        assert seen.headers[name] == ("Bearer ACCESS" if is_oauth2 else value)
        carriers = {header for header, text in seen.headers.items() if SECRET in text}
        assert carriers <= {name}
        assert seen.headers["accept"] == ACCEPT[case.vendor.conn_type]
        assert seen.headers["user-agent"].startswith("airflow-provider-bulkjobs/")
        assert "cookie" not in seen.headers
        for wanted, text in case.content.get("expected_headers", {}).items():
            assert seen.headers[wanted] == text


WITH_DETAILS = [case for case in CASES if case.state and len(case.answers) > 1 and "auth_type" not in case.conn]


@each_driver
@pytest.mark.parametrize(
    "case", WITH_DETAILS, ids=[f"{case.vendor.conn_type}-{case.kind.name}-{case.name}" for case in WITH_DETAILS]
)
def test_404_of_details_does_not_mean_job_not_found(script: Script, case: Case, transport: str) -> None:
    account = make_account(case.vendor, script.url(), **case.conn)
    for number in range(1, len(case.answers)):
        script.play([*case.answers[:number], {"status": 404, "body": {}}])
        outcome = DRIVERS[transport](case.vendor, account, lambda: case.kind.status(account, JOB_ID))
        assert type(outcome) is VendorUnavailableError, outcome
        assert "404" in str(outcome)


# --- required declarations and fixtures


def test_every_fixture_belongs_to_a_vendor_and_kind() -> None:
    known = {FIXTURES / vendor.conn_type / kind.name for vendor, kind in KINDS}
    places = known | {folder / name for folder in known for name in ("submit", "results", "cancel")} | {EVERY_KIND}
    vendors = {FIXTURES / vendor.conn_type / "vendor.json" for vendor in VENDORS}
    stray = [path for path in FIXTURES.rglob("*") if path.is_file() and path.parent not in places]
    assert set(stray) == vendors
    assert KIND_FACTS.keys() == {(vendor.conn_type, kind.name) for vendor, kind in KINDS}
    for case in CASES:
        assert ("job" in case.content) != ("error" in case.content), case.name
        allowed = {"answers", "job", "error", "conn", "paths", "expected_headers", "error_contains"}
        assert set(case.content) <= allowed, case.name


def missing_fixtures(cases: list[Case]) -> list[str]:
    states = {case.state for case in cases}
    wanted = {
        "a success (state succeeded)": JobState.SUCCEEDED in states,
        "a failure (state failed or partially_failed)": bool(states & {JobState.FAILED, JobState.PARTIALLY_FAILED}),
        "an unfinished job (state pending or running)": bool(states & {JobState.PENDING, JobState.RUNNING}),
        "an unknown state (UnknownStateError)": any(case.content.get("error") == "UnknownStateError" for case in cases),
    }
    return [what for what, is_there in wanted.items() if not is_there]


@each_kind
def test_kind_has_required_fixtures(vendor: Vendor, kind: JobKind) -> None:
    missing = missing_fixtures(read_cases(vendor, kind))
    assert not missing, f"{vendor.conn_type}/{kind.name} has no fixture for: {'; '.join(missing)}"


@each_kind
def test_every_documented_state_has_a_fixture(vendor: Vendor, kind: JobKind) -> None:
    words = {case.content["job"]["vendor_state"] for case in read_cases(vendor, kind) if case.state}
    missing, unknown = WORDS[vendor.conn_type, kind.name] - words, words - WORDS[vendor.conn_type, kind.name]
    assert not missing, f"{vendor.conn_type}/{kind.name} has no fixture for: {', '.join(sorted(missing))}"
    assert not unknown, f"{vendor.conn_type}/vendor.json has no state(s): {', '.join(sorted(unknown))}"


@each_kind
def test_every_documented_state_is_declared(vendor: Vendor, kind: JobKind) -> None:
    assert kind.states
    assert set(kind.states.words) == WORDS[vendor.conn_type, kind.name]


def test_missing_fixtures_are_named() -> None:
    assert len(missing_fixtures([])) == 4
    vendor, kind = KINDS[0]
    success = Case(vendor, kind, "x", {"job": {"state": "succeeded"}})
    assert not any("success" in what for what in missing_fixtures([success]))


@each_vendor
def test_form_fields_have_help(vendor: Vendor) -> None:
    names = [field.name for field in vendor.fields]
    assert len(names) == len(set(names))
    assert {"password", "host", "requests_per_second"} <= set(names)
    for field in vendor.fields:
        assert field.label.strip(), field.name
        assert field.help.strip(), field.name
        assert field.default is None or not field.choices or field.default in field.choices


@each_vendor
def test_vendor_is_well_formed(vendor: Vendor) -> None:
    assert vendor.docs_url.startswith("https://")
    assert vendor.conn_type.isidentifier()
    assert vendor.conn_type == vendor.conn_type.lower()
    assert vendor.label.strip()
    assert vendor.requests_per_second >= 0
    names = [kind.name for kind in vendor.kinds]
    assert names
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)
    assert all(kind.noun.strip() for kind in vendor.kinds)


def test_conn_types_are_unique() -> None:
    assert len({vendor.conn_type for vendor in VENDORS}) == len(VENDORS)


@each_vendor
@pytest.mark.parametrize("body", GARBAGE, ids=json.dumps)
def test_error_text_accepts_malformed_bodies(vendor: Vendor, body: dict[str, Any]) -> None:
    words = vendor.error_text(body)
    assert words is None or isinstance(words, str)


@each_vendor
def test_secret_is_not_in_the_repr(vendor: Vendor) -> None:
    account = make_account(vendor, "https://vendor.example.com")
    assert SECRET in account.secrets
    assert SECRET not in repr(account)
    assert SECRET not in str(account)


@each_vendor
@pytest.mark.parametrize("host", ["https://vendor.example.com", "https://vendor.example.com/", "vendor.example.com"])
def test_base_url_has_no_trailing_slash(vendor: Vendor, host: str) -> None:
    assert vendor.base_url(make_account(vendor, host)) == "https://vendor.example.com"


# --- the connection test


def check_connection(script: Script, vendor: Vendor, transport: str, answers: list[dict[str, Any]]) -> Any:
    script.play(answers)
    account = make_account(vendor, script.url("/prefix"))
    outcome = DRIVERS[transport](vendor, account, lambda: vendor.check(account))
    name, value = CREDENTIALS[vendor.conn_type]
    assert {(seen.method, seen.headers[name]) for seen in script.seen} == {("GET", value)}
    return outcome


@each_driver
@each_vendor
def test_connection_test_names_account(script: Script, vendor: Vendor, transport: str) -> None:
    facts = FACTS[vendor.conn_type]["check"]
    message = facts["expected_message"].replace("{host}", script.url("/prefix"))
    assert check_connection(script, vendor, transport, facts["answers"]) == message
    assert [seen.path for seen in script.seen] == [f"/prefix{path}" for path in facts["expected_requests"]]


@each_driver
@each_vendor
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": [None]},
        {"app": 5, "user": [], "scopes": "x", "data": {}, "results": {}, "username": ""},
        {"app": {"region": "EU"}, "user": {"email": "ada@example.com"}, "data": [{"id": None}]},
    ],
    ids=str,
)
def test_status_200_alone_does_not_pass_connection_test(
    script: Script, vendor: Vendor, transport: str, body: Any
) -> None:
    error = check_connection(script, vendor, transport, [{"status": 200, "body": body}] * 9)
    assert type(error) is VendorAPIError
    assert f"not the {vendor.label} API. Check the host of connection 'mine'" in str(error)


@each_driver
@pytest.mark.parametrize("flag", ["success", "Success"])
def test_activecampaign_rejects_connection_with_status_200(script: Script, transport: str, flag: str) -> None:
    vendor = next(vendor for vendor in VENDORS if vendor.conn_type == "activecampaign")
    body = {flag: 0, "message": "No access.", "user": {"username": "ada"}}
    error = check_connection(script, vendor, transport, [{"status": 200, "body": body}])
    assert type(error) is VendorAPIError
    assert "rejected the request (status 200): No access." in str(error)


@each_driver
@each_vendor
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(401, "{}", AuthenticationError), (200, "<html>", VendorUnavailableError), (503, "", VendorUnavailableError)],
)
def test_failed_connection_test_is_an_error(
    script: Script, vendor: Vendor, transport: str, status: int, body: str, error: type[BulkJobError]
) -> None:
    assert type(check_connection(script, vendor, transport, [{"status": status, "body": body}] * 9)) is error


# --- job ids are quoted


@each_prefix
@each_driver
@pytest.mark.parametrize("job_id", ODD_IDS)
@each_kind
def test_job_id_is_one_path_segment(
    script: Script, vendor: Vendor, kind: JobKind, job_id: str, transport: str, prefix: str
) -> None:
    unfinished = [case for case in read_cases(vendor, kind) if case.state and not case.state.is_finished]
    assert unfinished, f"{vendor.conn_type}/{kind.name} has no fixture for an unfinished job"
    case = unfinished[0]
    script.play(case.answers)
    account = make_account(vendor, script.url(prefix))
    outcome = DRIVERS[transport](vendor, account, lambda: kind.status(account, job_id))
    assert isinstance(outcome, BulkJob), outcome
    assert outcome.job_id == job_id
    path = prefix + PATHS[vendor.conn_type, kind.name].format(ODD_IDS[job_id])
    assert [seen.path for seen in script.seen] == [path]
