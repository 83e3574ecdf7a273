# SPDX-License-Identifier: Apache-2.0
"""Start, stop, command line, https, and the passing of time."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests

from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.simulator.jobs import Task
from airflow_provider_bulkjobs.simulator.limits import Limit, RateWindow
from airflow_provider_bulkjobs.simulator.world import simulated_vendors


def test_task_spends_equal_time_in_each_step():
    task = Task("t", [], (False, "waiting", "active"), "completed", 100.0, 3.0, 100.0)
    words = [task.word(100 + passed) for passed in (-1, 0, 0.9, 1, 1.9, 2, 2.9, 3, 99)]
    assert words == [False, False, False, "waiting", "waiting", "active", "active", "completed", "completed"]
    assert (task.started, task.finished) == (101, 103)
    task.began = None
    assert task.word(999) is False


def test_limits_count_in_windows():
    window, limit = RateWindow(), Limit(2, 10)
    read = [window.count(limit, now, is_enforced=True) for now in (100, 105, 109.9, 110)]
    assert [(fits, reading.remaining, reading.resets_at) for fits, reading in read] == [
        (True, 1, 110),
        (True, 0, 110),
        (False, 0, 110),
        (True, 1, 120),
    ]
    assert read[2][1].seconds_left(109.9) == 1
    readings = [RateWindow().count(Limit(1, 10), 100, is_enforced=False) for _ in range(2)]
    assert [(fits, reading.remaining) for fits, reading in readings] == [(True, 1), (True, 1)]


def test_stops_cleanly_even_with_a_client_waiting():
    before = threading.active_count()
    with Simulator() as sim:
        url = sim.url_of("intercom")
        sim.fault("intercom", "slow", seconds=60)
        errors = []

        def wait():
            try:
                requests.get(f"{url}/me", timeout=30)
            except requests.ConnectionError as error:
                errors.append(error)

        client = threading.Thread(target=wait)
        client.start()
        while not sim.state()["intercom"]["total_requests"]:
            pass
    client.join(5)
    assert len(errors) == 1
    assert threading.active_count() == before
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=1)


def test_url_needs_with_block_and_known_vendor(sim):
    with pytest.raises(RuntimeError, match="with block"):
        _ = Simulator().url
    with pytest.raises(ValueError, match=r"pipedrive.*sendgrid"):
        sim.url_of("pipedrive")


def test_a_port_in_use_is_an_error(sim):
    with pytest.raises(OSError, match="in use"), Simulator(port=int(sim.url.rpartition(":")[2])):
        pass


def test_two_simulators_are_independent(sim):
    with Simulator() as other:
        requests.get(f"{other.url_of('intercom')}/me", timeout=10)
        assert len(other.requests("intercom")) == 1
    assert sim.requests("intercom") == []


def test_enforce_limits():
    headers = {"Api-Token": "activecampaign-key"}
    with Simulator(enforce_limits=True) as sim, requests.Session() as session:
        url = f"{sim.url_of('activecampaign')}/api/3/users/me"
        statuses = [session.get(url, headers=headers, timeout=10).status_code for _ in range(20)]
    assert statuses[0] == 200
    assert 429 in statuses


def test_https(tmp_path):
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem, key_pem)
    with Simulator(tls=tls) as sim:
        assert sim.url.startswith("https://")
        url = sim.url_of("sendgrid").replace("127.0.0.1", "localhost")
        assert requests.get(f"{url}/v3/scopes", verify=str(pem), timeout=10).status_code == 401
        sim.fault("sendgrid", "reset", count=1)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/v3/scopes", verify=str(pem), timeout=10)


def test_command_line():
    command = [sys.executable, "-m", "airflow_provider_bulkjobs.simulator", "--port", "0", "--job-seconds", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        credentials = "".join(process.stdout.readline() for _ in simulated_vendors())
        assert all(word in credentials for word in ("intercom-token", "SG.sendgrid-key", "acquia-secret"))
        assert requests.get(f"{url}/control/state", timeout=10).json()["settings"]["job_seconds"] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_needs_no_airflow():
    code = (
        "import sys, airflow_provider_bulkjobs; assert 'aiohttp' not in sys.modules\n"
        "sys.modules['airflow'] = None\n"  # an import of it fails
        "from airflow_provider_bulkjobs.simulator import Simulator\n"
        "with Simulator() as sim: assert {'acquia', 'sendgrid'} <= sim.state().keys()\n"
        "assert not [name for name in sys.modules if name.startswith('airflow.')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_simulated_side_can_be_imported_first():
    # A process for each, which has imported what is not ours: that is what takes time.
    code = (
        "import os, sys, aiohttp.web, pendulum, requests\n"
        "for module in sys.argv[1:]:\n"
        "    if not os.fork():\n"
        "        __import__(module)\n"
        "        os._exit(0)\n"
        "    assert os.wait()[1] == 0, module\n"
    )
    modules = [vendor.__module__ for vendor in simulated_vendors()]
    subprocess.run([sys.executable, "-c", code, *modules], check=True)
