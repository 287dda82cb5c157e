"""The repository folder: whole files only, and nothing outside of it."""

import io
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mod_sample.storage import (
    Damaged,
    LocalBackend,
    NotStored,
    OutOfRange,
    StorageUnavailable,
    TooLarge,
    UnsafeName,
    WrongContent,
    log_key,
)
from mod_sample.storage.staging import PREFIX
from tests.mod_sample.storage.conftest import named

SECRET = b"not for anybody"


def read(local: LocalBackend, key: str, start: int = 0, length: int | None = None) -> bytes:
    with local.open_range(key, start, length) as content:
        return b"".join(content)


def arriving(local: LocalBackend) -> list[Path]:
    return list((local.root / "TempFiles").iterdir())


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the repository, with a file nobody may read or change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "1.txt").write_bytes(SECRET)
    return folder


def test_what_is_put_can_be_read_in_ranges(local):
    content = os.urandom(700_000)
    key = named(content, ".bin")

    stat = local.put(key, io.BytesIO(content), "application/octet-stream")

    assert stat == local.stat(key)
    assert stat.size == len(content)
    assert stat.etag in key
    assert read(local, key) == content
    assert read(local, key, 699_990) == content[-10:]
    assert read(local, key, 10, 600_000) == content[10:600_010]
    assert read(local, key, 5, 0) == b""
    assert read(local, key, len(content)) == b""
    assert read(local, key, 0, 10**12) == content


def test_a_range_behind_the_end_says_how_long_the_file_is(local):
    local.put(log_key(1), io.BytesIO(b"12345"), "text/plain")

    for start in (6, -1):
        with pytest.raises(OutOfRange) as refused:
            local.open_range(log_key(1), start)
        assert refused.value.size == 5


def test_an_empty_file_is_a_file(local):
    local.put(named(b""), io.BytesIO(b""), "text/plain")

    assert local.stat(named(b"")).size == 0
    assert read(local, named(b"")) == b""


def test_what_is_not_there_is_not_stored(local):
    assert local.stat(log_key(1)) is None
    with pytest.raises(NotStored):
        local.open_range(log_key(1))
    local.delete(log_key(1))


def test_what_is_deleted_is_gone(local):
    local.put(log_key(1), io.BytesIO(b"x"), "text/plain")

    local.delete(log_key(1))

    assert local.stat(log_key(1)) is None


def test_an_arriving_file_is_private_and_a_kept_one_readable_for_the_existing_site(local):
    with local.receive(io.BytesIO(b"abc")) as received:
        assert received.path.stat().st_mode & 0o777 == 0o600
        local.keep(received, named(b"abc"))

    assert (local.root / named(b"abc")).stat().st_mode & 0o777 == 0o644
    assert arriving(local) == []


def test_what_is_received_is_hashed_and_removed_unless_it_is_kept(local):
    with local.receive(io.BytesIO(b"abc")) as received:
        assert received.path.read_bytes() == b"abc"
        assert received.size == 3
        assert received.sha256 in named(b"abc")

    assert arriving(local) == []


def test_an_upload_of_exactly_the_limit_is_taken_and_one_byte_more_leaves_nothing(local):
    with local.receive(io.BytesIO(b"x" * 10), limit=10) as received:
        assert received.size == 10

    with pytest.raises(TooLarge):
        local.receive(io.BytesIO(b"x" * 11), limit=10)

    assert arriving(local) == []


def test_a_stream_that_breaks_off_raises_its_own_error_and_leaves_nothing(local):
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            if self.closed:
                raise ConnectionResetError
            self.close()
            return b"part"

    with pytest.raises(ConnectionResetError):
        local.receive(Broken())

    assert arriving(local) == []


def test_content_is_not_kept_under_the_name_of_another(local):
    local.put(named(b"good"), io.BytesIO(b"good"), "text/plain")

    with pytest.raises(WrongContent):
        local.put(named(b"good"), io.BytesIO(b"evil"), "text/plain")

    assert read(local, named(b"good")) == b"good"
    assert arriving(local) == []


