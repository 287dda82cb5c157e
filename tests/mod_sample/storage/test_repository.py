"""Folder and bucket as one: what is said and read when one of them is away."""

import io
import os
import time

import pytest

from mod_sample.storage import (
    GcsBackend,
    HealthStatus,
    Limits,
    LocalBackend,
    NotStored,
    OutOfRange,
    Repository,
    StorageStatus,
    StorageUnavailable,
    TooLarge,
    UnsafeName,
    WrongContent,
    copy_missing,
    health,
    log_key,
    open_repository,
)
from mod_sample.storage.breaker import Breaker
from mod_sample.storage.existence import Existence
from mod_sample.storage.side_by_side import ask_all
from tests.mod_sample.storage.conftest import BUCKET, named
from tests.mod_sample.storage.proxy import Fault, Proxy

OK, DEGRADED, MISSING = StorageStatus.OK, StorageStatus.DEGRADED, StorageStatus.MISSING


def content_of(request: pytest.FixtureRequest) -> bytes:
    """Content that no other test has put into the bucket."""
    return request.node.name.encode() + os.urandom(8)


@pytest.fixture
def content(request: pytest.FixtureRequest) -> bytes:
    return content_of(request)


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


def lookups(proxy: Proxy, key: str) -> int:
    name = key.split("/")[1].encode()
    return len([line for line in proxy.requests if line.startswith(b"GET") and name in line])


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


@pytest.mark.parametrize(
    "fault",
    [Fault(hang=True), Fault(reset=True), Fault(delay_s=1.5)],
    ids=["hang", "reset", "slow"],
)
def test_a_bucket_that_does_not_answer_degrades_what_is_local_and_hides_nothing_else(
    local, proxy, content, fault
):
    # A slow bucket would answer in time for one lookup, but not for the page.
    patient = GcsBackend(BUCKET, limits=Limits(connect_s=3, lookup_s=3))
    repository = Repository(local, patient)
    keys = [put_local(repository, content + bytes([n])) for n in range(60)]
    unknown = [named(content + bytes([n])) for n in range(60, 120)]
    proxy.fault = fault

    found = repository.locate(keys + unknown, deadline_s=0.5)

    assert {(found[key].storage_status, found[key].known) for key in keys} == {(DEGRADED, False)}
    assert {(found[key].storage_status, found[key].known) for key in unknown} == {(MISSING, False)}
    assert {found[key].backends for key in keys} == {("local",)}
    # Lookups that nobody waits for any more still hold the threads of the process.
    until(lambda: len(ask_all(str, map(str, range(16)), 1.0)) == 16)


def test_a_dead_bucket_is_not_asked_for_every_request(local, bucket, proxy, content):
    repository = Repository(local, bucket, breaker=Breaker(pause_s=600))
    key = put_local(repository, content)
    proxy.fault = Fault(answers=[b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"] * 100)
    repository.locate([key])
    asked = len(proxy.requests)
    assert asked > 0

    for _ in range(5):
        assert repository.locate([key])[key].storage_status is DEGRADED
        assert health(repository)[-1].status is HealthStatus.DOWN
        with pytest.raises(StorageUnavailable):
            repository.read(named(content + b"elsewhere"), 10)
        repository.put(key, io.BytesIO(content))

    assert len(proxy.requests) == asked


def test_a_bucket_that_comes_back_is_found_again(repository, proxy, content):
    key = put_local(repository, content)
    put_remote(repository, content)
    proxy.fault = Fault(reset=True)
    assert repository.locate([key])[key].storage_status is DEGRADED
    proxy.fault = None

    until(lambda: repository.locate([key])[key].storage_status is OK)


def test_only_one_caller_tries_a_bucket_that_was_dead():
    breaker = Breaker(pause_s=0.05)
    breaker.failed()
    assert not breaker.allows()
    until(breaker.allows)

    assert not breaker.allows()
    breaker.answered()
    assert breaker.allows()
    assert breaker.allows()


def test_content_that_was_there_is_not_looked_up_again(repository, proxy, content):
    keys = [put_remote(repository, content + bytes([n])) for n in range(10)]
    repository.locate(keys)

    for _ in range(3):
        assert {each.storage_status for each in repository.locate(keys).values()} == {DEGRADED}

    assert [lookups(proxy, key) for key in keys[1:]] == [1] * 9


def test_a_bucket_that_dies_is_noticed_also_when_all_files_are_remembered(
    repository, proxy, content
):
    key = put_local(repository, content)
    put_remote(repository, content)
    assert repository.locate([key])[key].storage_status is OK
    proxy.fault = Fault(reset=True)

    until(lambda: repository.locate([key])[key].storage_status is DEGRADED)


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


def test_health_names_each_storage_and_what_is_wrong_with_it(repository, proxy):
    assert [(each.name, each.status) for each in health(repository)] == [
        ("local", HealthStatus.OK),
        ("gcs", HealthStatus.OK),
    ]
    repository.local.root.rename(repository.local.root.with_name("gone"))
    proxy.fault = Fault(hang=True)

    sick = health(repository, timeout=0.3)

    assert [(each.name, each.status) for each in sick] == [
        ("local", HealthStatus.DOWN),
        ("gcs", HealthStatus.DOWN),
    ]
    assert all(each.message for each in sick)


def test_a_bucket_that_answers_late_is_degraded(repository, proxy):
    proxy.fault = Fault(delay_s=0.6)

    assert health(repository, timeout=1.0)[1].status is HealthStatus.DEGRADED


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
