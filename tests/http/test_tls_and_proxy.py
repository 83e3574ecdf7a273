# SPDX-License-Identifier: Apache-2.0
"""What the environment says about proxies and certificates."""

from pathlib import Path

import certifi
import pytest

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.http.tls_and_proxy import ca_bundle, http_proxy_for, is_excluded, proxy_for, tls_context

HTTPS = "https://api.vendor.example/v3"
HTTP = "http://api.vendor.example:8080/v3"


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, HTTPS, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, HTTPS, "http://proxy.example:3128"),
        ({"https_proxy": "http://proxy.example:3128"}, HTTPS, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, HTTP, None),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, HTTPS, None),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, HTTP, "http://proxy.example:3128"),
        ({"ALL_PROXY": "http://all.example"}, HTTP, "http://all.example"),
        ({"all_proxy": "http://all.example"}, HTTPS, "http://all.example"),
        ({"ALL_PROXY": "http://all.example", "HTTPS_PROXY": "http://own.example"}, HTTPS, "http://own.example"),
        ({"HTTPS_PROXY": "http://me:word@proxy.example"}, HTTPS, "http://me:word@proxy.example"),
        ({"HTTPS_PROXY": "proxy.example:3128"}, HTTPS, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": ""}, HTTPS, None),
    ],
)
def test_proxy_for(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize("proxy", ["http://", "http://me:word@", "http://proxy..example", f"http://{'x' * 64}.example"])
def test_proxy_without_a_valid_host_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(BadConnectionError, match="has no valid host") as caught:
        proxy_for(HTTPS)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("spared", "direct"),
    [
        ("*", True),
        ("api.vendor.example", True),
        ("vendor.example", True),
        (".vendor.example", True),
        ("other.example, vendor.example", True),
        ("api.vendor.example:8080", True),
        ("API.VENDOR.EXAMPLE", True),
        ("api.vendor.example:9", False),
        ("other.example", False),
        ("endor.example", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, name: str, spared: str, *, direct: bool) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    monkeypatch.setenv(name, spared)
    assert proxy_for(HTTP) == (None if direct else "http://proxy.example")


@pytest.mark.parametrize(
    ("host", "port", "entry", "excluded"),
    [
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.3", 8080, "10.1.2.3:8080", True),
        ("10.1.2.3", 443, "10.1.2.3:8080", False),
        ("10.1.2.3", 443, "2.3", False),
        ("fd00::7", 443, "fd00::/8", True),
        ("fd00::7", 443, "[fd00::7]", True),
        ("fd00::7", 443, "[fd00::7]:443", True),
        ("fd00::7", 443, "[fd00::7]:80", False),
        ("fd00::7", 443, "fd00:0:0::7", True),
        ("fd00::7", 443, "10.0.0.0/8", False),
        ("api.vendor.example", 443, "10.0.0.0/8", False),
        ("api.vendor.example", 443, "vendor.example:443", True),
        ("api.vendor.example.", 443, "*.vendor.example", True),
        ("api.vendor.example", 443, "not a list, , vendor.example.", True),
    ],
)
def test_no_proxy_with_addresses_networks_and_ports(host: str, port: int, entry: str, *, excluded: bool) -> None:
    assert is_excluded(host, port, entry) is excluded


def test_triggerer_refuses_a_socks_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://proxy.example:1080")
    with pytest.raises(BadConnectionError, match="SOCKS"):
        http_proxy_for(HTTPS)


def test_the_bundle_that_requests_ships() -> None:
    assert ca_bundle() == certifi.where()


def test_the_variables_count_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SSL_CERT_DIR", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))
        assert ca_bundle() == str(tmp_path / name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    assert ca_bundle() == str(tmp_path / "CURL_CA_BUNDLE")


def test_a_tls_context_is_made_once() -> None:
    assert tls_context(certifi.where()) is tls_context(certifi.where())
    assert tls_context(certifi.where()).check_hostname


def test_a_bundle_may_be_a_folder(tmp_path: Path) -> None:
    assert tls_context(str(tmp_path)).cert_store_stats()["x509_ca"] == 0  # a folder is looked into when needed
    assert tls_context(certifi.where()).cert_store_stats()["x509_ca"] > 50


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadConnectionError, match="SSL_CERT_FILE"):
        tls_context(str(tmp_path / "gone.pem"))
