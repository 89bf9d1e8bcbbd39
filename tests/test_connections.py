"""Connections over sockets: what a server gets, and how long an idle one is believed in."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.connections import AnswerLost, Connections, NotSent
from tests.doors import Clock, RawServer, http_answer

OK = http_answer(200, b"")


def connections(server: str, clock: Clock | None = None) -> Connections:
    return Connections(server, connect_timeout=2.0, max_answer_bytes=100, **({"clock": clock} if clock else {}))


@pytest.mark.parametrize(("idle", "opened"), [(60.0, 1), (61.0, 2)])
def test_a_connection_that_lay_idle_for_a_minute_is_not_used_again(clock: Clock, idle: float, opened: int) -> None:
    """In a frozen Lambda it may have died without a word."""
    with RawServer(OK) as server:
        one = connections(server.url, clock)
        one.post("/", {}, b"a", read_timeout=2.0)
        clock.now += idle
        one.post("/", {}, b"b", read_timeout=2.0)
        assert (len(server.requests), server.connections) == (2, opened)


def test_head_and_body_come_in_one_piece() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pieces: list[bytes] = []

        def answer() -> None:
            with listener.accept()[0] as connection:
                pieces.append(connection.recv(1 << 16))
                connection.sendall(OK)

        thread = threading.Thread(target=answer)
        thread.start()
        connections(f"http://127.0.0.1:{listener.getsockname()[1]}").post("/a", {}, b"the body", read_timeout=2.0)
        thread.join()
    assert pieces[0].startswith(b"POST /a HTTP/1.1\r\n")
    assert pieces[0].endswith(b"\r\n\r\nthe body")


@pytest.mark.parametrize("value", ["secret\n", "secret \u20ac"])
def test_what_no_header_can_hold_is_an_error_that_does_not_show_it(value: str) -> None:
    with RawServer(OK) as server, pytest.raises(AnswerLost) as caught:
        connections(server.url).post("/", {"X-Token": value}, b"a", read_timeout=2.0)
    assert "secret" not in str(caught.value)
    assert server.requests == []


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """A server on TLS, whose certificate is right but for who vouches for it: itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(addresses, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with _serving(context) as port:
        yield port


@contextmanager
def _serving(context: ssl.SSLContext) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.recv(1 << 16)
                    connection.sendall(OK)
            except OSError:
                pass  # it was not trusted

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_who_has_no_trusted_certificate_gets_nothing(tls_port: int) -> None:
    with pytest.raises(NotSent, match="SSL"):
        connections(f"https://127.0.0.1:{tls_port}").post("/", {}, b"a", read_timeout=2.0)
