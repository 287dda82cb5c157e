"""A bucket that is away or slow: what is said meanwhile, and how often it is asked."""

import io
import itertools
from types import SimpleNamespace

import pytest

from mod_sample.storage import HealthStatus, Repository, StorageUnavailable, gcs, health
from mod_sample.storage.breaker import Breaker
from mod_sample.storage.gcs import GcsBackend, Limits
from mod_sample.storage.side_by_side import ask_all
from tests.mod_sample.storage.conftest import BUCKET, named
from tests.mod_sample.storage.places import DEGRADED, OK, put_local, put_remote
from tests.mod_sample.storage.proxy import Fault
from tests.patience import PATIENCE_SECONDS, until


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
    assert {(found[key].storage_status, found[key].known) for key in unknown} == {(DEGRADED, False)}
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


def test_a_bucket_that_dies_is_noticed_also_when_all_files_are_remembered(
    repository, proxy, content
):
    key = put_local(repository, content)
    put_remote(repository, content)
    assert repository.locate([key])[key].storage_status is OK
    proxy.fault = Fault(reset=True)

    until(lambda: repository.locate([key])[key].storage_status is DEGRADED)


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


def test_a_bucket_that_answers_late_is_degraded(repository, monkeypatch):
    clock = itertools.count(step=0.6 * PATIENCE_SECONDS)
    monkeypatch.setattr(gcs, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    found = health(repository, timeout=PATIENCE_SECONDS)[1]

    assert (found.status, found.message) == (HealthStatus.DEGRADED, "answered after 72.0 s")
