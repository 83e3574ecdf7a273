# SPDX-License-Identifier: Apache-2.0
"""What all simulated vendors have from the common world, shown by one that is not of this package."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import requests

from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.simulator.world import simulated_vendors
from airflow_provider_bulkjobs.vendors import VENDORS

sys.path.insert(0, str(Path(__file__).parent))

from own_vendor import SimulatedMailman

AUTH = ("anybody", "mailman-password")


@pytest.fixture(scope="module")
def server():
    with Simulator(job_seconds=0, vendors=[SimulatedMailman]) as sim:
        yield sim


@pytest.fixture
def own(server):
    server.reset()
    return server


def call(own, method, path, auth=AUTH, **how):
    return requests.request(method, own.url_of("mailman") + path, auth=auth, timeout=10, **how)


def started(own, *emails):
    file = "\n".join(["email", *emails]).encode()
    answer = call(own, "POST", "/imports", files={"file": ("a.csv", file, "text/csv")})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def test_each_vendor_has_its_simulated_side_in_its_package():
    served = {vendor.conn_type: vendor for vendor in simulated_vendors()}
    assert {"intercom", "sendgrid", "activecampaign", "acquia_campaign_studio"} <= served.keys()
    for vendor in VENDORS:
        if simulated := served.get(vendor.conn_type):
            assert simulated.__module__.rpartition(".")[0] == type(vendor).__module__.rpartition(".")[0]
            assert list(simulated.kinds) == [kind.name for kind in vendor.kinds]


def test_a_vendor_of_another_package_is_served_beside_the_others(own):
    connection = own.connection("mailman")
    assert connection["host"] == f"{own.url}/mailman"
    assert (connection["password"], connection["extra"]) == ("mailman-password", {"region": "eu"})
    assert own.url_of("sendgrid")
    own.settings(mailman_mood="bad")
    assert own.state()["settings"]["mailman_mood"] == "bad"
    page = requests.get(own.url, timeout=10).text
    assert all(word in page for word in ("mailman-password", "app-secret", "mailman_mood", "mailman_polls", "sulk"))


@pytest.mark.parametrize(
    ("emails", "state"),
    [
        (["a@x.example"], "done"),
        (["a@x.example", "b"], "partial"),
        (["b", "c@x.invalid"], "bad"),
    ],
)
def test_state_follows_from_the_outcomes(own, emails, state):
    job = call(own, "GET", f"/imports/{started(own, *emails)}").json()
    assert job["state"] == state
    failures = requests.get(job["failures"], timeout=10).text.split()[1:]
    assert failures == [email for email in emails if email != "a@x.example"]
    assert own.state()["mailman"]["contacts"]["total"] == len(emails)


def test_file_storage_takes_only_the_signature(own):
    url = call(own, "GET", f"/imports/{started(own, 'a@x.example')}").json()["failures"]
    assert not url.startswith(f"{own.url_of('mailman')}/")
    assert requests.get(url, auth=AUTH, timeout=10).status_code == 400
    assert requests.get(url[:-1], timeout=10).status_code == 403
    assert requests.get(url.replace("failures", "nothing"), timeout=10).status_code == 404


def test_cancel_before_the_end_only(own):
    assert call(own, "DELETE", f"/imports/{started(own, 'a@x.example')}").json() == {"state": "done"}
    own.settings(job_seconds=3600)
    job_id = started(own, "a@x.example")
    assert call(own, "DELETE", f"/imports/{job_id}").json() == {"state": "stopped"}
    assert call(own, "GET", f"/imports/{job_id}").json()["state"] == "stopped"


def test_invalid_bodies_are_400(own):
    assert "not a multipart form" in call(own, "POST", "/imports", json={}).json()["reason"]
    assert call(own, "POST", "/imports", data=b"--x").status_code == 400
    assert call(own, "POST", "/imports", files={"file": ("a.csv", b"\xff")}).status_code == 422


def test_own_fault(own):
    own.fault("mailman", "sulk", count=1)
    assert call(own, "GET", "/imports/x").json() == {"success": False}
    assert call(own, "GET", "/imports/x").status_code == 404
    with pytest.raises(ValueError, match="'vendor' is \"sendgrid\""):
        own.fault("sendgrid", "sulk")


def test_limits_of_one_route_do_not_count_the_others(own):
    own.settings(limits={"mailman_polls": {"requests": 1, "per_seconds": 3600}})
    answers = [call(own, "GET", "/imports/x") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 429]
    assert (answers[0].headers["x-limit"], answers[0].headers["x-left"]) == ("1", "0")
    assert 1 <= int(answers[1].headers["x-reset"]) == int(answers[1].headers["Retry-After"]) <= 3600
    other = call(own, "DELETE", "/imports/x")
    assert (other.status_code, other.headers["x-limit"]) == (404, "100")


def test_published_limits_are_enforced_on_request():
    with Simulator(enforce_limits=True, vendors=[SimulatedMailman]) as sim:
        limits = sim.state()["settings"]["limits"]
    assert limits["mailman_polls"] == {"requests": 10, "per_seconds": 60}
    assert "mailman" not in limits
    assert limits["activecampaign_imports"] == {"requests": 100, "per_seconds": 60}


REFRESH = {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-1"}
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (REFRESH | {"grant_type": "refresh_token"}, None),
        ({"grant_type": JWT, "assertion": "a.b.c"}, None),
        ({"grant_type": JWT}, "invalid_grant"),
        (REFRESH | {"grant_type": "refresh_token", "refresh_token": "old"}, "invalid_grant"),
        (REFRESH | {"grant_type": "refresh_token", "client_id": "x"}, "invalid_client"),
        (REFRESH | {"grant_type": "client_credentials"}, "unsupported_grant_type"),
        (REFRESH, "invalid_request"),
    ],
)
def test_token_endpoint(own, fields, error):
    answer = call(own, "GET", "/token", None, params=fields)
    if error:
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        return
    assert answer.json()["api_domain"] == "https://eu.example"
    for scheme, status in (("Mailman-token", 404), ("Bearer", 401)):
        headers = {"Authorization": f"{scheme} {answer.json()['access_token']}"}
        assert call(own, "GET", "/imports/x", None, headers=headers).status_code == status


def test_contacts_are_known_after_the_control_and_gone_after_a_reset(own):
    own.contacts("mailman", [{"id": "7", "email": "A@x.example"}])
    created = own.contacts("mailman", [{"email": "b@x.example"}])
    assert [contact["email"] for contact in created] == ["A@x.example", "b@x.example"]
    assert created[1]["id"] not in ("", "7")
    started(own, "a@x.example ", "c@x.example")
    assert len(own.contacts("mailman")) == 3
    assert own.state()["mailman"]["stored"] == {"contacts": 3}
    own.reset()
    assert own.contacts("mailman") == []


@pytest.mark.parametrize("contacts", [{"email": "a"}, ["a"], "a"])
def test_invalid_contacts_are_named(own, contacts):
    body = {"vendor": "mailman", "contacts": contacts}
    answer = requests.post(f"{own.url}/control/contacts", json=body, timeout=10)
    assert answer.status_code == 400
    assert "'contacts'" in answer.json()["error"]


def test_the_connection_type_is_a_name_as_well(own):
    long = "acquia_campaign_studio"
    job = own.job(long, states=["queued"])
    own.fault(long, "server_error", count=1)
    own.settings(limits={long: {"requests": 5, "per_seconds": 1}})
    assert own.url_of(long) == own.url_of("acquia")
    state = own.state()
    assert [each["job_id"] for each in state["acquia"]["jobs"]] == [job]
    assert state["faults"][0]["vendor"] == "acquia"
    assert state["settings"]["limits"]["acquia"]["requests"] == 5
    requests.get(own.url_of(long), timeout=10)
    assert len(own.requests(long)) == 1


def run(vendor):
    command = [sys.executable, "-m", "airflow_provider_bulkjobs.simulator", "--port", "0", "--vendor", vendor]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_command_line_serves_a_vendor_of_another_package():
    with run("own_vendor:SimulatedMailman") as process:
        lines = [process.stdout.readline() for _ in range(len(simulated_vendors()) + 2)]
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert "/mailman" in lines[-1]


@pytest.mark.parametrize(
    "vendor", ["own_vendor", "own_vendor:Nobody", "nowhere:X", "own_vendor:AUTH", "json:JSONDecoder"]
)
def test_command_line_rejects_what_is_no_vendor(vendor):
    with run(vendor) as process:
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"invalid --vendor {vendor}" in told


def test_the_example_of_the_docs_works():
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    names = {
        name: value
        for module in ("authentication", "jobs", "limits", "routes", "vendor")
        for name, value in vars(import_module(f"airflow_provider_bulkjobs.simulator.{module}")).items()
    }
    exec(re.search(r"```python\n(class .*?)```", page, re.DOTALL)[1], names)
    headers = {"X-Key": "mailman-key"}
    with Simulator(job_seconds=0, vendors=[names["SimulatedMailman"]]) as sim:
        url = f"{sim.url_of('mailman')}/v1/imports"
        job = requests.post(url, json={"contacts": [{"email": "a"}]}, headers=headers, timeout=10).json()
        done = requests.get(f"{url}/{job['id']}", headers=headers, timeout=10)
    assert done.json() == {"status": "failed", "failed": 1}
    assert done.headers["X-Remaining"] in ("8", "9")  # 9 in the next window
