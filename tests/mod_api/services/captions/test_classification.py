"""What is said about changed captions beyond their kind, and what hostile files may cost."""

import random

import pysubs2
import pytest

from mod_api.services.captions import MAX_BYTES, MAX_CUES, ChangeKind, classify
from tests.mod_api.services.captions.writing import FORMATS, Spoken, subrip, webvtt

_TEXTS = ["Good evening.", "[MUSIC]", "It is raining again.", "[MUSIC]", "Nobody minds."]
_CUES = [Spoken(1000 + 3000 * n, 3000 + 3000 * n, text) for n, text in enumerate(_TEXTS)]


def _long(count: int) -> list[Spoken]:
    return [
        Spoken(n * 2000, n * 2000 + 1500, f"line {n} of many" if n % 5 else "[MUSIC]")
        for n in range(count)
    ]


def _encoded(*files: list[Spoken]) -> list[bytes]:
    return [subrip(cues).encode() for cues in files]


def test_a_changed_pair_has_the_times_texts_and_words_of_both_sides() -> None:
    changed = [*_CUES[:2], Spoken(7000, 9500, "It is snowing again."), *_CUES[3:]]
    expected, actual = _encoded(_CUES, changed)

    found = classify(expected, actual, ".srt")

    assert found is not None
    (pair,) = found.changed
    assert pair.kind is ChangeKind.MIXED
    assert pair.expected is not None
    assert pair.actual is not None
    assert (pair.expected.number, pair.expected.start_ms, pair.expected.end_ms) == (3, 7000, 9000)
    assert (pair.actual.end_ms, pair.actual.text) == (9500, "It is snowing again.")
    assert [(word.expected, word.actual) for word in pair.words] == [("raining", "snowing")]


def test_a_missing_cue_has_no_actual_side() -> None:
    expected, actual = _encoded(_CUES, _CUES[1:])

    found = classify(expected, actual, "srt")

    assert found is not None
    assert [(pair.actual, pair.expected and pair.expected.number) for pair in found.changed] == [
        (None, 1)
    ]


def test_of_many_changed_cues_the_gravest_are_shown() -> None:
    cues = _long(400)
    moved = [Spoken(cue.start + 40, cue.end + 40, cue.text) for cue in cues]
    moved[301] = moved[301]._replace(text="nothing like it")
    del moved[350]

    found = classify(*_encoded(cues, moved), "srt")

    assert found is not None
    assert found.truncated
    assert len(found.changed) == 100
    numbers = [pair.expected.number for pair in found.changed if pair.expected]
    assert numbers == sorted(numbers)
    assert {302, 351} <= set(numbers)
    assert found.location is not None
    assert found.location.number == 351


def test_one_cue_missing_at_the_start_of_a_long_file_is_one_change() -> None:
    cues = _long(10_000)
    expected, actual = _encoded(cues, cues[1:])

    found = classify(expected, actual, "srt")

    assert found is not None
    assert found.kinds == {ChangeKind.MISSING_CUES: 1}


def test_a_text_repeated_throughout_is_told_apart_by_its_times() -> None:
    cues = [cue._replace(text="[MUSIC]") for cue in _long(50)]
    expected, actual = _encoded(cues, [*cues[:20], *cues[22:]])

    found = classify(expected, actual, "srt")

    assert found is not None
    assert found.kinds == {ChangeKind.MISSING_CUES: 2}
    assert [pair.expected and pair.expected.number for pair in found.changed] == [21, 22]


def test_texts_that_all_changed_are_paired_by_their_times() -> None:
    cues = _long(300)
    chance = random.Random(6)  # noqa: S311 - nothing secret
    texts = [cue.text for cue in cues]
    chance.shuffle(texts)
    other = [cue._replace(text=text) for cue, text in zip(cues, texts, strict=True)]

    found = classify(*_encoded(cues, other), "srt")

    assert found is not None
    assert set(found.kinds) == {ChangeKind.TEXT}


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (b"", ".txt"),
        (b"\x89PNG\r\n\x1a\n\0\0", ".png"),
        (b"GOOD EVENING.\nIT IS RAINING.\n", ".txt"),
        (b"name|value\n12|13\n", ".txt"),
    ],
)
def test_what_is_in_no_caption_format_is_not_classified(content: bytes, extension: str) -> None:
    assert classify(content, content + b"!", extension) is None


