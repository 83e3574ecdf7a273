# SPDX-License-Identifier: Apache-2.0
"""Certificates: nobody is trusted but those whom the environment names."""

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from driving import Driving

from airflow_provider_bulkjobs.errors import BadConnectionError
from airflow_provider_bulkjobs.http.patience import Patience
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Conversation, Request


@dataclass(frozen=True)
class Secure:
    """A simulator with a certificate that nobody but itself has signed."""

    sim: Simulator
    certificate: Path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    with Simulator(tls=context) as sim:
        yield Secure(sim, certificate_file)


def get() -> Conversation[dict[str, Any]]:
    answer = yield Request("GET", "/v3/scopes")
    return answer.json


def test_an_untrusted_certificate_is_told_at_once(
    drive: Driving, secure: Secure, account: Callable[..., Account]
) -> None:
    told: list[str] = []
    with pytest.raises(
        BadConnectionError, match=r"certificate of 127\.0\.0\.1 is not trusted.*'mine'.*REQUESTS_CA_BUNDLE"
    ):
        drive("sendgrid", account(host=secure.sim.url_of("sendgrid")), get, patience=Patience(report=told.append))
    assert told == []
    assert secure.sim.requests("sendgrid") == []


def test_a_certificate_of_another_host_is_not_trusted(
    drive: Driving, secure: Secure, account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.certificate))
    elsewhere = secure.sim.url_of("sendgrid").replace("127.0.0.1", "localhost")
    with pytest.raises(BadConnectionError, match="certificate of localhost is not trusted"):
        drive("sendgrid", account(host=elsewhere), get)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_names_whom_to_trust(
    drive: Driving, secure: Secure, account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(secure.certificate))
    assert drive("sendgrid", account(host=secure.sim.url_of("sendgrid")), get)["scopes"]
    secure.sim.reset()
