"""The existing workers' endpoint, for a client that knows only docs/existing-platform.md."""

import hashlib
import io
from typing import Any

import pytest

from tests import factories
from tests.concurrency.web import at_once
from tests.runners import API, LONG_AGO, runner

BYTES = b"1\n00:00:01,000 --> 00:00:02,000\nWhat came out\n\n"
DIGEST = hashlib.sha256(BYTES).hexdigest()
AGENT = {"User-Agent": "CCX/CI_BOT"}


class Worker:
    """A worker of one run; every answer is the text of a 200."""

    def __init__(self, client, run: factories.RunRow, token: str | None = None) -> None:
        self.client = client
        self.url = f"/progress-reporter/{run.id}/{token or run.token}"

    def send(self, kind: str, file: bytes | None = None, **fields):
        data = {"type": kind, **{name: str(value) for name, value in fields.items()}}
        if file is not None:
            data["file"] = (io.BytesIO(file), "file")
        return self.client.post(self.url, data=data, headers=AGENT)

    def post(self, kind: str, file: bytes | None = None, **fields) -> str:
        response = self.send(kind, file, **fields)
        assert response.status_code == 200, response.data
        assert response.mimetype == "text/plain"
        return response.text


@pytest.fixture
def test_(site) -> factories.TestRow:
    return factories.regression_test()


@pytest.fixture
def run(test_) -> factories.RunRow:
    return factories.run()


@pytest.fixture
def bot(client, run) -> Worker:
    return Worker(client, run)


def rows(raw, run) -> list[tuple]:
    return raw.execute(
        "SELECT regression_test_id, regression_test_output_id, got FROM test_result_file "
        "WHERE test_id = ? ORDER BY 1, 2",
        [run.id],
    )


def progress(raw, run) -> list[tuple]:
    return raw.execute(
        "SELECT status, message FROM test_progress WHERE test_id = ? ORDER BY id", [run.id]
    )


def of(test: factories.TestRow) -> dict[str, int]:
    return {"test_id": test.id, "test_file_id": test.output.id}


@pytest.mark.parametrize("twice", [1, 2])
@pytest.mark.parametrize("order", ["output first", "finish first"])
def test_a_whole_run_with_every_post_once_or_twice_in_either_order(
    app, client, bot, run, raw, site, twice, order
) -> None:
    match, differs = factories.regression_test(), factories.regression_test(expected_rc=2)
    posts = [("progress", None, {"status": "preparation", "message": "Loading"})]
    posts += [("progress", None, {"status": "testing", "message": "Running"})]
    for outputs, code in (
        (("equality", None, of(match)), 0),
        (("upload", BYTES, of(differs)), 2),
    ):
        test_id = outputs[2]["test_id"]
        ends = ("finish", None, {"test_id": test_id, "runTime": 1200, "exitCode": code})
        posts += [outputs, ends] if order == "output first" else [ends, outputs]
    posts += [("progress", None, {"status": "completed", "message": "Ran all tests"})]
    posts += [("logupload", b"the log\n", {})]
    posts += [("artifactupload", b"ELF", {"artifact_type": "binary"})]

    for kind, file, fields in posts:
        for _ in range(twice):
            assert bot.post(kind, file, **fields) == "OK", (kind, fields)

    assert [status for status, _ in progress(raw, run)] == ["preparation", "testing", "completed"]
    assert rows(raw, run) == [
        (match.id, match.output.id, None),
        (differs.id, differs.output.id, DIGEST),
    ]
    assert raw.execute(
        "SELECT regression_test_id, runtime, exit_code, expected_rc FROM test_result ORDER BY 1"
    ) == [(match.id, 1200, 0, 0), (differs.id, 1200, 2, 2)]
    assert (site.repository / "TestResults" / f"{DIGEST}.srt").read_bytes() == BYTES
    assert (site.repository / "LogFiles" / f"{run.id}.txt").read_bytes() == b"the log\n"
    assert (site.repository / "test_artifacts" / str(run.id) / "ccextractor").read_bytes() == b"ELF"
    reader = factories.signed_in("user", "runs:read")
    summary = client.get(f"{API}/runs/{run.id}/summary", headers=reader).json
    assert (summary["status"], summary["pass_count"], summary["fail_count"]) == ("fail", 1, 1)
    passed = raw.execute("SELECT id FROM regression_test WHERE last_passed_on_linux IS NOT NULL")
    assert passed == [(match.id,)]