@pytest.mark.parametrize(
    ("expected", "actual", "extension", "told"),
    [
        (b"not a cue", b"nor here", ".srt", "no cue in them can be read as SubRip."),
        (b"<tt><body/></tt>", b"<tt></tt>", ".ttml", "no cue in them can be read as TTML."),
        (
            b"Scenarist_SCC V1.0\n\n0",
            b"Scenarist_SCC V1.0\n\n1",
            ".scc",
            "captions in SCC are not read.",
        ),
        (b"nothing", b"nothing \n", ".vtt", "only white space differ."),
        (b"", b"\x00\xff", ".srt", "no cue in them can be read as SubRip."),
        (b"", b"", ".ttxt", "The captions are identical."),
        (subrip(_CUES).encode(), b"Scenarist_SCC V1.0\n", ".srt", "captions in SCC are not read."),
    ],
)
def test_files_of_a_caption_extension_are_told_of_in_words(
    expected: bytes, actual: bytes, extension: str, told: str
) -> None:
    found = classify(expected, actual, extension)

    assert found is not None
    assert found.message.endswith(told)


def test_a_lost_line_of_times_takes_no_cue_with_it() -> None:
    (content,) = _encoded(_CUES)
    damaged = content.replace(b"00:00:07,000 --> 00:00:09,000\n", b"")

    found = classify(content, damaged, "srt")

    assert found is not None
    assert found.kinds == {ChangeKind.FORMATTING: 1}
    assert found.message == "1 line of times of the actual file cannot be read as SubRip."


def test_a_word_that_changed_while_rows_were_merged_loses_no_row() -> None:
    rows = [
        cue._replace(text=row) for cue in _CUES for row in (f"First row of {cue.start}", cue.text)
    ]
    merged = [cue._replace(text=f"First row of {cue.start}\n{cue.text}") for cue in _CUES]
    merged[2] = merged[2]._replace(text=merged[2].text.replace("First", "Worst"))

    there, back = (classify(*pair, "vtt") for pair in _both_ways(webvtt(rows), webvtt(merged)))

    assert there is not None
    assert back is not None
    assert there.kinds == back.kinds == {ChangeKind.TEXT: 1, ChangeKind.SPLIT_OR_MERGED: 4}


def _both_ways(first: str, second: str) -> list[tuple[bytes, bytes]]:
    return [(first.encode(), second.encode()), (second.encode(), first.encode())]


def test_the_same_text_at_a_distant_time_is_another_cue() -> None:
    moved = [*_CUES[:-1], _CUES[-1]._replace(start=80_000, end=82_000)]

    found = classify(*_encoded(_CUES, moved), "srt")

    assert found is not None
    assert found.kinds == {ChangeKind.MISSING_CUES: 1, ChangeKind.EXTRA_CUES: 1}


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_content_decides_before_the_extension(extension: str) -> None:
    expected = FORMATS[extension](_CUES).encode()
    actual = FORMATS[extension](_CUES[1:]).encode()

    found = classify(expected, actual, ".txt")

    assert found is not None
    assert found.kinds == {ChangeKind.MISSING_CUES: 1}


def test_one_damaged_byte_is_a_changed_text_and_no_other_encoding() -> None:
    cues = [cue._replace(text=f"É {cue.text} é") for cue in _CUES]
    (content,) = _encoded(cues)
    damaged = content.replace("É It".encode(), b"\xff It")

    found = classify(content, damaged, "srt")

    assert found is not None
    assert found.kinds == {ChangeKind.TEXT: 1}
    assert found.location is not None
    assert found.location.number == 3


@pytest.mark.parametrize("write", [subrip, webvtt])
def test_well_formed_files_are_read_as_pysubs2_reads_them(write: object) -> None:
    assert callable(write)
    text = write([cue for cue in _long(200) if "[" not in cue.text])
    events = pysubs2.SSAFile.from_string(text, keep_html_tags=True)
    again = [Spoken(event.start, event.end, event.text) for event in events]

    found = classify(text.encode(), write(again).encode(), "")

    assert found is not None
    assert found.kind is ChangeKind.IDENTICAL


def _scattered(seed: int, count: int) -> list[Spoken]:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    starts = (n * 2000 + chance.randrange(5000) for n in range(count))
    return [Spoken(start, start + chance.randrange(5000), chance.choice("abc")) for start in starts]


def test_of_cues_that_differ_too_much_nothing_is_claimed() -> None:
    expected, actual = _encoded(_scattered(1, 20_000), _scattered(2, 20_000))

    found = classify(expected, actual, "srt")

    assert found is not None
    assert found.kind is ChangeKind.MIXED
    assert found.truncated
    # A table of all pairs would take minutes, longer than a test may take.
    assert found.message.endswith("in their place differ too much to be compared.")


def test_files_over_the_limits_are_not_classified_but_named_captions() -> None:
    (many,) = _encoded([Spoken(n, n + 1, "x") for n in range(MAX_CUES + 1)])
    (large,) = _encoded([Spoken(0, 1, "x" * MAX_BYTES)])

    found = [classify(content, content + b"\n", "srt") for content in (many, large)]

    assert [(one and one.kind, one and one.truncated) for one in found] == [
        (ChangeKind.MIXED, True)
    ] * 2
    assert classify(b"\0" * (MAX_BYTES + 1), b"", ".bin") is None
