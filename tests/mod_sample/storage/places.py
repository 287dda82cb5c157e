"""Putting a file into one place only, and how it then stands."""

import io
import time

from mod_sample.storage import Repository, StorageStatus
from tests.mod_sample.storage.conftest import named

OK, DEGRADED, MISSING = StorageStatus.OK, StorageStatus.DEGRADED, StorageStatus.MISSING


def put_local(repository: Repository, content: bytes) -> str:
    repository.local.put(named(content), io.BytesIO(content), "text/plain")
    return named(content)


def put_remote(repository: Repository, content: bytes) -> str:
    repository.bucket.put(named(content), io.BytesIO(content), "text/plain")
    return named(content)


def until(condition) -> None:
    """Wait for what must come; the test's own time limit is the end of it."""
    while not condition():
        time.sleep(0.02)
