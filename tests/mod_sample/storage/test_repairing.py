"""What one storage lacks is copied from the other."""

import io

import pytest

from mod_sample.storage import Repository, copy_missing, log_key
from tests.mod_sample.storage.conftest import named
from tests.mod_sample.storage.places import DEGRADED, OK, put_local, put_remote
from tests.mod_sample.storage.proxy import Fault
from tests.patience import until


@pytest.mark.parametrize("fault", [Fault(reset=True), Fault(hang=True)], ids=["reset", "hang"])
def test_what_is_put_while_the_bucket_is_dead_is_kept_and_repaired_later(
    repository, proxy, content, fault
):
    key = named(content)
    proxy.fault = fault
    kept = repository.put(key, io.BytesIO(content))
    assert kept.storage_status is DEGRADED
    assert kept.problem
    assert repository.read(key, 10_000) == content
    proxy.fault = None
    until(repository.breaker.allows)
    repository.breaker.answered()

    assert copy_missing(repository, [key, key]).copied == [key]

    assert repository.locate([key])[key].storage_status is OK
    assert copy_missing(repository, [key]).complete == [key]


def test_repairing_copies_in_both_directions_and_names_what_it_cannot(repository, content):
    here, there = put_local(repository, content + b"h"), put_remote(repository, content + b"t")
    log = log_key(902)
    repository.local.put(log, io.BytesIO(b"longer log"), "text/plain")
    repository.bucket.put(log, io.BytesIO(b"log"), "text/plain")
    rotten = put_local(repository, content + b"rotten")
    (repository.local.root / rotten).write_bytes(b"rot")
    healed = put_local(repository, content + b"healed")
    put_remote(repository, content + b"healed")
    (repository.local.root / healed).write_bytes(b"he")

    report = copy_missing(
        repository, [here, there, log, rotten, healed, named(content), "../secret"]
    )

    assert report.copied == [here, there, log, healed]
    assert report.missing == [named(content)]
    assert set(report.failed) == {rotten, "../secret"}
    assert repository.bucket.stat(rotten) is None
    assert repository.local.stat(there).size == len(content) + 1
    assert repository.read(healed, 10_000) == content + b"healed"
    with repository.bucket.open_range(log) as reading:
        assert b"".join(reading) == b"longer log"


def test_repairing_needs_two_storages(local):
    with pytest.raises(ValueError, match="needs"):
        copy_missing(Repository(local, None), [])
