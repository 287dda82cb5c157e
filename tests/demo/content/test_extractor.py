"""The extractor's command line, as a person or a runner meets it."""

import os
import subprocess
import sys

import pytest

from demo.content import changes
from demo.content.execution import executable
from demo.content.extractor import reading


@pytest.fixture(scope="session")
def extractor(tmp_path_factory):
    return executable(changes.good(), tmp_path_factory.mktemp("extractor"))


@pytest.fixture
def extract(extractor, demo, tmp_path):
    """Call the built extractor; a sample's name stands for its path."""
    paths = {sample.name: str(sample.path) for sample in demo.samples}

    def call(*arguments, given=b"", **environment):
        words = [paths.get(argument, argument) for argument in arguments]
        return subprocess.run(
            [sys.executable, str(extractor), *words],
            cwd=tmp_path,
            env=os.environ | {"FFMPEG": reading.program()} | environment,
            input=given,
            capture_output=True,
        )

    return call


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("-out=srt",), 2),
        (("no-such-file.mkv",), 2),
        (("market.mkv", "song.mkv"), 3),
        (("-stdout", "-12", "market.mkv"), 4),
        (("-stdout", "-o", "x.srt", "market.mkv"), 4),
        (("-o", "no/such/folder.srt", "market.mkv"), 5),
        (("-out=karaoke", "market.mkv"), 7),
        (("-delay", "soon", "market.mkv"), 7),
        (("-delay", "٣", "market.mkv"), 7),
        (("-startat", "1:2:3:4", "market.mkv"), 7),
        (("-frobnicate", "market.mkv"), 7),
        (("market.mkv", "-o"), 7),
        (("silent-film.mp4",), 10),
        (("-2", "song.mkv"), 10),
        (("--help",), 11),
    ],
)
def test_every_way_to_end_without_captions_has_its_exit_code(extract, tmp_path, arguments, code):
    done = extract(*arguments)

    assert done.returncode == code
    assert done.stderr
    assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_media_file_is_a_read_error(extract):
    assert extract("-", given=bytes(range(256)) * 100).returncode == 8
    assert extract("-", given=b"").returncode == 8


def test_an_ffmpeg_that_cannot_be_started_is_a_read_error(extract, tmp_path):
    done = extract("-stdout", "song.mkv", FFMPEG=str(tmp_path / "nowhere"))

    assert done.returncode == 8
    assert b"ffmpeg cannot be started" in done.stderr


def test_a_broken_off_file_ends_in_order(extract, demo, tmp_path):
    for sample in demo.samples:
        whole = sample.path.read_bytes()
        for size in (1, 40, len(whole) // 2, len(whole) - 1):
            done = extract("-stdout", "-", given=whole[:size])

            assert done.returncode in (0, 8, 10), (sample.name, size)
            assert b"Traceback" not in done.stderr


def test_standard_input_and_the_file_itself_give_the_same(extract, demo):
    for sample in demo.samples:
        of_file = extract("-out=ttxt", "-stdout", sample.name)
        of_pipe = extract("-out=ttxt", "-stdout", "-", given=sample.path.read_bytes())

        assert (of_pipe.returncode, of_pipe.stdout) == (of_file.returncode, of_file.stdout)


def test_a_report_has_no_path_in_it(extract, demo):
    report = extract("-out=report", "market.mkv").stdout.decode()

    assert "Track 2: subrip, spa" in report
    assert str(demo.samples[0].path.parent) not in report


def test_progress_goes_to_standard_output_unless_captions_do(extract, tmp_path):
    to_file = extract("-o", "out.srt", "song.mkv")
    to_stdout = extract("-stdout", "song.mkv")
    quiet = extract("-o", "quiet.srt", "-quiet", "song.mkv")

    assert b"100%  |  00:08\n" in to_file.stdout
    assert b"%" not in to_stdout.stdout
    assert to_stdout.stdout == (tmp_path / "out.srt").read_bytes()
    assert b"100%  |  00:08\n" in to_stdout.stderr
    assert (quiet.stdout, quiet.stderr) == (b"", b"")


def test_options_do_what_they_are_for(extract):
    def text(*arguments):
        return extract("-stdout", *arguments).stdout

    assert text("-lf", "song.mkv").count(b"\r") == 0
    assert text("song.mkv").count(b"\r\n") == text("song.mkv").count(b"\n")
    assert text("-bom", "song.mkv").startswith(b"\xef\xbb\xbf1\r\n")
    assert "Señor" in text("-latin1", "portrait.scc").decode("latin-1")
    assert "¶ La, la, ¶" in text("-latin1", "portrait.scc").decode("latin-1")
    assert b"<font color" in text("market.mkv")
    assert b"<font color" not in text("-nofc", "market.mkv")
    assert b"<i>" not in text("-nots", "song.mkv")
    assert b"\r\n    <i> " in text("portrait.scc")
    assert b"\r\n<i>" in text("-trim", "portrait.scc")
    assert b"LIVES AN OLD" not in text("-sc", "song.mkv")
    assert b"00:00:02,000 --> 00:00:03,500" in text("-delay", "1000", "song.mkv")
    assert b"00:00:00,000 --> 00:00:00,500" in text("-delay", "-2000", "song.mkv")
    assert text("-startat", "1:00:00", "polyglot.srt").startswith(b"1\r\n01:00:00,000 -->")
    assert b"An hour later" not in text("-endat", "60:00", "polyglot.srt")


def test_both_tracks_go_to_numbered_files(extract, tmp_path):
    done = extract("-12", "-o", "market.srt", "market.mkv")

    assert done.returncode == 0
    assert b"pumpkins" in (tmp_path / "market_1.srt").read_bytes()
    assert b"calabazas" in (tmp_path / "market_2.srt").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2
