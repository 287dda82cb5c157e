"""Text from programs: lines, control characters, secrets."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mod_ci.runner.log_lines import format_lines
from mod_ci.runner.protocol import Finish
from mod_ci.runner.text import LineSplitter, redact

MOMENT = datetime(2026, 1, 1, 0, 0, 1, 123999, UTC)


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=30))
def test_lines_are_the_same_however_they_arrive(data: bytes, sizes: list[int]) -> None:
    whole = LineSplitter()
    expected = [*whole.feed(data), *whole.end()]
    pieces = LineSplitter()
    found: list[str] = []
    start = 0
    for size in sizes:
        found += pieces.feed(data[start : start + size])
        start += size
    found += [*pieces.feed(data[start:]), *pieces.end()]

    assert found == expected


@given(st.text(max_size=20_000, alphabet=st.characters(codec=None)))
def test_a_line_of_the_log_is_never_broken_nor_too_long(text: str) -> None:
    lines = format_lines(MOMENT, "info", "worker", [text], 3).split(b"\n")

    assert lines.pop() == b""
    assert lines
    for line in lines:
        assert len(line) < 8192
        decoded = line.decode()
        assert decoded.startswith("2026-01-01T00:00:01.123Z info worker #3 | ")
        assert len(decoded.splitlines()) == 1


def test_overlong_lines_are_split_between_characters() -> None:
    splitter = LineSplitter()

    pieces = [*splitter.feed("ä".encode() * 9000), *splitter.end()]

    assert "".join(pieces) == "ä" * 9000
    assert len(pieces) > 2


def test_credentials_are_not_told() -> None:
    text = f"fatal: https://me:pw@example.org/x and ssh://git@host with spci_{'a' * 43}"

    assert redact(text) == "fatal: https://example.org/x and ssh://host with [token]"


def test_a_finish_is_within_the_protocol_s_bounds() -> None:
    stack = [f"{number} " + "x" * 5000 for number in range(80)]

    body = Finish("build_failed", "build", "y" * 5000, stack).body()

    assert len(body["message"]) == 1000
    assert len(body["stack"]) == 50
    assert max(map(len, body["stack"])) == 2000
    # What was printed last says why.
    assert body["stack"][-1].startswith("79 ")
