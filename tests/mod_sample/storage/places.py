"""Putting a file into one place only, and how it then stands."""

import io

from mod_sample.storage import Repository, StorageStatus
from tests.mod_sample.storage.conftest import named

OK, DEGRADED, MISSING = StorageStatus.OK, StorageStatus.DEGRADED, StorageStatus.MISSING


def put_local(repository: Repository, content: bytes) -> str:
    repository.local.put(named(content), io.BytesIO(content), "text/plain")
    return named(content)


def put_remote(repository: Repository, content: bytes) -> str:
    repository.bucket.put(named(content), io.BytesIO(content), "text/plain")
    return named(content)
