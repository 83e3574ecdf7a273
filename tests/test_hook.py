# SPDX-License-Identifier: Apache-2.0
"""What users call themselves: the hooks, for a job's state and for stopping it, with and without an event loop."""

import asyncio
import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    BadConnectionError,
    JobNotFoundError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS, BulkJobHook, hook_for
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.brevo.vendor import Brevo

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
SIMULATED = {"acquia_campaign_studio": "acquia"}
SECRETS = {  # of those that the simulator serves
    "intercom": simulator.INTERCOM_TOKEN,
    "sendgrid": simulator.SENDGRID_KEY,
    "activecampaign": simulator.ACTIVECAMPAIGN_KEY,
    "acquia_campaign_studio": simulator.ACQUIA_PASSWORD,
}
KINDS = [(conn_type, kind.name) for conn_type in SECRETS for kind in HOOK_OF[conn_type].vendor.kinds]
STOPPABLE = {
    ("intercom", "export"): ("POST", "/intercom/export/cancel/{}"),
    ("acquia_campaign_studio", "contacts"): ("DELETE", "/acquia/api/contacts/job/{}"),
}
MakeHook = Callable[..., BulkJobHook]


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(job_seconds=30) as sim:
        yield sim


@pytest.fixture
def hook(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeHook]:
    made: list[BulkJobHook] = []

    def make(conn_type: str, **values: Any) -> BulkJobHook:
        good = {
            "conn_type": conn_type,
            "host": sim.url_of(SIMULATED.get(conn_type, conn_type)),
            "login": simulator.ACQUIA_USER,
            "password": SECRETS[conn_type],
        }
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({**good, **values}))
        made.append(HOOK_OF[conn_type]("mine"))
        return made[-1]

    yield make
    for each in made:
        if "transport" in each.__dict__:
            each.transport.close()


