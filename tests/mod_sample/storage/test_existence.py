"""What is remembered of files, so that they are not looked up again."""

import io

import pytest

from mod_sample.storage import log_key
from mod_sample.storage.existence import Existence
from mod_sample.storage.gcs import GcsBackend
from tests.mod_sample.storage.conftest import BUCKET, limits, named
from tests.mod_sample.storage.places import DEGRADED, MISSING, OK, put_remote
from tests.mod_sample.storage.proxy import Proxy
from tests.patience import PATIENCE_SECONDS, until


@pytest.fixture
def bucket(proxy: Proxy) -> GcsBackend:
    """A bucket that works, however busy the machine is; the proxy only counts."""
    return GcsBackend(BUCKET, limits=limits(PATIENCE_SECONDS))


def lookups(proxy: Proxy, key: str) -> int:
    name = key.split("/")[1].encode()
    return len([line for line in proxy.requests if line.startswith(b"GET") and name in line])


def test_content_that_was_there_is_not_looked_up_again(repository, proxy, content):
    keys = [put_remote(repository, content + bytes([n])) for n in range(10)]
    repository.locate(keys)

    for _ in range(3):
        assert {each.storage_status for each in repository.locate(keys).values()} == {DEGRADED}

    assert [lookups(proxy, key) for key in keys[1:]] == [1] * 9


def test_what_was_missing_is_found_soon_after_another_process_has_put_it(
    repository, proxy, content
):
    key = named(content)
    assert repository.locate([key])[key].storage_status is MISSING
    GcsBackend(BUCKET).put(key, io.BytesIO(content), "text/plain")

    until(lambda: repository.locate([key])[key].backends == ("gcs",))


def test_what_this_process_puts_is_found_at_once(repository, content):
    key = named(content)
    assert repository.locate([key])[key].storage_status is MISSING

    repository.put(key, io.BytesIO(content))

    assert repository.locate([key])[key].storage_status is OK


def test_a_file_that_may_change_is_looked_up_each_time(repository, proxy):
    repository.put(log_key(901), io.BytesIO(b"one"))
    repository.locate([log_key(901)])
    GcsBackend(BUCKET).put(log_key(901), io.BytesIO(b"two!"), "text/plain")

    assert repository.locate([log_key(901)])[log_key(901)].storage_status is DEGRADED


def test_what_is_remembered_is_bounded():
    existence = Existence(capacity=3)
    keys = [named(bytes([n])) for n in range(4)]
    for key in keys:
        existence.learn(key, None)

    assert list(existence.recall(keys)) == keys[1:]
