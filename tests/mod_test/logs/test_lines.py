"""Lines: ours exactly, old ones by rules, and nothing that breaks JSON or a terminal."""

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_test.logs.filters import Filters, candidates
from mod_test.logs.legacy_line_levels import Level, Source
from mod_test.logs.lines import LogLine, own_timestamp, parse
from mod_test.logs.text import clean, folded_if_plain
from tests.mod_test.logs.samples import STARTED_AT


def line_of(raw: bytes) -> LogLine:
    return parse(raw).placed(0, len(raw) + 1, lambda _: STARTED_AT)


def test_a_line_of_our_runner_is_parsed_exactly() -> None:
    line = line_of(
        b"2026-01-01T00:00:01.123Z info test_runner #3 | 00:00:01,000 --> 00:00:02,000 | error"
    )

    assert line.timestamp == datetime(2026, 1, 1, 0, 0, 1, 123000, tzinfo=UTC)
    assert (line.level, line.source, line.regression_id) == (Level.INFO, Source.TEST_RUNNER, 3)
    assert line.message == "00:00:01,000 --> 00:00:02,000 | error"


def test_a_line_of_our_runner_may_be_of_no_test_and_say_nothing() -> None:
    line = line_of(b"2026-01-01T00:00:01.123Z critical orchestrator | ")

    assert (line.level, line.source) == (Level.CRITICAL, Source.ORCHESTRATOR)
    assert (line.message, line.regression_id) == ("", None)


@pytest.mark.parametrize(
    "raw",
    [
        b"2026-01-01T00:00:01Z info worker | no milliseconds",
        b"2026-01-01T00:00:01.123Z notice worker | no such level",
        b"2026-01-01T00:00:01.123Z info kitchen | no such source",
        b"2026-01-01T00:00:01.123Z info worker #0 | no such test",
        b" 2026-01-01T00:00:01.123Z info worker | indented",
    ],
)
def test_what_only_looks_like_a_line_of_our_runner_is_kept_whole(raw: bytes) -> None:
    assert line_of(raw).message == raw.decode()


def test_a_day_that_does_not_exist_is_no_time() -> None:
    line = line_of(b"2026-02-30T00:00:01.123Z error build | x")

    assert (line.timestamp, line.level, line.source) == (STARTED_AT, Level.ERROR, Source.BUILD)


