"""The comparison of two files: exact counts, faithful hunks, honest about what it left out."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mod_api.services.diff import Comparison, GaveUp, LineKind, compare
from mod_api.services.diff import comparison as comparison_module
from mod_api.services.diff.libgit2 import MAX_LINES
from mod_regression.decoding import decode_pair

_LINE = st.sampled_from(
    [b"", b"a", b"b", b"--- a", b"+++ b", b"@@ -1 +1 @@", b"\\ No newline", b"x\r", b"\xc3\xa9"]
)
_FILE = st.builds(
    lambda lines, ended: b"\n".join(lines) + (b"\n" if ended and lines else b""),
    st.lists(_LINE, max_size=12),
    st.booleans(),
)


@pytest.fixture(autouse=True)
def _patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a slow machine time, except where giving up is the subject."""
    if "hostile" not in request.fixturenames:
        monkeypatch.setattr(comparison_module, "TIME_LIMIT_S", 120)


def _applied(expected: bytes, comparison: Comparison) -> bytes:
    """The actual file, rebuilt from the expected one and the hunks."""
    lines = expected.splitlines(keepends=True) if b"\r" not in expected else _split(expected)
    rebuilt: list[bytes] = []
    position = 0
    for hunk in comparison.hunks:
        # A side without lines is numbered by the line before it.
        start = hunk.expected_start - (1 if hunk.expected_lines else 0)
        rebuilt += lines[position:start]
        position = start + hunk.expected_lines
        for line in hunk.lines:
            if line.kind is not LineKind.REMOVED:
                rebuilt.append(line.text.encode() + (b"\n" if line.final_newline else b""))
    return b"".join(rebuilt + lines[position:])


def _split(content: bytes) -> list[bytes]:
    pieces = content.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _kinds(comparison: Comparison) -> list[tuple[str, int | None, int | None, str]]:
    return [
        (line.kind.value, line.expected_line, line.actual_line, line.text)
        for hunk in comparison.hunks
        for line in hunk.lines
    ]


@settings(max_examples=300, deadline=None)
@given(expected=_FILE, actual=_FILE, context_lines=st.integers(0, 4))
def test_applying_the_hunks_to_the_expected_file_gives_the_actual_one(
    expected: bytes, actual: bytes, context_lines: int
) -> None:
    comparison = compare(expected, actual, context_lines)

    assert _applied(expected, comparison) == actual
    counted = [kind for kind, *_ in _kinds(comparison)]
    assert comparison.added_lines == counted.count("added")
    assert comparison.removed_lines == counted.count("removed")
    assert comparison.changed_hunks == len(comparison.hunks)
    assert comparison.identical == (expected == actual)
    assert not comparison.truncated


