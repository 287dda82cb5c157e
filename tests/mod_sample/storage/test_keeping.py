"""Files are put into both storages and deleted from both."""

import io
import os

import pytest

from mod_sample.storage import Repository, StorageUnavailable, TooLarge, WrongContent
from tests.mod_sample.storage.conftest import named
from tests.mod_sample.storage.places import MISSING, OK
from tests.mod_sample.storage.proxy import Fault


def test_an_upload_is_received_hashed_and_kept_in_both(repository, content):
    with repository.receive(io.BytesIO(content), limit=10_000) as received:
        kept = repository.keep(received, named(content), "text/plain")

    assert received.sha256 in named(content)
    assert kept.storage_status is OK
    assert repository.bucket.stat(named(content)).content_type == "text/plain"
    assert not received.path.exists()


@pytest.mark.parametrize("with_folder", [True, False])
def test_an_upload_that_is_too_large_or_wrongly_named_is_kept_nowhere(
    local, bucket, proxy, content, with_folder
):
    repository = Repository(local if with_folder else None, bucket)
    with pytest.raises(TooLarge):
        repository.receive(io.BytesIO(content), limit=len(content) - 1)
    with repository.receive(io.BytesIO(content)) as received, pytest.raises(WrongContent):
        repository.keep(received, named(content + b"!"))

    assert not received.path.exists()
    assert repository.locate([named(content)])[named(content)].storage_status is MISSING
    assert proxy.requests[0].startswith(b"GET")


def test_without_a_folder_a_dead_bucket_refuses_what_it_cannot_keep(bucket, proxy, content):
    repository = Repository(None, bucket)
    proxy.fault = Fault(reset=True)

    with pytest.raises(StorageUnavailable):
        repository.put(named(content), io.BytesIO(content))


def test_a_large_file_goes_to_both_storages(repository, tmp_path):
    (tmp_path / "large").write_bytes(content := os.urandom(9_000_000))

    kept = repository.put(named(content, ".bin"), tmp_path / "large", "application/octet-stream")

    assert kept.storage_status is OK
    with repository.bucket.open_range(named(content, ".bin")) as reading:
        assert b"".join(reading) == content


def test_what_is_deleted_is_gone_everywhere(repository, content):
    repository.put(named(content), io.BytesIO(content))
    repository.locate([named(content)])

    repository.delete(named(content))

    assert repository.locate([named(content)])[named(content)].storage_status is MISSING