def test_a_broken_file_is_healed_by_putting_it_again(local):
    local.put(named(b"whole"), io.BytesIO(b"whole"), "text/plain")
    (local.root / named(b"whole")).write_bytes(b"wh")

    local.put(named(b"whole"), io.BytesIO(b"whole"), "text/plain")

    assert read(local, named(b"whole")) == b"whole"


def test_sweeping_removes_only_abandoned_files_of_ours(local):
    abandoned = local.receive(io.BytesIO(b"old"))
    hour_ago = time.time() - 3600
    os.utime(abandoned.path, (hour_ago, hour_ago))
    recent = local.receive(io.BytesIO(b"new"))
    foreign = local.root / "TempFiles" / "of-the-existing-site"
    foreign.write_bytes(b"foreign")
    os.utime(foreign, (hour_ago, hour_ago))

    assert local.sweep(older_than_s=60) == 1

    assert sorted(arriving(local)) == sorted([recent.path, foreign])


@pytest.mark.parametrize(
    "key",
    ["../outside/1.txt", "/etc/passwd", "LogFiles/../../outside/1.txt", "LogFiles/1\0.txt", ""],
)
def test_hostile_keys_are_refused_by_every_function(local, outside, key):
    for attempt in (
        lambda: local.stat(key),
        lambda: local.open_range(key),
        lambda: local.open_file(key),
        lambda: local.put(key, io.BytesIO(b"x"), "text/plain"),
        lambda: local.path(key),
        lambda: local.delete(key),
    ):
        with pytest.raises(UnsafeName):
            attempt()

    assert (outside / "1.txt").read_bytes() == SECRET


def test_a_linked_file_reads_as_not_stored_and_putting_replaces_the_link_only(local, outside):
    (local.root / "LogFiles").mkdir()
    (local.root / log_key(1)).symlink_to(outside / "1.txt")

    assert local.stat(log_key(1)) is None
    with pytest.raises(NotStored):
        local.open_range(log_key(1))
    with pytest.raises(StorageUnavailable):
        local.path(log_key(1))
    local.put(log_key(1), io.BytesIO(b"log"), "text/plain")

    assert read(local, log_key(1)) == b"log"
    assert (outside / "1.txt").read_bytes() == SECRET


@pytest.mark.parametrize("folder", ["LogFiles", "TempFiles"])
def test_a_linked_folder_is_never_entered(local, outside, folder):
    (local.root / folder).symlink_to(outside, target_is_directory=True)

    assert local.stat(log_key(1)) is None
    with pytest.raises(NotStored):
        local.open_range(log_key(1))
    with pytest.raises(StorageUnavailable):
        local.put(log_key(1), io.BytesIO(b"log"), "text/plain")
    local.delete(log_key(1))

    assert [path.name for path in outside.iterdir()] == ["1.txt"]
    assert (outside / "1.txt").read_bytes() == SECRET


def test_a_folder_exchanged_for_a_link_at_any_moment_leads_nowhere(local, outside):
    real, link, shelf = (local.root / name for name in ("LogFiles", "link", "shelf"))
    link.symlink_to(outside, target_is_directory=True)
    local.put(log_key(1), io.BytesIO(b"log"), "text/plain")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for names in ((real, shelf), (link, real), (real, link), (shelf, real)):
                names[0].rename(names[1])

    thread = threading.Thread(target=exchange)
    thread.start()
    seen = set()
    try:
        for _ in range(1500):
            try:
                seen.add(read(local, log_key(1)))
            except (NotStored, StorageUnavailable):
                seen.add(None)
    finally:
        stop.set()
        thread.join()

    assert SECRET not in seen
    assert b"log" in seen


def test_what_is_no_ordinary_file_is_not_stored_and_never_waited_for(local):
    (local.root / log_key(1)).mkdir(parents=True)
    os.mkfifo(local.root / log_key(2))

    for key in (log_key(1), log_key(2)):
        assert local.stat(key) is None
        with pytest.raises(NotStored):
            local.open_range(key)
    with pytest.raises(StorageUnavailable):
        local.put(log_key(1), io.BytesIO(b"x"), "text/plain")