def test_a_regression_test_beyond_all_ids_is_none() -> None:
    assert parse(b"2026-01-01T00:00:01.123Z info worker #2147483648 | x").regression_id is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-02T03:04:05.678Z x", "2024-01-02T03:04:05.678+00:00"),
        ("2024-01-02 03:04:05,678 - x", "2024-01-02T03:04:05.678+00:00"),
        ("[2024-01-02 03:04:05] x", "2024-01-02T03:04:05+00:00"),
        ("2024/01/02 03:04:05 x", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02 03:04:05.123456789 x", "2024-01-02T03:04:05.123456+00:00"),
        ("2024-01-02T03:04:05+02:00 x", "2024-01-02T01:04:05+00:00"),
        ("2024-01-02 03:04:05 -0530 x", "2024-01-02T08:34:05+00:00"),
        ("ERROR 2024-01-02 03:04:05 x", "2024-01-02T03:04:05+00:00"),
        ("[INFO] 2024-01-02 03:04:05 x", "2024-01-02T03:04:05+00:00"),
        ("\x1b[32m2024-01-02 03:04:05\x1b[0m x", "2024-01-02T03:04:05+00:00"),
        ("[02/Jan/2024:03:04:05 +0100] GET /", "2024-01-02T02:04:05+00:00"),
        ("Tue Jan  2 03:04:05 UTC 2024", "2024-01-02T03:04:05+00:00"),
    ],
)
def test_an_old_line_has_the_time_it_carries(text: str, time: str) -> None:
    assert own_timestamp(text.encode()) == datetime.fromisoformat(time)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00:00:01,000 --> 00:00:02,000",
        "2024-13-02 03:04:05 x",
        "2024-01-02 25:04:05 x",
        "0001-01-01 00:00:00 +2300 x",
        "copied 2024-01-02-03:04:05.log",
        "see the log of 2024-01-02 03:04:05",
        "٢٠٢٤-01-02 03:04:05",
    ],
)
def test_an_old_line_without_a_time_carries_none(text: str) -> None:
    assert own_timestamp(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ERROR: cannot open", "error"),
        ("an error occurred", "error"),
        ("Error", "error"),
        ("10 errors", "error"),
        ("finished with 2 error(s)", "error"),
        ("error:0A000086:SSL routines", "error"),
        ("3 tests failed", "error"),
        ("ValueError: bad", "error"),
        ("subprocess.CalledProcessError: Command", "error"),
        ("Traceback (most recent call last):", "error"),
        ("file.c:10:5: error: expected ;", "error"),
        ("level=error msg=x", "error"),
        ("2024-01-02 03:04:05,678 ERROR x", "error"),
        ("2024-01-02 03:04:05,678 - mod - ERROR - x", "error"),
        ("[main] ERROR x", "error"),
        ("[error] 2024-01-02 03:04:05 x", "error"),
        ("file.c:10:5: warning: unused", "warning"),
        ("[WARN] slow", "warning"),
        ("this option is deprecated", "warning"),
        ("0 errors, 2 warnings", "warning"),
        ("Segmentation fault (core dumped)", "critical"),
        ("FATAL x", "critical"),
        ("out of memory", "critical"),
        ("DEBUG: error table loaded", "debug"),
        ("2024-01-02 03:04:05,678 - INFO - error rate is fine", "info"),
        ('{"level":"info","message":"the error is gone"}', "info"),
        ("open /var/log/error/today.txt", "info"),
        ("src/error.c compiled", "info"),
        ("wrote error.log", "info"),
        ("C:\\error\\x.txt", "info"),
        ("run --error-log x --fail-fast", "info"),
        ("gcc -Werror x.c", "info"),
        ("error_count is 5", "info"),
        ("0 errors", "info"),
        ("no errors", "info"),
        ("no errors or warnings", "info"),
        ("no fatal errors found", "info"),
        ("errors: 0", "info"),
        ("errors=0 warnings=0", "info"),
        ("5 passed, 0 failed", "info"),
        ("without any errors", "info"),
        ("terrors and mirrors", "info"),
        ("", "info"),
    ],
)
def test_an_old_line_has_the_level_that_its_whole_words_tell(text: str, level: str) -> None:
    assert parse(text.encode()).level == level


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("[build] done", "build"),
        ("worker: hello", "worker"),
        ("2024-01-02 03:04:05 orchestrator - hello", "orchestrator"),
        ("file.c:10:5: warning: unused", "build"),
        ("[ 10%] Linking C executable", "build"),
        ("cmake finished", "build"),
        ("Running regression 5", "test_runner"),
        ("VM is up", "orchestrator"),
        ("nginx restarted", "web"),
        ("see https://example.org/build/test", "worker"),
        ("copied /build/test.txt", "worker"),
        ("hello", "worker"),
    ],
)
def test_an_old_line_has_the_source_that_its_words_tell(text: str, source: str) -> None:
    assert parse(text.encode()).source == source


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07shown", "shown"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b]never ended", "never ended"),
        (b"\xc2\x9b31mred", "red"),
        (b"\xc2\x9d0;title\xc2\x9cshown", "shown"),
        (b"\xc2\x90never ended\xc2\x9d0;title\x07", "never ended"),
        (b"\x1b(B\x1bcplain", "plain"),
        (b"10%\r20%\r\r", "10%20%"),
        (b"nul\x00bell\x07del\x7f", "nulbelldel"),
        (b"tab\tstays", "tab\tstays"),
        (b"\xff\xfebad", "\ufffd\ufffdbad"),
        (b"cut \xf0\x9f\x8e", "cut \ufffd"),
        ("größe 漢字 🎬".encode(), "größe 漢字 🎬"),
    ],
)
def test_what_could_break_a_terminal_is_removed(raw: bytes, message: str) -> None:
    assert clean(raw) == message


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_break_json_or_a_terminal(raw: bytes) -> None:
    message = line_of(raw.replace(b"\n", b"")).message

    assert json.loads(json.dumps(message).encode()) == message
    assert message.encode("utf-8").decode() == message
    assert all(unicodedata.category(letter) != "Cc" or letter == "\t" for letter in message)


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"\x1b"))))
def test_cleaning_lines_at_once_or_one_by_one_is_the_same(lines: list[bytes]) -> None:
    assert clean(b"\n".join(lines)) == "\n".join(clean(line) for line in lines)


@given(st.binary())
def test_plain_bytes_are_those_of_which_cleaning_removes_nothing(raw: bytes) -> None:
    plain = folded_if_plain(raw)

    if plain is not None:
        assert clean(raw) == raw.decode("utf-8", "replace")
        assert plain == raw.lower()


def test_a_long_message_is_cut_to_4000_characters() -> None:
    line = line_of(("ü" * 4001).encode())

    assert line.message == "ü" * 3999 + "…"
    assert line_of(("ü" * 4000).encode()).message == "ü" * 4000


@pytest.mark.parametrize(
    "text",
    [
        *("error" + " " * 60_000, "no " * 20_000, "a." * 30_000, "A" * 60_000),
        *(beginning * 30_000 for beginning in ("\x1b]", "\x1b[0", "\x90", "\x98", "\x9b0", "\x9d")),
    ],
    ids=["spaces", "no", "dots", "letters", "OSC", "CSI", "C1 DCS", "C1 SOS", "C1 CSI", "C1 OSC"],
)
@pytest.mark.timeout(5)
def test_no_line_takes_the_rules_long(text: str) -> None:
    raw = text.encode()

    assert len(line_of(raw).message) <= 4000
    # A search takes so much at once.
    assert list(candidates(raw * 4, Filters(contains="zebra"))) == []
