"""Appending: at its offset, once, whole lines, and what a crash leaves behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_test.logs.append import OffsetMismatch, append, settle
from mod_test.logs.source import FileLog
from tests.mod_test.logs.samples import LINES, all_lines, told
from tests.mod_test.logs.test_pages import EVERYTHING, read_all


def test_appends_name_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "LogFiles" / "5.txt"

    first = append(path, 0, b"one\n")
    second = append(path, first.offset, b"two\n")

    assert path.read_bytes() == b"one\ntwo\n"
    assert (second.offset, second.full, second.duplicate) == (8, False, False)


def test_the_same_append_twice_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    append(path, 0, b"one\n")
    append(path, 4, b"two\n")

    again = append(path, 0, b"one\n")

    assert (again.offset, again.duplicate) == (8, True)
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("offset", "data"),
    [(0, b"six\n"), (4, b"x\n"), (9, b"x\n"), (4, b"two\nthree\n"), (2, b"e\n!\n")],
)
def test_an_append_elsewhere_is_told_the_true_offset(
    tmp_path: Path, offset: int, data: bytes
) -> None:
    path = tmp_path / "5.txt"
    append(path, 0, b"one\ntwo\n")

    with pytest.raises(OffsetMismatch) as raised:
        append(path, offset, data)

    assert raised.value.true_offset == 8
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(("offset", "data"), [(0, b"half"), (0, b""), (-1, b"x\n")])
def test_only_whole_lines_are_taken(tmp_path: Path, offset: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="whole lines"):
        append(tmp_path / "5.txt", offset, data)

    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(LINES, min_size=1, max_size=20),
    sizes=st.lists(st.integers(1, 5), min_size=1),
    torn=st.lists(st.integers(0, 400), max_size=5),
    limit=st.integers(1, 9),
)
def test_a_log_appended_in_chunks_with_crashes_is_whole(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    sizes: list[int],
    torn: list[int],
    limit: int,
) -> None:
    path = tmp_path_factory.mktemp("log") / "5.txt"
    whole = b"".join(line + b"\n" for line in lines)
    offset = chunk = 0
    while offset < len(whole):
        taken = whole[offset:].split(b"\n")[: sizes[chunk % len(sizes)]]
        data = b"".join(line + b"\n" for line in taken)[: len(whole) - offset]
        if chunk < len(torn):
            # A server that died in the middle of its write, of a character perhaps.
            with path.open("ab") as file:
                file.write(data[: torn[chunk]])
        try:
            offset = append(path, offset, data).offset
        except OffsetMismatch as mismatch:
            offset = mismatch.true_offset
        chunk += 1

    assert path.read_bytes() == whole
    with FileLog.open(path) as log:
        assert told(read_all(log, limit=limit)) == told(all_lines(whole, EVERYTHING, finished=True))


def test_a_log_at_its_limit_says_so_in_a_last_line_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    append(path, 0, b"one\n", limit_bytes=12)

    over = append(path, 4, b"two\nthree\n", limit_bytes=12)
    kept = path.read_bytes()
    later = append(path, over.offset, b"four\n", limit_bytes=12)
    elsewhere = append(path, 4, b"two\nthree\n", limit_bytes=12)

    assert kept.startswith(b"one\ntwo\n")
    assert b"reached its limit" in kept
    assert kept.count(b"\n") == 3
    assert path.read_bytes() == kept
    assert all(answer.full for answer in (over, later, elsewhere))
    assert {answer.offset for answer in (over, later, elsewhere)} == {len(kept)}


def test_the_last_line_of_a_full_log_never_joins_a_broken_off_one(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    path.write_bytes(b"one\nbroken o")

    append(path, 12, b"ff and more than fits\n", limit_bytes=14)

    lines = path.read_bytes().splitlines()
    assert lines[:2] == [b"one", b"broken o"]
    assert b"warning orchestrator | The log has reached its limit" in lines[2]


def test_a_test_that_prints_the_last_line_does_not_end_the_log(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    full = tmp_path / "full.txt"
    append(full, 0, b"x\n", limit_bytes=1)
    printed = b"2026-01-01T00:00:00.000Z info test_runner #3 | " + full.read_bytes()

    first = append(path, 0, printed)
    second = append(path, first.offset, b"next\n")

    assert not second.full
    assert path.read_bytes() == printed + b"next\n"


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_bytes(b"")
    (tmp_path / "5.txt").symlink_to(target)

    with pytest.raises(OSError):
        append(tmp_path / "5.txt", 0, b"one\n")
    with pytest.raises(OSError):
        settle(tmp_path / "5.txt")
    with pytest.raises(OSError):
        FileLog.open(tmp_path / "5.txt")

    assert target.read_bytes() == b""


@pytest.mark.timeout(10)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "5.txt")

    with pytest.raises(OSError):
        append(tmp_path / "5.txt", 0, b"one\n")
    with pytest.raises(OSError):
        FileLog.open(tmp_path / "5.txt")


def test_an_index_that_cannot_be_written_does_not_cost_the_log(tmp_path: Path) -> None:
    (tmp_path / "5.index").mkdir()

    appended = append(tmp_path / "5.txt", 0, b"one\n")

    assert appended.offset == 4


def test_settling_ends_a_line_that_a_crash_broke_off(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    path.write_bytes(b"one\nbroken o")

    assert settle(path) == 13
    assert settle(path) == 13
    assert path.read_bytes() == b"one\nbroken o\n"
    assert settle(tmp_path / "6.txt") == 0
    assert not (tmp_path / "6.txt").exists()


def test_writers_racing_for_one_offset_are_one_winner_and_mismatches(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    outcomes: list[object] = []

    def write(number: int) -> None:
        offset = 0
        for _ in range(20):
            try:
                offset = append(path, offset, f"writer {number}\n".encode()).offset
                outcomes.append(offset)
            except OffsetMismatch as mismatch:
                offset = mismatch.true_offset

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, outcomes)) == [9 * n for n in range(1, len(outcomes) + 1)]  # type: ignore[arg-type]
    assert path.stat().st_size == 9 * len(outcomes)


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    append(path, 0, b"one\n")
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from mod_test.logs.append import append\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "append(Path(sys.argv[1]), 4, b'x' * 5000 + b'\\n')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )

    assert "File too large" in done.stderr
    assert path.read_bytes() == b"one\n"


def test_a_writer_killed_at_any_moment_leaves_a_log_to_go_on_with(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    line = b"2026-01-01T00:00:00.000Z info worker #3 | " + "ü漢🎬".encode() * 500 + b"\n"
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mod_test.logs.append import append, settle\n"
        "path = Path(sys.argv[1]); offset = settle(path); print('ready', flush=True)\n"
        "while True:\n"
        "    offset = append(path, offset, sys.stdin.buffer.readline() * 20).offset\n"
    )
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            writer.stdout.readline()
            writer.stdin.write(line * 40)
            writer.stdin.flush()
            while not path.exists() or path.stat().st_size < len(line):
                pass
            writer.send_signal(signal.SIGKILL)

    size = settle(path)

    with FileLog.open(path) as log:
        lines = read_all(log)
    assert lines[-1].next_offset == size
    # At most the one line in which each of the three was killed is not as it was sent.
    assert sum(shown.next_offset - shown.offset != len(line) for shown in lines) <= 3
    assert append(path, size, b"next\n").offset == size + 5