def test_urlencoded_posts_are_taken_too(app, client, run, raw) -> None:
    response = client.post(
        f"/progress-reporter/{run.id}/{run.token}",
        data="type=progress&status=preparation&message=",
        content_type="application/x-www-form-urlencoded",
    )

    assert response.data == b"OK"
    assert progress(raw, run) == [("preparation", "")]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"caf%E9", "caf\ufffd"),
        (b"caf\xc3\xa9+%C3%A9", "caf\xe9 \xe9"),
        (b"a;b", "a;b"),
        (b"", ""),
    ],
)
def test_a_byte_that_is_not_utf_8_loses_no_form(app, client, run, raw, sent, kept) -> None:
    response = client.post(
        f"/progress-reporter/{run.id}/{run.token}",
        data=b"type=progress&status=testing&message=" + sent + b"&type=nonsense",
        content_type="application/x-www-form-urlencoded",
    )

    assert response.data == b"OK"
    assert progress(raw, run) == [("testing", kept)]


@pytest.mark.parametrize(
    ("posted", "kept"),
    [
        ("3221225477", -1073741819),
        ("4294967295", -1),
        ("2147483648", -2147483648),
        ("2147483647", 2147483647),
        ("-2147483648", -2147483648),
    ],
)
def test_an_exit_code_of_windows_is_kept_with_its_sign(
    app, bot, run, test_, raw, posted, kept
) -> None:
    assert bot.post("finish", test_id=test_.id, runTime=1, exitCode=posted) == "OK"

    assert raw.execute("SELECT exit_code FROM test_result") == [(kept,)]


@pytest.mark.parametrize("posted", ["4294967296", "-2147483649", "1e3", "", "0x1"])
def test_what_is_no_exit_code_is_refused(app, bot, run, test_, raw, posted) -> None:
    assert bot.post("finish", test_id=test_.id, runTime=1, exitCode=posted) == "FAIL"

    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]


def test_a_worker_that_found_no_build_is_an_error_of_the_build(app, client, bot, run) -> None:
    assert bot.post("progress", status="canceled", message="artifact") == "OK"

    reader = factories.signed_in("contributor", "system:read", "runs:read", "results:read")
    url = f"{API}/runs/{run.id}/infrastructure-errors"
    (error,) = client.get(url, headers=reader).json["data"]
    assert error["type"] == "build"


def test_an_output_that_was_uploaded_and_then_matches_is_what_came_last(
    app, bot, run, test_, raw
) -> None:
    bot.post("upload", BYTES, **of(test_))
    assert bot.post("equality", **of(test_)) == "OK"

    assert rows(raw, run) == [(test_.id, test_.output.id, None)]


@pytest.mark.parametrize("token", ["x", "", "é", "%00", "0" * 40, "%ff", "a" * 3000])
def test_a_wrong_token_changes_nothing(app, client, run, raw, token) -> None:
    response = client.post(
        f"/progress-reporter/{run.id}/{token}", data={"type": "progress", "status": "canceled"}
    )

    assert response.status_code == (404 if token == "" else 200)
    assert token == "" or response.data == b"FAIL"
    assert progress(raw, run) == []


