# SPDX-License-Identifier: Apache-2.0
"""A TLS server that responds to every request with an unfinished job, fast enough not to be the bottleneck."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import multiprocessing
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One body that each contender reads as an unfinished job: SendGrid's state, and dbt Cloud's number.
BODY = json.dumps({"status": "pending", "data": {"status": 3}, "results": {"requested_count": 3}}).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class _Responder(asyncio.Protocol):
    def __init__(self, polls: Any, connections: Any) -> None:
        self._polls, self._buffer = polls, b""
        connections.value += 1

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._buffer = (self._buffer + data).split(b"\r\n\r\n")
        self._polls.value += len(requests)
        self._transport.write(RESPONSE * len(requests))


def _serve(folder: str, port: Any, polls: Any, connections: Any, ready: Any) -> None:
    async def main() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Responder(polls, connections), "127.0.0.1", 0, ssl=tls, backlog=2000)
        port.value = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    asyncio.run(main())


def _make_certificate(folder: str) -> None:
    import certifi
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    own = certificate.public_bytes(serialization.Encoding.PEM)
    Path(folder, "cert.pem").write_bytes(own)
    # Clients trust a bundle of the usual size: building a TLS context from it is part of the measured cost.
    Path(folder, "bundle.pem").write_bytes(Path(certifi.where()).read_bytes() + b"\n" + own)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    Path(folder, "key.pem").write_bytes(secret)


@dataclass
class Server:
    """The running server: its URL, the certificates to trust, and its counters."""

    url: str
    bundle: str
    polls: Any
    connections: Any
    process: Any

    @classmethod
    def start(cls) -> Server:
        """Start it in a separate process."""
        folder = tempfile.mkdtemp(prefix="bulkjobs-bench-")
        _make_certificate(folder)
        context = multiprocessing.get_context("spawn")
        port, polls, connections = context.Value("i"), context.Value("q", lock=False), context.Value("q", lock=False)
        ready = context.Event()
        process = context.Process(target=_serve, args=(folder, port, polls, connections, ready), daemon=True)
        process.start()
        ready.wait(30)
        return cls(f"https://127.0.0.1:{port.value}", f"{folder}/bundle.pem", polls, connections, process)
