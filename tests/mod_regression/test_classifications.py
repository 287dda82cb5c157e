"""What is kept of pairs of contents: once, by today's rules, whoever finds it first."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask

from database import db, reading, written
from mod_regression import classifications
from mod_regression.classifications import Classification, Pair
from tests import factories
from tests.raw import Raw

RULES = 3
A, B, C = (factories.digest(text) for text in "abc")
TEXT = Classification("text", "One cue differs.", 4, 1500, "{}")
NOT_CAPTIONS = Classification(None)


def keep(pair: Pair, found: Classification, rules: int = RULES) -> None:
    written(lambda: classifications.keep(pair, found, rules))


def test_what_is_kept_is_found_again(app: Flask) -> None:
    with app.app_context():
        keep(Pair.of(A, B, ".srt"), TEXT)
        keep(Pair.of(A, C, ".srt"), NOT_CAPTIONS)

        with reading():
            assert classifications.find(Pair.of(A, B, ".srt"), RULES) == TEXT
            assert classifications.find(Pair.of(A, C, ".srt"), RULES) == NOT_CAPTIONS
            assert classifications.find(Pair.of(B, A, ".srt"), RULES) is None
            assert classifications.find(Pair.of(A, B, ".txt"), RULES) is None


def test_the_case_of_hashes_and_extension_does_not_matter(app: Flask) -> None:
    with app.app_context():
        keep(Pair.of(A.upper(), B, ".SRT"), TEXT)

        with reading():
            assert classifications.find(Pair.of(A, B.upper(), ".srt"), RULES) == TEXT


def test_many_pairs_are_looked_up_at_once_without_mixing_them(app: Flask) -> None:
    pairs = [Pair.of(A, B, ".srt"), Pair.of(B, C, ".srt"), Pair.of(A, C, ".srt")]
    with app.app_context():
        keep(pairs[0], TEXT)
        keep(pairs[1], NOT_CAPTIONS)
        keep(Pair.of(A, C, ".vtt"), TEXT)

        with reading():
            found = classifications.classifications(pairs, RULES)
            assert classifications.classifications([], RULES) == {}

    assert set(found) == set(pairs[:2])
    assert (found[pairs[0]].kind, found[pairs[0]].cue_number) == ("text", 4)
    assert found[pairs[1]].kind is None


def test_other_rules_replace_what_older_ones_found(app: Flask, raw: Raw) -> None:
    pair = Pair.of(A, B, ".srt")
    with app.app_context():
        keep(pair, NOT_CAPTIONS, RULES - 1)
        with reading():
            assert classifications.find(pair, RULES) is None

        keep(pair, TEXT)

        with reading():
            assert classifications.find(pair, RULES) == TEXT
    assert raw.execute("SELECT COUNT(*) FROM diff_classification") == [(1,)]


def test_several_who_find_the_same_at_once_keep_it_once(app: Flask, raw: Raw) -> None:
    pair = Pair.of(A, B, ".srt")
    start = Barrier(6)

    def find_and_keep(number: int) -> None:
        with app.app_context():
            start.wait(60)
            keep(pair, Classification("text", f"found by {number}"))
            db.session.remove()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(find_and_keep, range(6)))

    assert raw.execute("SELECT COUNT(*) FROM diff_classification") == [(1,)]


def test_a_time_beyond_all_clocks_is_left_out(app: Flask) -> None:
    pair = Pair.of(A, B, ".srt")
    with app.app_context():
        keep(pair, Classification("text", "far away", 1, 10**12))

        with reading():
            found = classifications.find(pair, RULES)

    assert found is not None
    assert found.start_ms is None