@settings(max_examples=100, deadline=None)
@given(expected=_FILE, actual=_FILE, context_lines=st.integers(0, 4))
def test_patch_accepts_the_unified_text(
    expected: bytes, actual: bytes, context_lines: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Without context git may take a last line without a line end for an earlier one:
    # findings/git-apply-without-context-removes-another-line.sh.
    assume(context_lines or (expected.endswith(b"\n") and actual.endswith(b"\n")))
    comparison = compare(expected, actual, context_lines)
    if comparison.identical:
        assert comparison.unified == ""
        return
    folder = tmp_path_factory.mktemp("patch")
    (folder / "file").write_bytes(expected)
    patch = comparison.unified.replace("--- expected", "--- a/file", 1)
    patch = patch.replace("+++ actual", "+++ b/file", 1)

    command = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"]
    applied = subprocess.run(command, cwd=folder, input=patch.encode(), capture_output=True)

    assert applied.stderr == b""
    assert (folder / "file").read_bytes() == actual


def test_lines_that_begin_with_dashes_are_lines_like_any_other() -> None:
    comparison = compare(b"a\n--- b\n+++ c\n", b"a\n-- b\n++ c\n", 0)

    assert _kinds(comparison) == [
        ("removed", 2, None, "--- b"),
        ("removed", 3, None, "+++ c"),
        ("added", None, 2, "-- b"),
        ("added", None, 3, "++ c"),
    ]


def test_without_context_an_insertion_is_numbered_by_the_line_before_it() -> None:
    (hunk,) = compare(b"a\nb\n", b"a\nx\nb\n", 0).hunks

    assert (hunk.expected_start, hunk.expected_lines) == (1, 0)
    assert (hunk.actual_start, hunk.actual_lines) == (2, 1)


def test_an_empty_file_starts_at_zero() -> None:
    (filled,) = compare(b"", b"a\n", 3).hunks
    (emptied,) = compare(b"a\n", b"", 3).hunks

    assert (filled.expected_start, filled.actual_start) == (0, 1)
    assert (emptied.expected_start, emptied.actual_start) == (1, 0)


def test_two_empty_files_are_identical() -> None:
    comparison = compare(b"", b"", 3)

    assert comparison.identical
    assert comparison.added_lines == comparison.removed_lines == comparison.changed_hunks == 0


def test_a_missing_final_newline_is_said_in_words_in_the_line_and_in_the_unified_text() -> None:
    comparison = compare(b"a\nb\n", b"a\nb", 0)

    assert comparison.missing_final_newline == ("actual",)
    assert [line.final_newline for line in comparison.hunks[0].lines] == [True, False]
    assert comparison.unified.endswith("-b\n+b\n\\ No newline at end of file\n")


def test_a_carriage_return_stays_visible() -> None:
    comparison = compare(b"a\r\nb\r\n", b"a\nb\n", 0)

    assert comparison.line_endings_differ
    assert _kinds(comparison)[0] == ("removed", 1, None, "a\r")


def test_damaged_utf8_is_shown_with_replacement_and_flagged() -> None:
    comparison = compare("é\nü\nß\nä\ncaf".encode() + b"\xff\n", "é\nü\nß\nä\ncafé\n".encode(), 0)

    assert comparison.invalid_utf8
    assert not comparison.encodings_differ
    assert [text for *_, text in _kinds(comparison)] == ["caf\ufffd", "café"]


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("¿quién?\n¡sí!\n".encode("latin-1"), "latin-1"),
        ("“quién?”\n“sí, no”\n".encode("cp1252"), "latin-1"),
        ("¿quién?\n".encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + "¿quién?\n".encode("utf-16-be"), "utf-16-be"),
        ("\ufeff¿quién?\n".encode(), "utf-8-bom"),
        ("¿quién?\n\ufffd\n".encode(), "utf-8"),
        ("\ufffd\n".encode(), "utf-8"),
        ("¿quién?\n¡sí!\n".encode() + b"\xff\n", "utf-8"),
        (b"plain\n", "utf-8"),
    ],
)
def test_lines_are_decoded_as_captions_are(written: bytes, encoding: str) -> None:
    decoded, _ = decode_pair(written, b"")
    comparison = compare(written, b"", 0)
    assert comparison.expected is not None
    shown = [text.removeprefix("\ufeff") for *_, text in _kinds(comparison)]

    assert (comparison.expected.encoding, decoded.encoding) == (encoding, encoding)
    expected = decoded.text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    assert shown == expected.splitlines()
    assert all(text.removeprefix("\ufeff") in comparison.unified for text in shown)


def test_the_encoding_is_decided_as_in_a_large_file_in_a_small_one() -> None:
    text = "".join(f"{number} ¿quién?\n" for number in range(20_000))
    changed = text.replace("100 ¿quién?", "100 ¿Quién?")

    comparison = compare(text.encode("latin-1"), changed.encode("latin-1"), 0)

    assert comparison.expected is not None
    assert comparison.expected.encoding == "latin-1"
    assert _kinds(comparison)[0][-1] == "100 ¿quién?"


def test_a_nul_byte_far_into_a_file_makes_it_binary_and_there_are_no_hunks() -> None:
    comparison = compare(b"line\n" * 4000 + b"\0\n", b"line\n" * 4000, 3)

    assert comparison.binary
    assert not comparison.hunks
    assert comparison.unified == ""
    assert comparison.added_lines is None


def test_utf16_with_a_byte_order_mark_is_compared_as_its_text() -> None:
    expected, actual = "\ufeffone\ntwo\n".encode("utf-16-le"), "\ufeffone\n2\n".encode("utf-16-le")

    comparison = compare(expected, actual, 0)

    assert not comparison.binary
    assert _kinds(comparison) == [("removed", 2, None, "two"), ("added", None, 2, "2")]


def test_the_same_text_in_another_encoding_is_different_without_hunks() -> None:
    comparison = compare("é\n".encode(), "\ufeffé\n".encode("utf-16-be"), 3)

    assert not comparison.identical
    assert comparison.encodings_differ
    assert comparison.hunks == ()
    assert comparison.added_lines == 0


