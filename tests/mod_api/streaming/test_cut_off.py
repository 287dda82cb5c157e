"""Whatever breaks, a follower ends with exactly the bytes of the log."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from tests.conftest import Site
from tests.mod_api.streaming.following import follow
from tests.patience import tries
from tests.runners import Held, runner
from tests.web_server import Server

pytestmark = pytest.mark.slow

CUT_EVERY = 100
MOST_CUTS = 50
PAUSES = 500
# One to four bytes each; what a terminal would obey is not shown, and so not among them.
characters = st.sampled_from("a b|#:ä߿ࠀ€\u2028\ufffd😀𐀀\U0010fffd")
messages = st.lists(st.text(characters, max_size=400), min_size=5, max_size=40)
pieces = st.lists(st.integers(1, 9000), min_size=1, max_size=8)


def examples(count: int) -> Any:
    """So many, however long each takes; the fixtures are the same for all."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=count, deadline=None, suppress_health_check=checks)


def log_of(texts: list[str], lines: int) -> bytes:
    """A log of that many lines, the texts over and over."""
    return b"".join(
        f"2026-01-01T00:00:00.{number % 1000:03}Z info test_runner | {text}\n".encode()
        for number, text in zip(range(lines), itertools.cycle(texts), strict=False)
    )


class Growing:
    """A log that grows by pieces that end anywhere, also inside a character."""

    def __init__(self, path: Path, content: bytes, sizes: list[int]) -> None:
        self._path, self._content, self._sizes = path, content, sizes
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        at = 0
        with self._path.open("ab", buffering=0) as file:
            for number, size in enumerate(itertools.cycle(self._sizes)):
                file.write(self._content[at : at + size])
                at += size
                if at >= len(self._content):
                    return
                if number < PAUSES:  # a log of single bytes would take minutes
                    time.sleep(0.001)

    def __enter__(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def __exit__(self, *raised: object) -> None:
        self._thread.join()


class Copy:
    """What a follower has of a log so far, line by line as the log has them."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        self.content = bytearray()
        self.ended = False
        self._path, self._headers = path, headers
        self._last_id: str | None = None

    def go_on(self, server: Server, lines: int | None) -> None:
        """Follow until so many lines have come or the stream ends; then cut the connection."""
        following = follow(server, self._path, self._headers, last_id=self._last_id)
        assert following.status == 200, following.response.read()
        seen = 0
        for event in following.events():
            self.ended = event.name == "end"
            if not self.ended:
                told = event.data
                self.content += (
                    f"{told['timestamp']} {told['level']} {told['source']} | {told['message']}\n"
                ).encode()
                seen += 1
            self._last_id = following.last_id
            if seen == lines:
                break
        following.close()

    def to_its_end(self, server: Server, lines: int | None) -> None:
        """Go on until the stream has ended."""
        for _ in range(MOST_CUTS):
            self.go_on(server, lines)
            if self.ended:
                return
        raise AssertionError("The stream did not end.")


def run_of(site: Site) -> tuple[Held, Path]:
    factories.run(tests=[factories.regression_test()])
    held = runner(site.app.test_client()).claim()
    return held, site.repository / "LogFiles" / f"{held.run_id}.txt"


@examples(3)
@given(texts=messages, sizes=pieces)
def test_with_the_connection_cut_every_100_lines_and_the_server_restarted_twice(
    server: Server, site: Site, someone: dict[str, str], texts: list[str], sizes: list[int]
) -> None:
    held, path = run_of(site)
    content = log_of(texts, 350)
    copy = Copy(f"/api/v1/runs/{held.run_id}/logs/stream", someone)

    with Growing(path, content, sizes):
        copy.go_on(server, CUT_EVERY)
        server.restart()
        copy.go_on(server, CUT_EVERY)
        server.kill()
        server.start()
        copy.go_on(server, CUT_EVERY)
    assert held.finish().status_code == 200
    copy.to_its_end(server, CUT_EVERY)

    assert copy.content == content == path.read_bytes()


@examples(8)
@given(texts=messages, sizes=pieces, cuts=st.lists(st.integers(10, 60), min_size=1, max_size=5))
def test_with_the_connection_cut_anywhere_while_the_log_grows(
    server: Server,
    site: Site,
    someone: dict[str, str],
    texts: list[str],
    sizes: list[int],
    cuts: list[int],
) -> None:
    held, path = run_of(site)
    content = log_of(texts, 200)
    copy = Copy(f"/api/v1/runs/{held.run_id}/logs/stream", someone)
    left = 200

    with Growing(path, content, sizes):
        for cut in itertools.cycle(cuts):
            if left < cut:
                break
            copy.go_on(server, cut)
            left -= cut
    assert held.finish().status_code == 200
    copy.to_its_end(server, None)

    assert copy.content == content


@pytest.mark.parametrize("readers", [20])
def test_readers_that_take_nothing_neither_slow_others_nor_grow_memory_and_are_given_up(
    serve: Callable[..., Server], site: Site, someone: dict[str, str], readers: int
) -> None:
    server = serve(client_timeout=4, max_streams=readers + 1)
    held, path = run_of(site)
    content = log_of(["x" * 200], 100_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content[: len(content) // 2])
    stream = f"/api/v1/runs/{held.run_id}/logs/stream"
    warm = Copy(stream, someone)
    warm.go_on(server, 1)
    grown = server.memory_peak_from_now()
    stuck = [follow(server, stream, someone) for _ in range(readers)]
    path.write_bytes(content)
    assert held.finish().status_code == 200
    reader = Copy(stream, someone)
    reader.to_its_end(server, None)
    memory = grown()
    # They are given up one after the other; each leaves its place to another reader.
    again = []
    for _ in range(readers // 2):
        for _ in tries(0.2):
            one = follow(server, stream, someone)
            if one.status == 200:
                again.append(one)
                break
            assert one.status == 503

    assert reader.content == content
    assert memory < 30 * 1024 * 1024
    for one in (*stuck, *again):
        one.close()
