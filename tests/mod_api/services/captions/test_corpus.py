"""Pairs of caption files, each with the classification that a person would give it."""

import json
from pathlib import Path
from typing import Any

import pytest

from mod_api.services.captions import classify
from tests.mod_api.services.captions.exchange import answer, exchanged

_CORPUS = Path(__file__).parent / "corpus"
_MANIFEST: dict[str, dict[str, Any]] = json.loads((_CORPUS / "manifest.json").read_text())


@pytest.mark.parametrize("name", _MANIFEST)
def test_a_pair_of_the_corpus_is_classified_as_a_person_would(name: str) -> None:
    told = _MANIFEST[name]
    (expected,) = (_CORPUS / name).glob("expected.*")
    actual = expected.with_stem("actual")

    found = classify(expected.read_bytes(), actual.read_bytes(), expected.suffix)

    assert found is not None
    assert found.kind == told["kind"], found.message
    assert found.kinds == told.get("kinds", found.kinds)
    assert found.shift_ms == told.get("shift_ms")
    assert found.rate == (pytest.approx(told["rate"], abs=1e-4) if "rate" in told else None)
    assert found.message == told.get("message", found.message)
    if "location" in told:
        assert (found.location and found.location.number) == told["location"]


@pytest.mark.parametrize("name", _MANIFEST)
def test_exchanging_the_files_exchanges_the_answer(name: str) -> None:
    (expected,) = (_CORPUS / name).glob("expected.*")
    contents = expected.read_bytes(), expected.with_stem("actual").read_bytes()

    there = classify(*contents, expected.suffix)
    back = classify(*reversed(contents), expected.suffix)

    assert there is not None
    assert back is not None
    assert exchanged(there) == answer(back)


def test_every_folder_of_the_corpus_is_in_the_manifest() -> None:
    folders = {path.name for path in _CORPUS.iterdir() if path.is_dir()}

    assert folders == set(_MANIFEST)
    assert len(folders) >= 150