def test_counts_stay_exact_where_hunks_are_cut() -> None:
    expected = [b"line %d\n" % number for number in range(6000)]
    actual = [b"new\n" if number % 10 == 0 else line for number, line in enumerate(expected)]

    comparison = compare(b"".join(expected), b"".join(actual), 0)

    assert comparison.truncated
    assert len(comparison.hunks) == 500
    assert (comparison.added_lines, comparison.removed_lines) == (600, 600)
    assert comparison.changed_hunks == 600


def test_a_long_hunk_and_a_long_line_are_cut() -> None:
    comparison = compare(b"a\n" * 700 + "é".encode() * 1500, b"", 0)
    (line,) = compare(b"", "é".encode() * 1001, 0).hunks[0].lines

    assert comparison.truncated
    assert [len(hunk.lines) for hunk in comparison.hunks] == [500, 201]
    assert comparison.removed_lines == 701
    assert len(line.text) == 1000
    assert line.text.endswith("é…")


def test_a_line_of_exactly_the_bound_is_whole() -> None:
    comparison = compare(b"", "𝄞".encode() * 1000, 0)

    assert comparison.hunks[0].lines[0].text == "𝄞" * 1000
    assert not comparison.truncated


@pytest.mark.parametrize(("removed", "added"), [(3000, 3000), (3000, 10), (10, 3000), (499, 2)])
@pytest.mark.parametrize("around", [0, 3])
def test_a_long_change_is_split_so_that_both_sides_are_seen(
    removed: int, added: int, around: int
) -> None:
    before = ["first", "x", *(f"old {number}" for number in range(removed)), "y", "last"]
    after = ["first", "x", *(f"new {number}" for number in range(added)), "y", "last"]

    comparison = compare("\n".join(before).encode(), "\n".join(after).encode(), around)
    kinds = [{line.kind for line in hunk.lines} for hunk in comparison.hunks]
    lines = [line for hunk in comparison.hunks for line in hunk.lines]

    assert not comparison.truncated
    assert {"removed", "added"} <= kinds[0]
    assert max(len(hunk.lines) for hunk in comparison.hunks) <= 500
    assert [line.text for line in lines if line.kind == "removed"] == before[2:-2]
    assert [line.text for line in lines if line.kind == "added"] == after[2:-2]
    for hunk in comparison.hunks:
        for start, count, number in (
            (hunk.expected_start, hunk.expected_lines, "expected_line"),
            (hunk.actual_start, hunk.actual_lines, "actual_line"),
        ):
            numbers = [getattr(line, number) for line in hunk.lines if getattr(line, number)]
            assert numbers == list(range(start, start + count))
    assert comparison.changed_hunks == 1
    assert comparison.unified.count("@@ -") == 1


def test_a_change_that_is_larger_than_all_that_is_shown_has_lines_of_both_files() -> None:
    lines = list(range(60_000))

    comparison = compare(
        "".join(f"old {number}\n" for number in lines).encode(),
        "".join(f"new {number}\n" for number in lines).encode(),
        0,
    )
    shown = [line.kind for hunk in comparison.hunks for line in hunk.lines]

    assert comparison.truncated
    assert len(shown) == MAX_LINES
    assert shown.count("added") == shown.count("removed")
    assert comparison.unified_truncated
    assert {"-old 20000", "+new 20000"} <= set(comparison.unified.splitlines())


@pytest.mark.parametrize("at", [0, 700, 900, 999, 1000, 5000, 9999])
@pytest.mark.parametrize("letter", ["a", "é", "𝄞"])
def test_long_lines_are_shown_where_they_differ(at: int, letter: str) -> None:
    before = letter * 10_000
    after = before[:at] + "X" + before[at + 1 :]

    comparison = compare(f"{before}\n".encode(), f"{after}\n".encode(), 0)
    old, new = (line.text for line in comparison.hunks[0].lines)

    assert comparison.truncated
    assert max(len(old), len(new)) <= 1000
    assert "X" in new
    assert new.replace("X", letter) == old


def test_a_long_line_that_became_longer_shows_its_end() -> None:
    before = "a" * 4000

    comparison = compare(f"{before}\n".encode(), f"{before} and more\n".encode(), 0)
    old, new = (line.text for line in comparison.hunks[0].lines)

    assert (old[0], new[0]) == ("…", "…")
    assert new == old + " and more"


