"""The samples are what they claim to be."""

import hashlib
import re
import subprocess
from xml.etree import ElementTree

import pytest

from demo.content import scc, teletext, texts
from demo.content.cues import cue
from demo.content.extractor import reading

KINDS = {
    "harbour-radio.scc": ["eia_608"],
    "portrait.scc": ["eia_608"],
    "bakery.mov": ["eia_608"],
    "harbour.mp4": ["mov_text"],
    "market.mkv": ["subrip", "subrip"],
    "lecture.mkv": ["webvtt"],
    "song.mkv": ["ass"],
    "evening-news.ts": ["dvb_teletext"],
    "polyglot.srt": ["subrip"],
    "silent-film.mp4": [],
}
CUES = {
    "portrait.scc": texts.PORTRAIT,
    "bakery.mov": texts.BAKERY,
    "harbour.mp4": texts.HARBOUR,
    "market.mkv": texts.MARKET_ENGLISH,
    "lecture.mkv": texts.LECTURE,
    "song.mkv": texts.SONG,
    "evening-news.ts": texts.EVENING_NEWS,
    "polyglot.srt": texts.POLYGLOT,
}
FRAME = 10  # ms that a caption of line 21 may be off for being on a frame
# In QuickTime the last caption stays until its track ends, a few frames after its erasure.
LAST_END = {"bakery.mov": 100}


def plain(lines):
    return [" ".join(re.sub("<[^>]*>", "", line).split()) for line in lines]


def test_every_sample_is_read_by_ffmpeg_without_complaint(demo):
    for sample in demo.samples:
        command = [reading.program(), "-v", "error", "-nostdin", "-i", str(sample.path)]
        done = subprocess.run(
            [*command, "-map", "0", "-c", "copy", "-f", "null", "-"], capture_output=True
        )

        assert (done.returncode, done.stderr) == (0, b""), sample.name


def test_every_sample_has_the_caption_tracks_that_its_name_stands_for(demo):
    found = {
        sample.name: [track.codec for track in reading.tracks(sample.path)]
        for sample in demo.samples
    }

    assert found == KINDS


@pytest.mark.parametrize("name", CUES)
def test_the_captions_read_from_a_sample_are_those_written_into_it(demo, name):
    path = next(sample.path for sample in demo.samples if sample.name == name)

    read = reading.captions(path, reading.tracks(path)[0])

    assert [plain(caption.lines) for caption in read] == [plain(one.lines) for one in CUES[name]]
    for caption, one in zip(read, CUES[name], strict=True):
        assert abs(caption.start - one.start) <= FRAME
        last = LAST_END.get(name, FRAME) if one is CUES[name][-1] else FRAME
        assert abs(caption.end - one.end) <= last


def test_samples_are_described_with_their_true_hash_and_size(demo):
    for sample in demo.samples:
        content = sample.path.read_bytes()
        media = ElementTree.fromstring(sample.media_info)  # noqa: S314 (our own document)
        general = media.find(".//{*}track[@type='General']")

        assert sample.sha256 == hashlib.sha256(content).hexdigest()
        assert sample.path.name == f"{sample.path.stem}.{sample.extension}"
        assert general.findtext("{*}FileSize") == str(len(content))
        assert len(media.findall(".//{*}track[@type='Text']")) == len(KINDS[sample.name])


def test_all_samples_together_are_small(demo):
    assert sum(sample.path.stat().st_size for sample in demo.samples) < 300_000


def test_every_byte_of_line_21_has_odd_parity(demo):
    path = next(sample.path for sample in demo.samples if sample.name == "portrait.scc")
    words = re.findall(r"\b[0-9a-f]{4}\b", path.read_text("ascii"))

    assert len(words) > 100
    assert {byte.bit_count() % 2 for word in words for byte in bytes.fromhex(word)} == {1}


def test_a_character_that_line_21_does_not_have_is_refused():
    with pytest.raises(ValueError, match="CEA-608 has no 'ł'"):
        scc.pop_on((cue(2000, 3000, "łatwa"),))


def test_a_row_that_is_too_wide_is_refused():
    with pytest.raises(ValueError, match="wider than a row of line 21"):
        scc.roll_up((cue(2000, 3000, "x" * 33),))
    with pytest.raises(ValueError, match="wider than a row of teletext"):
        teletext.stream((cue(2000, 3000, "x" * 37),))


def test_captions_too_close_to_be_loaded_are_refused():
    with pytest.raises(ValueError, match="still busy"):
        scc.pop_on((cue(2000, 3000, "x" * 30), cue(3100, 4000, "y" * 30)))


def test_a_character_that_german_teletext_does_not_have_is_refused():
    with pytest.raises(ValueError, match="German teletext has no 'é'"):
        teletext.stream((cue(2000, 3000, "é"),))
