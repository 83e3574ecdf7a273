# SPDX-License-Identifier: Apache-2.0
"""Certificates are verified against the CA bundle of the environment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from driving import Driving

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account


@dataclass(frozen=True)
class Secure:
    """A simulator with a self-signed certificate."""

    sim: Simulator
    certificate: Path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    context, certificate_file = self_signed(tmp_path_factory.mktemp("tls"))
    with Simulator(tls=context) as sim:
        yield Secure(sim, certificate_file)


def get() -> Flow[dict[str, Any]]:
    answer = yield Request("GET", "/v3/scopes")
    return answer.json


def test_untrusted_certificate_is_not_retried(drive: Driving, secure: Secure, account: Callable[..., Account]) -> None:
    reports: list[str] = []
    with pytest.raises(
        BadConnectionError,
        match=r"certificate of 127\.0\.0\.1 was rejected: self-signed certificate\. .*'mine'.*REQUESTS_CA_BUNDLE",
    ):
        drive("sendgrid", account(host=secure.sim.url_of("sendgrid")), get, policy=RetryPolicy(on_retry=reports.append))
    assert reports == []
    assert secure.sim.requests("sendgrid") == []


def test_a_certificate_of_another_host_is_not_trusted(
    drive: Driving, secure: Secure, account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.certificate))
    elsewhere = secure.sim.url_of("sendgrid").replace("127.0.0.1", "localhost")
    with pytest.raises(BadConnectionError, match="certificate of localhost was rejected: Hostname mismatch"):
        drive("sendgrid", account(host=elsewhere), get)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_ca_variables_select_the_bundle(
    drive: Driving, secure: Secure, account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(secure.certificate))
    assert drive("sendgrid", account(host=secure.sim.url_of("sendgrid")), get)["scopes"]
    secure.sim.reset()
