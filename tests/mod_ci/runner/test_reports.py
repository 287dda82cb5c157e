"""Reports of tests and coverage: as real tools write them, and as nobody should."""

import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_ci.runner.reports import Live, Report, Reports, read
from mod_ci.runner.reports import Test as Told  # pytest would take it for tests
from mod_ci.runner.reports.model import milliseconds


@pytest.fixture
def junit(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Reads testcases from a JUnit file."""

    def read_cases(cases: str) -> Reports:
        (tmp_path / "junit.xml").write_text(
            f"<testsuites><testsuite name='s'>{cases}</testsuite></testsuites>", "utf-8"
        )
        return read(tmp_path)

    return read_cases


def outcomes(reports: Reports) -> dict[str, str]:
    return {test.nodeid: test.outcome for test in reports.tests}


def line(**event: object) -> str:
    return json.dumps(event) + "\n"


def done(nodeid: str, **more: object) -> str:
    return line(event="test", nodeid=nodeid, outcome="passed", duration_ms=3, **more)


def test_the_worst_child_of_a_testcase_counts(junit) -> None:  # type: ignore[no-untyped-def]
    found = junit(
        "<testcase classname='a' name='good' time='8.5e-05'/>"
        "<testcase classname='a' name='bad'><skipped/><failure message='m'>text</failure>"
        "<failure message='n'/></testcase>"
        "<testcase classname='a' name='broken'><failure/><error message='e'/></testcase>"
        "<testcase classname='' name='skipped'><skipped message='why'/></testcase>"
        "<testsuite><testcase classname='b' name='nested' status='notrun'/></testsuite>"
        "<testcase classname='b' name='surprise'>"
        "<skipped message='test passes unexpectedly'/></testcase>"
    )

    assert outcomes(found) == {
        "a::good": "passed",
        "a::bad": "failed",
        "a::broken": "error",
        "skipped": "skipped",
        "b::nested": "skipped",
        "b::surprise": "failed",
    }
    assert [test.number for test in found.tests] == [1, 2, 3, 4, 5, 6]
    assert found.tests[1].message == "m\ntext\n\nn"
    assert found.reports == [Report("junit.xml", "junit", tests=6)]


def test_of_several_attempts_the_last_counts(junit) -> None:  # type: ignore[no-untyped-def]
    found = junit(
        "<testcase classname='a' name='flaky'><failure/></testcase>"
        "<testcase classname='a' name='flaky'/>"
        "<testcase classname='a' name='never'/>"
        "<testcase classname='a' name='never'><failure message='x'/></testcase>"
        "<testcase classname='a' name='both'><failure message='call'/></testcase>"
        "<testcase classname='a' name='both'><error message='teardown'/></testcase>"
        "<testcase classname='a' name='surefire'><flakyFailure/></testcase>"
        "<testcase classname='a' name='again'><failure/><rerunFailure/></testcase>"
    )

    assert {test.nodeid: (test.outcome, test.is_flaky) for test in found.tests} == {
        "a::flaky": ("passed", True),
        "a::never": ("failed", False),
        "a::both": ("error", False),
        "a::surefire": ("passed", True),
        "a::again": ("failed", False),
    }
    assert found.tests[2].message == "call\n\nteardown"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0.5", 500), ("8.5e-05", 0), ("1,234.56", 1_234_560), ("1,234", 1_234_000), ("0,5", 500),
     ("1.234,5", 1_234_500), ("", None), ("NaN", None), ("inf", None), ("-1", None),
     ("1e400", None), ("soon", None)],
)  # fmt: skip
def test_times_are_read_as_tools_print_them(text: str, wanted: int | None) -> None:
    assert milliseconds(text) == wanted


def test_colours_go_and_other_characters_are_shown(junit) -> None:  # type: ignore[no-untyped-def]
    found = junit(
        "<testcase name='a'><failure message='#x1B[91mred#x1B[0m #x00 &#x202e;x'/></testcase>"
    )

    assert found.tests[0].message == "red #x00 \\u202ex"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<testsuites><testcase name='a'>",
        "<html/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><testsuites>&b;</testsuites>",
        "<testsuites>" + "<testsuite>" * 200,
        "<?xml version='1.0' encoding='nonsense'?><testsuites/>",
    ],
)
def test_what_cannot_be_read_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(text)

    (report,) = read(tmp_path).reports

    assert report.error


def test_reports_too_large_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "junit.xml").open("wb") as large:
        large.truncate(200 * 1024 * 1024)
    (tmp_path / "lcov.info").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "coverage.xml")
    (tmp_path / "outside").symlink_to("/")

    found = read(tmp_path)

    assert found.reports == [
        Report("junit.xml", "junit", error="It has 209715200 bytes; 33554432 are read.")
    ]


def test_a_million_tests_are_cut(tmp_path: Path) -> None:
    with (tmp_path / "junit.xml").open("w") as file:
        file.write("<testsuite>")
        file.writelines(f"<testcase name='{number}'/>" for number in range(1_000_000))
        file.write("</testsuite>")
    tracemalloc.start()

    found = read(tmp_path)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.tests) == 100_000
    assert found.reports[0].cut
    assert peak < 150 * 1024 * 1024


def test_long_texts_are_cut(junit) -> None:  # type: ignore[no-untyped-def]
    found = junit(f"<testcase name='{'n' * 9000}'><failure>{'é' * 90_000}</failure></testcase>")

    assert len(found.tests[0].nodeid.encode()) <= 2000
    assert len((found.tests[0].message or "").encode()) <= 64 * 1024
    assert found.reports[0].cut


def test_a_test_that_was_told_live_is_not_told_again(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(
        "<testsuite><testcase classname='t.test_a.TestB' name='test_c[x/y]'/>"
        "<testcase classname='other' name='test'/></testsuite>"
    )

    found = read(tmp_path, known=["t/test_a.py::TestB::test_c[x/y]"], first=2)

    assert found.tests == [Told(2, "other::test", "passed")]


def test_cobertura_s_lines_are_counted_once(tmp_path: Path) -> None:
    (tmp_path / "coverage.xml").write_text(
        "<!DOCTYPE coverage SYSTEM 'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>"
        "<coverage branch-rate='0' branches-valid='0'><packages><package><classes>"
        "<class filename='a.py'><methods><method><lines><line number='1' hits='2'/></lines>"
        "</method></methods><lines><line number='1' hits='2'/><line number='2' hits='0'/></lines>"
        "</class><class filename='a.py'><lines><line number='3' hits='1'/></lines></class>"
        "<class filename='empty.py'><lines/></class>"
        "</classes></package></packages></coverage>"
    )

    found = read(tmp_path)

    assert found.reports == [Report("coverage.xml", "cobertura")]
    assert [(one.file, one.lines, one.covered_lines, one.branches) for one in found.coverage] == [
        ("a.py", 3, 2, None),
        ("empty.py", 0, 0, None),
    ]


def test_branches_are_counted_where_they_were_measured(tmp_path: Path) -> None:
    (tmp_path / "coverage.xml").write_text(
        "<coverage branch-rate='0.5' branches-valid='2'><class filename='a.py'><lines>"
        "<line number='1' hits='1' branch='true' condition-coverage='50% (1/2)'/></lines></class>"
        "</coverage>"
    )
    (tmp_path / "lcov.info").write_text(
        "TN:\nSF:b.py\nFN:1,13,f\nDA:7,1\nDA:8,0,sum\nBRDA:7,0,jump to line 8, or 9,1\n"
        "BRDA:7,0,exit,-\nLF:2\nLH:1\nend_of_record\nSF:empty.py\nend_of_record\n"
    )

    coverage = {one.file: one for one in read(tmp_path).coverage}

    assert (coverage["a.py"].branches, coverage["a.py"].covered_branches) == (2, 1)
    assert (coverage["b.py"].lines, coverage["b.py"].covered_lines) == (2, 1)
    assert (coverage["b.py"].branches, coverage["b.py"].covered_branches) == (2, 1)
    assert (coverage["empty.py"].lines, coverage["empty.py"].branches) == (0, 0)


def test_ctrf_is_read_test_by_test(tmp_path: Path) -> None:
    tests: list[dict[str, object]] = [
        {"name": "a", "status": "passed", "duration": 5, "suite": ["s", "t"], "retries": 1},
        {"name": "b", "status": "failed", "message": "m", "trace": "t", "filePath": "b.js"},
        {"name": "c", "status": "pending"},
        {"name": "d", "status": "other"},
    ]
    text = json.dumps({"results": {"tool": {"name": "x"}, "summary": {"tests": 4}, "tests": tests}})
    (tmp_path / "ctrf-report.json").write_text(text)
    (tmp_path / "cut-ctrf.json").write_text(text[: text.index('"c"')].replace('"a"', '"z"'))

    found = read(tmp_path)

    assert [(test.nodeid, test.outcome, test.is_flaky, test.message) for test in found.tests] == [
        ("s::t::a", "passed", True, None),
        ("b.js::b", "failed", False, "m\nt"),
        ("c", "skipped", False, None),
        ("d", "error", False, None),
        ("s::t::z", "passed", True, None),
    ]
    assert [(one.tests, one.error) for one in found.reports] == [
        (4, None),
        (2, "Its test 3 cannot be read."),
    ]


def test_the_live_file_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "tests.jsonl"
    live = Live(path)
    assert (live.poll(), live.is_whole) == ([], None)

    text = line(event="session_start") + line(event="start", nodeid="a") + done("a", message="é")
    text += line(event="start", nodeid="b")
    path.write_text(text[:-10])
    assert live.poll() == [Told(1, "a", "passed", duration_ms=3, message="é")]
    assert (live.running, live.is_whole) == (None, False)

    path.write_text(text)
    assert (live.poll(), live.running) == ([], "b")

    path.write_text(text + done("b") + line(event="session_end", exit_status=0))
    assert [test.number for test in live.poll()] == [2]
    assert (live.running, live.is_whole, live.report.cut) == (None, True, None)


def test_bad_lines_of_the_live_file_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tests.jsonl"
    bad = ["no json", "[]", "{}", '{"event": "test"}', "[" * 100_000, '{"event": "test", "nodeid":'
           '"x", "outcome": "great"}', "x" * 3_000_000]  # fmt: skip
    path.write_text("\n".join(bad) + "\n" + done("a"))
    live = Live(path)

    assert [test.nodeid for test in live.drain()] == ["a"]
    assert live.report.cut


def test_a_live_file_that_shrinks_is_no_longer_believed(tmp_path: Path) -> None:
    path = tmp_path / "tests.jsonl"
    path.write_text(line(event="session_start") + done("a"))
    live = Live(path)
    live.poll()
    path.write_text(line(event="session_end", exit_status=0))

    assert live.poll() == []
    assert live.report.error
    assert live.is_whole is False


def test_the_end_of_a_long_live_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "tests.jsonl"
    with path.open("w") as file:
        file.write(line(event="session_start"))
        for number in range(800):
            file.write(done(str(number), message="x" * 60_000))
        file.write(line(event="session_end", exit_status=0))
    live = Live(path)

    assert 400 < len(live.drain()) < 700
    assert live.is_whole is True
    assert live.report.cut


@given(st.binary(max_size=600))
def test_no_bytes_at_all_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("junit.xml", "coverage.xml", "lcov.info", "ctrf.json", "tests.jsonl"):
        (folder / name).write_bytes(data)

    assert len(read(folder).reports) == 4
    Live(folder / "tests.jsonl").drain()