def test_all_lines_together_are_bounded() -> None:
    kept = [b"%d\n" % number for number in range(400)]
    expected = b"".join(line + b"old\n" * 300 for line in kept)
    actual = b"".join(line + b"new\n" * 300 for line in kept)

    comparison = compare(expected, actual, 0)

    assert sum(len(hunk.lines) for hunk in comparison.hunks) <= MAX_LINES
    assert comparison.truncated
    assert comparison.added_lines == comparison.removed_lines == 120_000


def test_the_unified_text_is_bounded_and_ends_with_a_whole_line() -> None:
    comparison = compare(b"", b"0123456789\n" * 400_000, 3)

    assert comparison.unified_truncated
    assert len(comparison.unified) <= 1024 * 1024
    assert comparison.unified.endswith("+0123456789\n")
    assert comparison.added_lines == 400_000


def test_a_child_answers_as_this_process_would(tmp_path: Path) -> None:
    lines = [b"caption %d \xe9 --> \r\n" % number for number in range(30_000)]
    expected = b"".join(lines)
    lines[7] = b"changed\n"
    del lines[20_000]
    actual = b"".join(lines) + b"end"
    (tmp_path / "expected").write_bytes(expected)
    (tmp_path / "actual").write_bytes(actual)

    from_bytes = compare(expected, actual, 1)
    from_paths = compare(tmp_path / "expected", tmp_path / "actual", 1)

    assert from_bytes == from_paths
    assert (from_bytes.added_lines, from_bytes.removed_lines) == (2, 2)
    assert from_bytes.changed_hunks == 3
    assert from_bytes.invalid_utf8
    assert _kinds(from_bytes)[-1] == ("added", None, 30_000, "end")


@pytest.fixture(scope="module")
def hostile() -> tuple[bytes, bytes]:
    """Two files of 9 MB of short lines in no order: libgit2 alone would need a minute."""
    chance = random.Random(4)  # noqa: S311 - nothing secret
    lines = [b"%d\n" % digit for digit in range(10)]
    return b"".join(chance.choices(lines, k=4_500_000)), b"".join(
        chance.choices(lines, k=4_500_000)
    )


def test_a_hostile_pair_is_given_up_and_other_threads_go_on_meanwhile(
    hostile: tuple[bytes, bytes],
) -> None:
    expected, actual = hostile
    answers: list[Comparison] = []
    thread = threading.Thread(target=lambda: answers.append(compare(expected, actual, 3)))

    thread.start()
    turns = 0
    while thread.is_alive():
        thread.join(0.01)
        turns += 1

    assert answers[0].gave_up_because is GaveUp.TIME_LIMIT
    assert answers[0].added_lines is None
    assert answers[0].hunks == ()
    assert turns > 20  # one that holds the interpreter's lock leaves this thread a turn or two


def test_while_as_many_are_compared_as_may_be_another_is_told_that_it_is_busy(
    hostile: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_module, "_children", threading.BoundedSemaphore(0))

    comparison = compare(*hostile, 3)

    assert comparison.gave_up_because is GaveUp.BUSY
    assert comparison.hunks == ()


def test_files_over_the_limit_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200 * 1024 * 1024)

    comparison = compare(tmp_path / "large", b"", 3)

    assert comparison.gave_up_because is GaveUp.TOO_LARGE


def test_a_path_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        compare(tmp_path / "none", b"", 3)


@pytest.mark.parametrize("context_lines", [-1, 51])
def test_context_outside_its_bounds_raises(context_lines: int) -> None:
    with pytest.raises(ValueError, match="context_lines"):
        compare(b"a", b"b", context_lines)


_MEASURE = """
import resource
from mod_api.services.diff import compare, comparison

comparison.TIME_LIMIT_S = 120  # a slow machine changes nothing in what is measured
line = b"%07d a line of captions as they are\\n"
expected = b"".join(line % number for number in range(290_000))
actual = b"".join(b"x" + line % number if number % 900 == 0 else line % number
                  for number in range(290_000))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = compare(expected, actual, 3)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(len(expected), found.changed_hunks, found.added_lines, after - before + child)
"""


def test_two_files_of_10_mib_with_ordinary_edits_take_under_200_mib() -> None:
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", _MEASURE]
    measured = subprocess.run(command, cwd=root, capture_output=True, text=True)

    assert measured.stderr == ""
    size, hunks, added, extra_kib = map(int, measured.stdout.split())
    assert size > 10 * 1024 * 1024
    assert (hunks, added) == (323, 323)
    assert extra_kib < 200 * 1024
