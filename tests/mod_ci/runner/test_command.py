"""The command line that a regression test becomes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mod_ci.runner.claim import Output, RegressionTest, Sample
from mod_ci.runner.command import Unsupported, arguments, sample_name
from tests.mod_ci.runner.standin import StandIn, offer, regression

TEST = RegressionTest(
    1, 1, "-out=srt '-x y'", "file", "file", (Output(1, "news.srt", ".srt", None),)
)
SAMPLE = Sample(1, "0" * 64, "mkv", "news.mkv", 1, "")


@pytest.mark.parametrize(
    ("input_type", "output_type", "expected"),
    [
        ("file", "file", ["-o", "output.srt", "input/news.mkv"]),
        ("stdin", "file", ["-o", "output.srt", "-"]),
        ("file", "stdout", ["-stdout", "input/news.mkv"]),
        ("file", "null", ["-out=null", "input/news.mkv"]),
        ("stdin", "report", ["-out=report", "-"]),
    ],
)
def test_output_and_input_follow_the_test_s_own_arguments(
    input_type: str, output_type: str, expected: list[str]
) -> None:
    test = replace(TEST, input_type=input_type, output_type=output_type)

    assert arguments(test, SAMPLE) == ["-out=srt", "-x y", *expected]


@pytest.mark.parametrize("output_type", ["file", "cea708", "multiprogram"])
def test_the_claim_says_which_name_the_program_is_told(output_type: str) -> None:
    test = replace(TEST, output_type=output_type, output_filename="output.p0.svc01.srt")

    assert arguments(test, SAMPLE)[2:] == ["-o", "output.p0.svc01.srt", "input/news.mkv"]


def test_an_empty_command_is_none(server: StandIn, serve_all: Callable[..., None]) -> None:
    assert arguments(replace(TEST, command=""), SAMPLE) == ["-o", "output.srt", "input/news.mkv"]
    tests = [regression(1, ""), regression(2, " ") | {"command": None}]
    server.queue.append(offer(tests, {1: b"media\n"}))

    serve_all()

    assert [result["exit_code"] for result in server.only().results.values()] == [0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"output_type": "tcp"},
        {"input_type": "udp"},
        {"command": "'open"},
        {"command": "a\0b"},
        {"outputs": (Output(1, "x", "/../../x", None),)},
        {"output_filename": "../x.srt"},
        {"output_filename": "-x.srt"},
        {"output_filename": ""},
    ],
)
def test_what_cannot_be_executed_is_said(change: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        arguments(replace(TEST, **change), SAMPLE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("news.mkv", "news.mkv"),
        ("../../etc/passwd", "_.._etc_passwd.mkv"),
        ("", "sample.mkv"),
        (".mkv", "mkv.mkv"),
        ("-o.mkv", "-o.mkv"),
        ("a\nb\0.mkv", "a_b_.mkv"),
        ("é" * 300 + ".mkv", "é" * 75 + ".mkv"),
    ],
)
def test_a_sample_keeps_its_name_as_far_as_a_file_can_have_it(name: str, expected: str) -> None:
    assert sample_name(replace(SAMPLE, name=name)) == expected


def test_an_unsupported_test_is_a_failed_result_that_says_why(
    server: StandIn, serve_all: Callable[..., None]
) -> None:
    server.queue.append(offer([regression(1, "", output_type="tcp")], {1: b"media\n"}))

    serve_all()

    result = server.only().results[1]
    assert (result["outcome"], result["exit_code"]) == ("exited", 127)
    assert result["message"] == "This runner has no output type tcp"


@pytest.mark.parametrize("output_type", ["stdout", "report"])
def test_a_captured_standard_output_is_the_output_and_not_in_the_log(
    server: StandIn, serve_all: Callable[..., None], output_type: str
) -> None:
    test = regression(
        1, "-c 'cat; echo note >&2'", input_type="stdin", output_type=output_type, expected=None
    )
    server.queue.append(offer([test], {1: b"media\n"}))

    serve_all()

    held = server.only()
    assert held.files == {(1, 10): b"media\n"}
    assert held.results[1]["tail"] == "note"
    assert (held.results[1]["stdout_tail"], held.results[1]["stderr_tail"]) == (None, "note")
    assert not any(line.endswith("| media") for line in held.lines)


def test_outputs_are_found_by_their_own_names(
    server: StandIn, serve_all: Callable[..., None]
) -> None:
    first = regression(1, "")["outputs"][0]
    outputs = [
        first | {"output_id": number, "filename": f"output_{number}.txt", "expected_hash": None}
        for number in (1, 2, 3)
    ]
    code = "-c 'echo 1 > output_1.txt; echo 2 > output_2.txt; echo x > output.txt'"
    server.queue.append(offer([regression(1, code, outputs=outputs)], {1: b"media\n"}))

    serve_all()

    assert server.only().files == {(1, 1): b"1\n", (1, 2): b"2\n"}
