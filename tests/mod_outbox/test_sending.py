"""Where messages are sent, and where they never are."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mod_outbox import sending
from mod_outbox.addresses import is_permitted
from mod_outbox.models import TryOutcome
from tests.mod_outbox.conftest import LOOPBACK
from tests.mod_outbox.receiver import Receiver, receiving

TEXT = """
192.88.99.1 127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1
100.100.100.200 169.254.169.254 192.0.0.192 192.0.2.1 198.18.0.1 224.0.0.1 239.1.1.1
240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 fe80::1 fe80::1%eth0 fc00::1
fd00:ec2::254 fec0::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: 100::1 3fff::1 5f00::1
"""
REFUSED = TEXT.split()


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_the_internets_are_refused(address: str) -> None:
    assert not is_permitted(address, ())


@pytest.mark.parametrize("address", ["1.1.1.1", "::ffff:1.1.1.1", "2606:4700:4700::1111"])
def test_the_internets_are_permitted(address: str) -> None:
    assert is_permitted(address, ())


def test_a_network_is_allowed_by_its_own_name_only() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/64"))

    assert is_permitted("10.1.2.3", allowed)
    assert is_permitted("::ffff:10.1.2.3", allowed)
    assert is_permitted("fd00:1::7", allowed)
    assert not is_permitted("10.2.0.1", allowed)
    assert not is_permitted("127.0.0.1", allowed)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
def test_the_address_that_is_connected_to_counts(receiver: Receiver, host: str) -> None:
    url = receiver.url.replace("127.0.0.1", host)

    answer = sending.post(url, b"{}", {})

    assert answer.outcome is TryOutcome.address_refused
    assert receiver.messages == []


def test_a_name_that_resolves_to_both_reaches_the_permitted_address(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = socket.getaddrinfo
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])

    def both(host: str, *arguments: Any, **options: Any) -> Any:
        own = asked("127.0.0.1", *arguments, **options)
        return [(*own[0][:4], ("10.255.255.1", port)), *own]

    monkeypatch.setattr(socket, "getaddrinfo", both)

    answer = sending.post(f"http://ci.example:{port}/", b"{}", {}, allowed=LOOPBACK)

    assert answer.outcome is TryOutcome.delivered
    assert receiver.messages[0].headers["host"] == f"ci.example:{port}"


def test_a_proxy_of_the_environment_is_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert sending.post(receiver.url, b"{}", {}, allowed=LOOPBACK).status == 204


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.mood = "redirect"

    answer = sending.post(receiver.url, b"{}", {}, allowed=LOOPBACK)

    assert (answer.outcome, answer.status) == (TryOutcome.redirect, 302)
    assert len(receiver.messages) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `localhost` with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        made.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def secured(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver with TLS, whose certificate this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sending._tls.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiving(context) as found:
        yield found
    sending._tls.cache_clear()


def test_tls_is_verified_with_the_hosts_name(secured: Receiver) -> None:
    named = secured.url.replace("127.0.0.1", "localhost")

    assert sending.post(named, b"{}", {}, allowed=LOOPBACK).status == 204
    other = sending.post(secured.url, b"{}", {}, allowed=LOOPBACK)

    assert other.outcome is TryOutcome.unreachable
    assert str(other.message).startswith("The certificate is not good: ")
    assert len(secured.messages) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(
    secured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    sending._tls.cache_clear()

    named = secured.url.replace("127.0.0.1", "localhost")
    answer = sending.post(named, b"{}", {}, allowed=LOOPBACK)

    assert answer.outcome is TryOutcome.unreachable
    assert secured.messages == []
