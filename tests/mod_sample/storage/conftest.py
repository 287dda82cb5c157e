"""A real storage server with a bucket, a proxy in front of it, and repositories on both."""

import hashlib
import inspect
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.server import create_server
from google.oauth2 import service_account

from mod_sample.storage import LocalBackend, Repository, result_key
from mod_sample.storage.breaker import Breaker
from mod_sample.storage.existence import Existence
from mod_sample.storage.gcs import GcsBackend, Limits
from tests.mod_sample.storage.proxy import Proxy
from tests.patience import PATIENCE_SECONDS

BUCKET = "samples"


def named(content: bytes, extension: str = ".srt") -> str:
    """The key under which this content is kept."""
    return result_key(hashlib.sha256(content).hexdigest(), extension)


@pytest.fixture
def content(request: pytest.FixtureRequest) -> bytes:
    """Content that no other test has put into the bucket."""
    return request.node.name.encode() + os.urandom(8)


@pytest.fixture(scope="session")
def storage_server() -> Iterator[int]:
    """The port of a server that keeps its files in memory."""
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    # With port 0 the system chooses a free one.
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=BUCKET)
    server.start()
    httpd = server._api._httpd
    assert httpd is not None
    yield httpd.server_address[1]
    server.stop()


@pytest.fixture
def proxy(storage_server: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to the server, where Google's library looks for it."""
    proxy = Proxy(storage_server)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    yield proxy
    proxy.close()


def limits(seconds: float) -> Limits:
    return Limits(
        connect_s=seconds,
        lookup_s=seconds,
        first_bytes_s=seconds,
        part_s=seconds,
        transfer_s=seconds,
    )


@pytest.fixture
def bucket(request: pytest.FixtureRequest, proxy: Proxy) -> GcsBackend:
    """A bucket; a test of failures, which takes the `proxy`, gives it up soon."""
    is_about_failures = "proxy" in inspect.signature(request.function).parameters
    return GcsBackend(BUCKET, limits=limits(1.0 if is_about_failures else PATIENCE_SECONDS))


@pytest.fixture
def local(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "repository")


@pytest.fixture
def repository(local: LocalBackend, bucket: GcsBackend) -> Repository:
    """A repository that soon asks again, both for what was missing and after a failure."""
    return Repository(
        local, bucket, breaker=Breaker(pause_s=0.3), existence=Existence(absent_s=0.3)
    )


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def key_file(private_key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service account's key, as Google hands it out."""
    pem = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("account") / "key.json"
    account = {
        "type": "service_account",
        "project_id": "tests",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "tests@example.org",
        "client_id": "1",
        "token_uri": "http://127.0.0.1:9/token",
    }
    path.write_text(json.dumps(account))
    return path


@pytest.fixture
def signer(key_file: Path) -> service_account.Credentials:
    return service_account.Credentials.from_service_account_file(str(key_file))