def test_the_repository_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "repository").symlink_to(tmp_path / "disk")
    local = LocalBackend(tmp_path / "repository")

    local.put(log_key(1), io.BytesIO(b"log"), "text/plain")

    assert (tmp_path / "disk" / "LogFiles" / "1.txt").read_bytes() == b"log"


def test_a_repository_that_vanished_is_unavailable_and_not_empty(local):
    local.put(log_key(1), io.BytesIO(b"log"), "text/plain")
    local.root.rename(local.root.with_name("gone"))

    for attempt in (
        lambda: local.stat(log_key(1)),
        lambda: local.open_range(log_key(1)),
        lambda: local.put(log_key(1), io.BytesIO(b"x"), "text/plain"),
        lambda: local.ping(1.0),
    ):
        with pytest.raises(StorageUnavailable):
            attempt()


def test_a_folder_that_cannot_be_made_is_unavailable_until_it_is_there(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    local = LocalBackend(tmp_path / "file" / "repository")

    with pytest.raises(StorageUnavailable, match="file"):
        local.ping(1.0)

    (tmp_path / "file").unlink()
    (tmp_path / "file" / "repository").mkdir(parents=True)
    local.ping(1.0)


def test_a_file_deleted_or_replaced_while_it_is_read_is_read_to_its_end(local):
    local.put(log_key(1), io.BytesIO(b"a" * 600_000), "text/plain")
    with local.open_range(log_key(1)) as content:
        parts = iter(content)
        first = next(parts)
        local.put(log_key(1), io.BytesIO(b"b"), "text/plain")
        local.delete(log_key(1))

        assert first + b"".join(parts) == b"a" * 600_000


def test_a_file_cut_while_it_is_read_is_not_taken_for_whole(local):
    local.put(log_key(1), io.BytesIO(b"a" * 600_000), "text/plain")
    with local.open_range(log_key(1)) as content:
        parts = iter(content)
        next(parts)
        os.truncate(local.root / log_key(1), 300_000)

        with pytest.raises(Damaged):
            b"".join(parts)


def test_threads_that_put_the_same_content_leave_a_whole_file_at_every_moment(local):
    content = os.urandom(300_000)
    key = named(content, ".bin")
    local.put(key, io.BytesIO(content), "application/octet-stream")
    with ThreadPoolExecutor(6) as pool:
        puts = [
            pool.submit(local.put, key, io.BytesIO(content), "application/octet-stream")
            for _ in range(30)
        ]
        reads = [pool.submit(read, local, key) for _ in range(60)]

        assert all(each.result() == content for each in reads)
        assert all(each.result().size == len(content) for each in puts)
    assert arriving(local) == []


def _put(root: Path, content: bytes, failures: "multiprocessing.Queue[str]") -> None:
    try:
        for _ in range(20):
            LocalBackend(root).put(named(content), io.BytesIO(content), "text/plain")
    except Exception as error:  # noqa: BLE001 - the parent has to see whatever it is
        failures.put(repr(error))


def test_processes_that_put_the_same_content_leave_one_whole_file(local):
    content = os.urandom(200_000)
    context = multiprocessing.get_context("spawn")
    failures = context.Queue()
    workers = [context.Process(target=_put, args=(local.root, content, failures)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert failures.empty()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert read(local, named(content)) == content
    assert [path.name for path in (local.root / "TestResults").iterdir()] == [
        named(content).split("/")[1]
    ]
    assert not [path for path in arriving(local) if path.name.startswith(PREFIX)]


def test_a_path_for_other_programs_lies_in_a_folder_that_exists(local):
    path = local.path(log_key(5))

    assert path == local.root / "LogFiles" / "5.txt"
    assert path.parent.is_dir()
    assert not path.exists()