@pytest.fixture(params=["with a loop", "without"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Call one of a hook's methods, or its twin for event loops."""

    def call(hook: BulkJobHook, method: str, *args: Any) -> Any:
        if request.param == "without":
            return getattr(hook, method)(*args)
        return asyncio.run(getattr(hook, f"a{method}")(*args))

    return call


def asked(sim: Simulator, conn_type: str) -> list[tuple[str, str]]:
    return [(each.method, each.path_qs) for each in sim.requests(SIMULATED.get(conn_type, conn_type))]


@pytest.mark.parametrize(("conn_type", "kind"), KINDS)
def test_how_a_job_stands(sim: Simulator, hook: MakeHook, call: Any, conn_type: str, kind: str) -> None:
    job_id = sim.job(SIMULATED.get(conn_type, conn_type), kind)
    job = call(hook(conn_type), "get_job", job_id, kind)
    assert isinstance(job, BulkJob)
    assert job.job_id == job_id
    assert not job.state.is_finished


@pytest.mark.parametrize("conn_type", SECRETS)
def test_the_first_kind_is_the_default(sim: Simulator, hook: MakeHook, call: Any, conn_type: str) -> None:
    first = HOOK_OF[conn_type].vendor.kinds[0].name
    job_id = sim.job(SIMULATED.get(conn_type, conn_type), first)
    assert call(hook(conn_type), "get_job", job_id) == call(hook(conn_type), "get_job", job_id, first)


def test_an_id_may_be_a_number(hook: MakeHook, sim: Simulator, call: Any) -> None:
    with pytest.raises(JobNotFoundError):
        call(hook("sendgrid"), "get_job", 7)
    assert asked(sim, "sendgrid") == [("GET", "/sendgrid/v3/marketing/contacts/imports/7")]


@pytest.mark.parametrize("method", ["get_job", "cancel_job"])
@pytest.mark.parametrize("job_id", ["", " ", ".", "..", "a\n", None, True, 1.5])
def test_an_id_that_makes_no_sense_is_not_asked_about(
    hook: MakeHook, sim: Simulator, call: Any, method: str, job_id: Any
) -> None:
    with pytest.raises(BadArgumentError, match="job_id"):
        call(hook("acquia_campaign_studio"), method, job_id)
    assert asked(sim, "acquia_campaign_studio") == []


def test_two_ids_where_one_is_wanted(hook: MakeHook, call: Any) -> None:
    with pytest.raises(BadArgumentError, match="job_id"):
        call(hook("acquia_campaign_studio"), "get_job", ["a", "b"])


@pytest.mark.parametrize("method", ["get_job", "cancel_job"])
def test_unknown_job_kind_lists_the_valid_ones(hook: MakeHook, sim: Simulator, call: Any, method: str) -> None:
    with pytest.raises(BadArgumentError, match="'imports' is unknown to Intercom: use one of contacts, companies"):
        call(hook("intercom"), method, "a", "imports")
    assert asked(sim, "intercom") == []


def test_a_renewed_key_needs_a_new_hook_only_without_a_loop(hook: MakeHook, sim: Simulator) -> None:
    job_id = sim.job("sendgrid")
    old = hook("sendgrid", password="SG.of-yesterday")
    with pytest.raises(AuthenticationError):
        old.get_job(job_id)
    hook("sendgrid")
    assert asyncio.run(old.aget_job(job_id)).job_id == job_id


@pytest.mark.parametrize(("conn_type", "kind"), STOPPABLE)
def test_stopping_a_job(sim: Simulator, hook: MakeHook, call: Any, conn_type: str, kind: str) -> None:
    job_id = sim.job(SIMULATED.get(conn_type, conn_type), kind)
    assert call(hook(conn_type), "cancel_job", job_id, kind) is True
    method, path = STOPPABLE[conn_type, kind]
    assert asked(sim, conn_type) == [(method, path.format(job_id))]


def test_a_stopped_export_says_so(sim: Simulator, hook: MakeHook, call: Any) -> None:
    job_id = sim.job("intercom", "export")
    call(hook("intercom"), "cancel_job", job_id, "export")
    assert call(hook("intercom"), "get_job", job_id, "export").state is JobState.CANCELED


@pytest.mark.parametrize(("conn_type", "kind"), STOPPABLE)
def test_stopping_a_job_that_is_gone_is_no_error(
    hook: MakeHook, sim: Simulator, call: Any, conn_type: str, kind: str
) -> None:
    assert call(hook(conn_type), "cancel_job", "gone", kind) is False
    assert len(asked(sim, conn_type)) == 2  # the status shows it


@pytest.mark.parametrize(("conn_type", "kind"), [each for each in KINDS if each not in STOPPABLE])
def test_job_kind_without_cancel_is_rejected(
    hook: MakeHook, sim: Simulator, call: Any, conn_type: str, kind: str
) -> None:
    with pytest.raises(BadArgumentError, match=f"does not support canceling .*{kind!r}"):
        call(hook(conn_type), "cancel_job", "a", kind)
    assert asked(sim, conn_type) == []


def test_stopping_without_the_right_to_is_an_error(hook: MakeHook, sim: Simulator, call: Any) -> None:
    job_id = sim.job("acquia")
    with pytest.raises(AuthenticationError):
        call(hook("acquia_campaign_studio", password="wrong-password"), "cancel_job", job_id)


@pytest.mark.parametrize("conn_type", HOOK_OF)
def test_making_a_hook_reads_nothing(conn_type: str) -> None:
    assert HOOK_OF[conn_type]("there-is-no-such-connection").conn_id == "there-is-no-such-connection"


def test_the_session_is_the_accounts_own(hook: MakeHook, sim: Simulator) -> None:
    assert hook("sendgrid").get_conn().get("/v3/scopes").json()["scopes"]
    assert asked(sim, "sendgrid") == [("GET", "/sendgrid/v3/scopes")]


@pytest.mark.parametrize("extra", ["not json", "[]", '"text"', "7"])
def test_connection_test_reports_invalid_extra(hook: MakeHook, sim: Simulator, extra: str) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # up to Airflow 2, Airflow itself warns about it
        good, message = hook("intercom", extra=extra).test_connection()
    assert not good
    # Airflow 3.0 and 3.1 keep to themselves why they cannot read a connection.
    keeps_quiet = version("apache-airflow").startswith(("3.0.", "3.1."))
    assert (
        "`mine` isn't defined" if keeps_quiet else "This connection: the field 'extra' is not a JSON object"
    ) in message
    assert simulator.INTERCOM_TOKEN not in message
    assert asked(sim, "intercom") == []


@pytest.mark.parametrize("port", [-1, 99999])
def test_connection_test_reports_invalid_port(hook: MakeHook, port: int) -> None:
    good, message = hook("intercom", host="api.example", port=port).test_connection()
    assert not good
    assert "the field 'host'" in message or "the field 'port'" in message


def test_connection_test_reports_missing_ca_bundle(hook: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/there/is/no/such.pem")
    good, message = hook("intercom", host="https://127.0.0.1:1").test_connection()
    assert not good
    assert "REQUESTS_CA_BUNDLE" in message


def test_connection_of_another_type_works_where_the_vendor_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brevo, "other_types", {"other_crm": lambda values: {"password": values["api_key"]}})
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": "other_crm", "extra": {"api_key": "k-1"}}))
    for hook in (hook_for("mine"), HOOK_OF["brevo"]("mine")):
        assert hook.vendor.conn_type == "brevo"
        assert hook.account["password"] == "k-1"
        assert asyncio.run(hook.load_account())["password"] == "k-1"
    with pytest.raises(BadConnectionError, match="is of type 'other_crm', but KlaviyoHook needs 'klaviyo'"):
        _ = HOOK_OF["klaviyo"]("mine").account
