"""Random caption files with edits whose kind is known are classified as they were made."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_api.services.captions import CaptionComparison, ChangeKind, classify
from tests.mod_api.services.captions.exchange import answer, exchanged
from tests.mod_api.services.captions.writing import FORMATS, Spoken

pytestmark = pytest.mark.slow

_WORDS = ["the", "harbour", "says", "it", "is", "raining", "café", "again", "and", "nobody"]
_PROFILE = settings(max_examples=40, deadline=None)
_FORMAT = st.sampled_from(sorted(FORMATS))


@st.composite
def _captions(draw: st.DrawFn, fewest: int = 4) -> list[Spoken]:
    """Cues in order of time; every other may be a text that occurs many times."""
    cues: list[Spoken] = []
    time = 10_000
    for number in range(draw(st.integers(fewest, 25))):
        words = draw(st.lists(st.sampled_from(_WORDS), min_size=2, max_size=6))
        text = " ".join([f"é{number}", *words])
        if number % 2 and draw(st.booleans()):
            text = "[MUSIC]"
        start = time + draw(st.integers(200, 4000))
        time = start + draw(st.integers(900, 5000))
        cues.append(Spoken(start, time, text))
    return cues


def _changed(expected: list[Spoken], actual: list[Spoken], extension: str) -> CaptionComparison:
    write = FORMATS[extension]
    found = classify(write(expected).encode(), write(actual).encode(), extension)
    assert found is not None
    return found


def _with(cues: list[Spoken], place: int, *instead: Spoken) -> list[Spoken]:
    return [*cues[:place], *instead, *cues[place + 1 :]]


def _sentence(cues: list[Spoken], pick: int) -> int:
    """The place of a cue with at least three words."""
    places = [place for place, cue in enumerate(cues) if " " in cue.text]
    return places[pick % len(places)]


@_PROFILE
@given(cues=_captions(), extension=_FORMAT)
def test_nothing_changed(cues: list[Spoken], extension: str) -> None:
    found = _changed(cues, cues, extension)

    assert found.kinds == {ChangeKind.IDENTICAL: len(cues)}


@_PROFILE
@given(
    cues=_captions(),
    extension=_FORMAT,
    shift=st.integers(-9000, 100_000).filter(bool),
)
def test_a_shift_of_every_cue(cues: list[Spoken], extension: str, shift: int) -> None:
    moved = [Spoken(cue.start + shift, cue.end + shift, cue.text) for cue in cues]

    found = _changed(cues, moved, extension)

    assert found.kinds == {ChangeKind.TIMING_SHIFT: len(cues)}
    assert found.shift_ms == shift


@_PROFILE
@given(
    cues=_captions(fewest=8),
    extension=_FORMAT,
    rate=st.sampled_from([0.999, 1.001, 24 / 25, 25 / 24, 25 / 23.976]),
)
def test_a_drift_of_every_cue(cues: list[Spoken], extension: str, rate: float) -> None:
    moved = [Spoken(round(cue.start * rate), round(cue.end * rate), cue.text) for cue in cues]

    found = _changed(cues, moved, extension)

    assert found.kinds == {ChangeKind.TIMING_DRIFT: len(cues)}
    assert found.rate == pytest.approx(rate, abs=2e-4)


@_PROFILE
@given(cues=_captions(), extension=_FORMAT, pick=st.integers(0, 24))
def test_a_cue_left_out(cues: list[Spoken], extension: str, pick: int) -> None:
    place = pick % len(cues)

    found = _changed(cues, _with(cues, place), extension)

    assert found.kinds == {ChangeKind.MISSING_CUES: 1}
    assert found.location is not None
    assert (found.location.number, found.location.start_ms) == (place + 1, cues[place].start)


@_PROFILE
@given(
    cues=_captions(),
    extension=_FORMAT,
    pick=st.integers(0, 23),
    text=st.sampled_from(["[MUSIC]", "out of nowhere"]),
)
def test_a_cue_put_in(cues: list[Spoken], extension: str, pick: int, text: str) -> None:
    place = pick % (len(cues) - 1)
    new = Spoken(cues[place].end + 1, cues[place + 1].start - 1, text)

    found = _changed(cues, [*cues[: place + 1], new, *cues[place + 1 :]], extension)

    assert found.kinds == {ChangeKind.EXTRA_CUES: 1}


@_PROFILE
@given(cues=_captions(), extension=_FORMAT, pick=st.integers(0, 24))
def test_a_text_wrapped_at_another_word(cues: list[Spoken], extension: str, pick: int) -> None:
    place = _sentence(cues, pick)
    cue = cues[place]
    wrapped = cue._replace(text=cue.text.replace(" ", "\n", 1))

    found = _changed(cues, _with(cues, place, wrapped), extension)

    assert found.kinds == {ChangeKind.WHITESPACE: 1}


@_PROFILE
@given(
    cues=_captions(),
    extension=_FORMAT,
    encoding=st.sampled_from(["latin-1", "utf-8-sig", "utf-16", "utf-16-le"]),
    back=st.booleans(),
)
def test_another_encoding(cues: list[Spoken], extension: str, encoding: str, back: bool) -> None:
    text = FORMATS[extension](cues)
    pair = [text.encode(), text.encode(encoding)]
    if back:
        pair.reverse()

    found = classify(pair[0], pair[1], extension)

    assert found is not None
    assert found.kinds == {ChangeKind.ENCODING: len(cues)}


@_PROFILE
@given(
    cues=_captions(),
    extension=_FORMAT,
    endings=st.permutations(["\n", "\r\n", "\r"]),
)
def test_other_line_endings(cues: list[Spoken], extension: str, endings: list[str]) -> None:
    text = FORMATS[extension](cues)
    expected, actual = (text.replace("\n", ending).encode() for ending in endings[:2])

    found = classify(expected, actual, extension)

    assert found is not None
    assert found.kinds == {ChangeKind.LINE_ENDINGS: len(cues)}


@_PROFILE
@given(cues=_captions(), extension=_FORMAT, pick=st.integers(0, 24), word=st.integers(0, 6))
def test_a_word_replaced(cues: list[Spoken], extension: str, pick: int, word: int) -> None:
    place = _sentence(cues, pick)
    words = cues[place].text.split()
    old, words[word % len(words)] = words[word % len(words)], "zebra"

    found = _changed(
        cues, _with(cues, place, cues[place]._replace(text=" ".join(words))), extension
    )

    assert found.kinds == {ChangeKind.TEXT: 1}
    assert [(change.expected, change.actual) for change in found.changed[0].words] == [
        (old, "zebra")
    ]
    assert found.location is not None
    assert found.location.number == place + 1


@_PROFILE
@given(cues=_captions(), extension=_FORMAT, pick=st.integers(0, 24))
def test_a_cue_in_italics(cues: list[Spoken], extension: str, pick: int) -> None:
    place = pick % len(cues)
    slanted = cues[place]._replace(text=f"<i>{cues[place].text}</i>")

    found = _changed(cues, _with(cues, place, slanted), extension)

    assert found.kinds == {ChangeKind.FORMATTING: 1}


@_PROFILE
@given(cues=_captions(), extension=_FORMAT, pick=st.integers(0, 24), merged=st.booleans())
def test_a_cue_split_in_two_or_two_merged(
    cues: list[Spoken], extension: str, pick: int, merged: bool
) -> None:
    place = _sentence(cues, pick)
    cue = cues[place]
    first, rest = cue.text.split(" ", 1)
    middle = (cue.start + cue.end) // 2
    split = _with(cues, place, Spoken(cue.start, middle, first), Spoken(middle, cue.end, rest))

    found = _changed(split, cues, extension) if merged else _changed(cues, split, extension)

    assert found.kinds == {ChangeKind.SPLIT_OR_MERGED: 1}


@_PROFILE
@given(
    cues=_captions(fewest=6),
    extension=_FORMAT,
    shift=st.integers(1, 60_000),
    picks=st.tuples(st.integers(0, 24), st.integers(0, 24)),
)
def test_a_shift_a_word_and_a_missing_cue_at_once(
    cues: list[Spoken], extension: str, shift: int, picks: tuple[int, int]
) -> None:
    reworded = _sentence(cues, picks[0])
    missing = picks[1] % len(cues)
    if missing == reworded:
        missing = (missing + 1) % len(cues)
    edited = _with(cues, reworded, cues[reworded]._replace(text=cues[reworded].text + " zebra"))
    moved = [
        Spoken(cue.start + shift, cue.end + shift, cue.text)
        for place, cue in enumerate(edited)
        if place != missing
    ]

    found = _changed(cues, moved, extension)

    assert found.kind is ChangeKind.MIXED
    assert found.kinds == {
        ChangeKind.MISSING_CUES: 1,
        ChangeKind.TEXT: 1,
        ChangeKind.TIMING_SHIFT: len(cues) - 1,
    }
    assert found.shift_ms == shift


@_PROFILE
@given(
    cues=_captions(),
    repeats=st.lists(st.integers(0, 24), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_with_equal_times(
    cues: list[Spoken], repeats: list[int], order: random.Random
) -> None:
    rows = [
        cue._replace(text=f"{cue.text} {row}")
        for place, cue in enumerate(cues)
        for row in range(3 if place in repeats else 1)
    ]
    shuffled = rows.copy()
    order.shuffle(shuffled)
    shuffled.sort(key=lambda cue: cue.start)

    there, back = _changed(rows, shuffled, "vtt"), _changed(shuffled, rows, "vtt")

    assert set(there.kinds) <= {ChangeKind.FORMATTING, ChangeKind.IDENTICAL}
    assert exchanged(there) == answer(back)


@settings(max_examples=150, deadline=None)
@given(
    cues=_captions(),
    extension=_FORMAT,
    cuts=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=8))),
)
def test_damaged_files_are_classified_too(
    cues: list[Spoken], extension: str, cuts: list[tuple[int, int, bytes]]
) -> None:
    expected = actual = FORMATS[extension](cues).encode()
    for start, length, instead in cuts:
        actual = actual[:start] + instead + actual[start + length :]

    there, back = classify(expected, actual, extension), classify(actual, expected, extension)

    assert there is not None
    assert back is not None
    assert (there.kind is ChangeKind.IDENTICAL) == (expected == actual)
    assert there.kinds or there.truncated
    assert exchanged(there) == answer(back)
    assert there.cues_expected == back.cues_actual == len(cues)
    assert there.message.endswith(".")


@settings(max_examples=100, deadline=None)
@given(expected=st.binary(), actual=st.binary(), extension=st.sampled_from(["srt", "vtt", ".bin"]))
def test_bytes_without_cues_are_captions_by_their_extension_only(
    expected: bytes, actual: bytes, extension: str
) -> None:
    found = classify(expected, actual, extension)

    assert (found is None) == (extension == ".bin")