class Unread(io.BytesIO):
    """A body of which nothing may be read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("somebody reads the body")

    readline = read1 = readinto = read  # type: ignore[assignment]  # none gives anything


@pytest.mark.parametrize("token", ["wrong", "x" * 2000])
def test_the_body_of_a_post_with_a_wrong_token_is_not_read(app, client, run, token) -> None:
    response = client.post(
        f"/progress-reporter/{run.id}/{token}",
        input_stream=Unread(b"--x"),
        content_type="multipart/form-data; boundary=x",
    )

    assert (response.status_code, response.data) == (200, b"FAIL")


@pytest.mark.parametrize("run_id", ["0", "x", "99999999999999999999", "-1", "1_0", "\u0661", "%00"])
def test_a_run_that_cannot_be_is_refused(app, client, run, run_id) -> None:
    response = client.post(f"/progress-reporter/{run_id}/{run.token}", data={"type": "progress"})

    assert (response.status_code, response.data) == (200, b"FAIL")


def test_a_token_that_was_good_is_looked_at_with_every_result(app, bot, run, test_, raw) -> None:
    """Processes remember it; the site may have given the run another one meanwhile."""
    assert bot.post("equality", **of(test_)) == "OK"
    raw.execute("UPDATE test SET token = 'another' WHERE id = ?", [run.id])
    raw.execute("DELETE FROM test_result_file")

    assert bot.post("equality", **of(test_)) == "FAIL"
    assert bot.post("upload", BYTES, **of(test_)) == "FAIL"
    assert bot.post("finish", test_id=test_.id, runTime=1, exitCode=0) == "FAIL"
    assert bot.post("progress", status="canceled", message="") == "FAIL"
    assert rows(raw, run) == []
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    assert progress(raw, run) == []


def test_a_run_without_a_token_has_no_worker(app, client, run, raw) -> None:
    raw.execute("UPDATE test SET token = NULL WHERE id = ?", [run.id])

    for token in ("None", "null", "%20"):
        response = client.post(f"/progress-reporter/{run.id}/{token}", data={"type": "progress"})
        assert response.data == b"FAIL"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("", {}),
        ("nonsense", {}),
        ("progress", {}),
        ("progress", {"status": "building", "message": "x"}),
        ("progress", {"status": "queued"}),
        ("progress", {"status": "PREPARATION"}),
        ("finish", {}),
        ("finish", {"test_id": "x", "runTime": 1, "exitCode": 0}),
        ("finish", {"test_id": 2147483647, "runTime": 1, "exitCode": 0}),
        ("finish", {"test_id": 10**12, "runTime": 1, "exitCode": 0}),
        ("equality", {}),
        ("equality", {"test_id": "1e3", "test_file_id": "1"}),
        ("upload", {"test_id": 1, "test_file_id": 1, "file": b"x"}),
        ("upload", {"test_id": "x", "test_file_id": 10**30, "file": b"x"}),
        ("artifactupload", {"artifact_type": "../../etc/passwd", "file": b"x"}),
        ("artifactupload", {"file": b"x"}),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    app, bot, run, raw, kind, fields
) -> None:
    text = {name: value for name, value in fields.items() if name != "file"}
    assert bot.post(kind, fields.get("file"), **text) == "FAIL"

    assert progress(raw, run) == []
    assert rows(raw, run) == []
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]


@pytest.mark.parametrize("kind", ["upload", "logupload", "artifactupload"])
def test_a_post_without_its_file_is_empty(app, bot, test_, kind) -> None:
    assert bot.post(kind, artifact_type="binary", **of(test_)) == "EMPTY"


def test_equality_of_an_unknown_output_is_ok_and_ignored(app, bot, run, test_, raw) -> None:
    other = factories.regression_test()
    for output_id in (2147483647, -1, 0, other.output.id):
        assert bot.post("equality", test_id=test_.id, test_file_id=output_id) == "OK"

    assert rows(raw, run) == []


def test_a_test_outside_the_recorded_set_is_refused(app, client, test_, raw) -> None:
    other = factories.regression_test()
    run = factories.run(tests=[test_])
    bot = Worker(client, run)

    assert bot.post("equality", **of(other)) == "FAIL"
    assert bot.post("upload", BYTES, **of(other)) == "FAIL"
    assert bot.post("finish", test_id=other.id, runTime=1, exitCode=0) == "FAIL"
    assert rows(raw, run) == []


def test_a_status_that_goes_backwards_cancels_the_run(app, client, bot, run, raw) -> None:
    bot.post("progress", status="testing", message="a")

    assert bot.post("progress", status="preparation", message="b") == "OK"

    assert [status for status, _ in progress(raw, run)] == ["testing", "canceled"]
    reader = factories.signed_in("user", "runs:read")
    assert client.get(f"{API}/runs/{run.id}", headers=reader).json["run_errors"] == "yes"


def test_nothing_but_late_files_is_taken_after_the_end(app, bot, run, test_, raw, site) -> None:
    bot.post("progress", status="testing", message="a")
    bot.post("progress", status="canceled", message="Gave up")

    assert bot.post("progress", status="completed", message="done") == "FAIL"
    assert bot.post("progress", status="canceled", message="again") == "FAIL"
    assert bot.post("progress", status="canceled", message="Gave up") == "OK"
    assert bot.post("equality", **of(test_)) == "FAIL"
    assert bot.post("upload", BYTES, **of(test_)) == "FAIL"
    assert bot.post("finish", test_id=test_.id, runTime=1, exitCode=0) == "FAIL"
    assert bot.post("logupload", b"late\n") == "OK"
    raw.execute("UPDATE test_progress SET timestamp = ?", [LONG_AGO])
    assert bot.post("logupload", b"too late\n") == "FAIL"
    assert bot.post("artifactupload", b"x", artifact_type="coredump") == "FAIL"

    assert (site.repository / "LogFiles" / f"{run.id}.txt").read_bytes() == b"late\n"
    assert [status for status, _ in progress(raw, run)] == ["testing", "canceled"]


def test_a_run_of_ours_refuses_its_worker_while_the_attempt_lives(app, client, test_, raw) -> None:
    run = factories.run(tests=[test_])
    bot = Worker(client, run)
    held = runner(client).claim()

    for kind, file, fields in (
        ("progress", None, {"status": "testing", "message": ""}),
        ("progress", None, {"status": "canceled", "message": ""}),
        ("equality", None, of(test_)),
        ("upload", BYTES, of(test_)),
        ("finish", None, {"test_id": test_.id, "runTime": 1, "exitCode": 0}),
        ("logupload", b"x\n", {}),
        ("artifactupload", b"x", {"artifact_type": "binary"}),
    ):
        assert bot.post(kind, file, **fields) == "FAIL", kind
    assert held.heartbeat().json["canceled"] is False
    assert rows(raw, run) == []


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 700_000])
def test_a_message_of_any_length_is_kept_as_far_as_it_fits(app, bot, run, raw, size, kind) -> None:
    message = "é" * size

    response = app.test_client().post(
        bot.url,
        data={"type": "progress", "status": "canceled", "message": message},
        content_type=kind,
    )

    assert response.data == b"OK"
    ((_, kept),) = progress(raw, run)
    assert kept == message[: 65_535 // 2]


def test_a_message_of_many_lines_with_hostile_characters_is_kept(app, bot, run, raw) -> None:
    message = "Traceback:\n  line 1 \U0001f600 '\"; DROP TABLE test; --\r\n"

    assert bot.post("progress", status="testing", message=message) == "OK"
    assert progress(raw, run)[0][1].replace("\r\n", "\n") == message.replace("\r\n", "\n")


@pytest.mark.parametrize("folder", ["TestResults", "LogFiles", "test_artifacts"])
def test_what_cannot_be_stored_is_never_ok(app, bot, run, test_, raw, site, folder) -> None:
    (site.repository / folder).write_bytes(b"in the way")
    posts = {
        "TestResults": ("upload", of(test_)),
        "LogFiles": ("logupload", {}),
        "test_artifacts": ("artifactupload", {"artifact_type": "combined_stdout"}),
    }
    kind, fields = posts[folder]
    try:
        response = bot.send(kind, BYTES, **fields)
    finally:
        (site.repository / folder).unlink()

    assert response.status_code >= 500
    assert rows(raw, run) == []
    assert bot.post(kind, BYTES, **fields) == "OK"


def test_an_upload_over_the_limit_is_never_ok(make_app, site, run, test_, raw) -> None:
    bot = Worker(make_app(max_upload=10_000).test_client(), run)

    assert bot.send("upload", b"x" * 50_000, **of(test_)).status_code == 413
    assert rows(raw, run) == []


def test_two_runs_upload_the_same_bytes_at_once(app, test_, raw, site) -> None:
    content = BYTES * 20_000
    digest = hashlib.sha256(content).hexdigest()
    runs = [factories.run() for _ in range(4)]

    def upload(run: factories.RunRow) -> str:
        return Worker(app.test_client(), run).post("upload", content, **of(test_))

    answers = at_once(*(lambda run=run: upload(run) for run in runs))

    assert answers == ["OK"] * 4
    for run in runs:
        assert rows(raw, run) == [(test_.id, test_.output.id, digest)]
    assert (site.repository / "TestResults" / f"{digest}.srt").read_bytes() == content
    left = [path for path in (site.repository / "TempFiles").rglob("*") if path.is_file()]
    assert left == []


def test_the_same_post_at_the_same_moment_counts_once(app, run, test_, raw) -> None:
    def finish() -> str:
        return Worker(app.test_client(), run).post(
            "finish", test_id=test_.id, runTime=5, exitCode=0
        )

    def equality() -> str:
        return Worker(app.test_client(), run).post("equality", **of(test_))

    assert at_once(finish, equality, finish, equality, finish, equality) == ["OK"] * 6

    assert len(rows(raw, run)) == 1
    assert raw.execute("SELECT count(*) FROM test_result") == [(1,)]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"--x", b"type=progress&status=testing"])
@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_a_body_that_is_no_form_is_refused(app, client, run, raw, data, kind) -> None:
    response = client.post(f"/progress-reporter/{run.id}/{run.token}", data=data, content_type=kind)

    assert (response.status_code, response.data) == (200, b"FAIL")
    assert progress(raw, run) == []


def test_a_restarted_run_takes_the_workers_posts_anew(app, bot, run, test_, raw) -> None:
    bot.post("progress", status="testing", message="a")
    bot.post("progress", status="canceled", message="b")
    raw.execute("DELETE FROM test_progress WHERE test_id = ?", [run.id])

    assert bot.post("progress", status="preparation", message="a") == "OK"
    assert bot.post("equality", **of(test_)) == "OK"


def test_only_post_is_taken(app, client, run) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = client.open(f"/progress-reporter/{run.id}/{run.token}", method=method)

        assert response.status_code == 405
        assert response.headers["Allow"]
