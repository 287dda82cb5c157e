"""Folder and bucket as one: where a file is, and how that reads."""

import io
import os

import pytest

from mod_sample.storage import LocalBackend, Repository, log_key, open_repository
from tests.mod_sample.storage.conftest import BUCKET, named
from tests.mod_sample.storage.places import DEGRADED, MISSING, OK, put_local, put_remote


def test_a_file_is_ok_in_both_degraded_in_one_and_missing_in_none(repository, content):
    both, here, there, nowhere = (content + n for n in (b"1", b"22", b"333", b"4444"))
    keys = [put_local(repository, both), put_local(repository, here), named(there), named(nowhere)]
    put_remote(repository, both)
    put_remote(repository, there)

    found = repository.locate(keys)

    assert list(found) == keys
    assert [each.storage_status for each in found.values()] == [OK, DEGRADED, DEGRADED, MISSING]
    assert [each.backends for each in found.values()] == [
        ("local", "gcs"),
        ("local",),
        ("gcs",),
        (),
    ]
    assert [each.size for each in found.values()] == [len(both), len(here), len(there), None]
    assert all(each.known for each in found.values())


def test_with_one_storage_a_file_is_ok_or_missing(local, bucket, proxy, content):
    for repository in (Repository(local, None), Repository(None, bucket)):
        repository.put(named(content), io.BytesIO(content))

        found = repository.locate([named(content), log_key(4321)])

        assert [each.storage_status for each in found.values()] == [OK, MISSING]
        assert repository.read(named(content), 1000) == content
    with pytest.raises(ValueError, match="needs"):
        Repository(None, None)


def test_two_storages_with_different_sizes_are_degraded(repository, content):
    key = put_local(repository, content)
    repository.bucket.put(key, io.BytesIO(content[:-3]), "text/plain")

    assert repository.locate([key])[key].storage_status is DEGRADED


def test_a_key_that_names_no_file_is_missing(repository):
    found = repository.locate(["../../etc/passwd", "TestFiles/a\0", log_key(4321)])

    assert {each.storage_status for each in found.values()} == {MISSING}
    assert repository.locate([]) == {}


def test_a_repository_is_opened_from_what_is_configured(tmp_path, proxy):
    repository = open_repository(tmp_path / "new" / "repository", BUCKET)

    assert isinstance(repository.local, LocalBackend)
    assert repository.bucket.bucket_name == BUCKET
    assert open_repository(tmp_path, None).bucket is None
    with pytest.raises(ValueError, match="needs"):
        open_repository(None, None)


def test_lookups_work_in_a_forked_process_too(repository, content):
    repository.put(named(content), io.BytesIO(content))
    # All threads of the pool have worked and wait: none of them exists in the child.
    repository.locate([named(content + bytes([n])) for n in range(100)])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            other = [named(content), log_key(4321)]
            found = repository.locate(other, deadline_s=5)
            status = 0 if [each.known for each in found.values()] == [True, True] else 2
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
