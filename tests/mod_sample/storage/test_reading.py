"""Files are read from whichever storage has them, whole or not at all."""

import io

import pytest

from mod_sample.storage import NotStored, OutOfRange, Repository, StorageUnavailable, UnsafeName
from mod_sample.storage.gcs import GcsBackend
from tests.mod_sample.storage.conftest import BUCKET, named
from tests.mod_sample.storage.places import DEGRADED, MISSING, OK, put_local, put_remote
from tests.mod_sample.storage.proxy import Fault


def test_a_local_file_deleted_between_check_and_read_comes_from_the_bucket(repository, content):
    repository.put(named(content), io.BytesIO(content))
    assert repository.locate([named(content)])[named(content)].storage_status is OK
    (repository.local.root / named(content)).unlink()

    assert repository.read(named(content), 10_000) == content
    with repository.open(named(content), 3, 4) as reading:
        assert b"".join(reading) == content[3:7]


def test_a_file_deleted_everywhere_after_the_check_is_not_stored_and_then_missing(
    repository, content
):
    key = put_remote(repository, content)
    assert repository.locate([key])[key].backends == ("gcs",)
    GcsBackend(BUCKET).delete(key)

    with pytest.raises(NotStored):
        repository.open(key)

    assert repository.locate([key])[key].storage_status is MISSING


def test_a_local_file_that_is_a_link_or_vanished_with_its_folder_comes_from_the_bucket(
    repository, content, tmp_path
):
    repository.put(named(content), io.BytesIO(content))
    (tmp_path / "secret").write_bytes(b"secret")
    (repository.local.root / named(content)).unlink()
    (repository.local.root / named(content)).symlink_to(tmp_path / "secret")
    assert repository.read(named(content), 10_000) == content

    repository.local.root.rename(tmp_path / "gone")

    assert repository.read(named(content), 10_000) == content
    found = repository.locate([named(content)])[named(content)]
    assert (found.storage_status, found.known) == (DEGRADED, False)


def test_nothing_is_called_not_stored_while_a_storage_is_silent(repository, proxy, content):
    with pytest.raises(NotStored):
        repository.read(named(content), 10)
    proxy.fault = Fault(reset=True)

    with pytest.raises(StorageUnavailable):
        repository.read(named(content), 10)


def test_a_body_that_breaks_off_is_never_read_as_a_short_file(repository, proxy, content):
    key = put_remote(repository, content * 100)
    key = put_remote(repository, content * 20_000)
    proxy.fault = Fault(when=b"alt=media", cut_body_at=0)

    with pytest.raises(StorageUnavailable):
        repository.read(key, 10**9)


def test_reading_stops_at_the_limit(repository, content):
    for key in (put_local(repository, content), put_remote(repository, content + b"r")):
        assert repository.read(key, 5) == content[:5]
        assert repository.read(key, 0) == b""
    with pytest.raises(OutOfRange):
        repository.open(key, 10_000)


def test_reading_a_hostile_key_is_refused(repository):
    for attempt in (repository.open, repository.delete, lambda key: repository.read(key, 1)):
        with pytest.raises(UnsafeName):
            attempt("TestFiles/../../secret")


def test_addresses_are_signed_only_for_what_the_bucket_was_found_to_have(
    local, proxy, signer, content
):
    repository = Repository(local, GcsBackend(BUCKET, signer=signer))
    both, here = named(content), put_local(repository, content + b"h")
    repository.put(both, io.BytesIO(content))
    where = repository.locate([both, here])

    def sign(key: str) -> str | None:
        return repository.signed_url(
            key, where[key], expires_seconds=60, filename="a.srt", content_type="text/plain"
        )

    assert both.split("/")[1] in sign(both)
    assert sign(here) is None
