"""A run's log over HTTP: read by pages, by test and whole, from the folder and from the bucket."""

import errno
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from mod_api.services.logs import log_archive
from mod_sample.storage import copy_missing, log_key
from mod_test.logs.source import FileLog
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.mod_sample.storage.conftest import BUCKET, proxy, storage_server
from tests.mod_sample.storage.proxy import Fault, Proxy
from tests.patience import tries
from tests.raw import Raw
from tests.runners import LONG_AGO, Held, accepted, runner
from tests.sql import counted

__all__ = ["proxy", "storage_server"]  # fixtures of the storage's tests

API = "/api/v1"
AT = "2026-01-01T00:00:00.000Z"
ENDED = ["preparation", "testing", "completed"]


def line(text: str, head: str = "info build") -> bytes:
    return f"{AT} {head} | {text}\n".encode()


def lines(first: int, last: int) -> bytes:
    return b"".join(line(f"line {number}") for number in range(first, last + 1))


class Reader:
    """Somebody who may read logs."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.headers = factories.signed_in("user", "system:read")

    def ask(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> TestResponse:
        sent = {**self.headers, **(headers or {})}
        return self._client.get(API + path, query_string=query, headers=sent)

    def page(self, path: str, **query: Any) -> dict[str, Any]:
        response = self.ask(path, **query)
        assert response.status_code == 200, response.data
        found: dict[str, Any] = response.json
        return found

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Page after page, until there is none."""
        page = self.page(path, **query)
        yield page
        while cursor := page["pagination"]["next_cursor"]:
            page = self.page(path, cursor=cursor, **query)
            yield page


def texts(page: dict[str, Any]) -> list[str]:
    return [one["message"] for one in page["data"]]


@pytest.fixture
def reader(client: FlaskClient) -> Reader:
    return Reader(client)


@pytest.fixture
def held(client: FlaskClient) -> Held:
    """A run of two tests that a runner is on."""
    factories.run(tests=[factories.regression_test(), factories.regression_test()])
    return runner(client).claim()


def old_log(folder: Path, content: bytes, **options: Any) -> int:
    """The id of an old worker's run with this log."""
    run = factories.run(**{"progress": ENDED, **options})
    path = folder / log_key(run.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return run.id


def test_pages_give_each_line_once_in_both_orders(app: Flask, reader: Reader, held: Held) -> None:
    accepted(held.append(0, lines(1, 25)))
    accepted(held.finish())
    path = f"/runs/{held.run_id}/logs"

    forward = [texts(page) for page in reader.pages(path, limit=10)]
    backward = [texts(page) for page in reader.pages(path, limit=10, order="desc")]

    whole = [f"line {number}" for number in range(1, 26)]
    assert list(chain(*forward)) == whole
    assert list(chain(*backward)) == whole[::-1]
    assert [len(page) for page in forward[:2]] == [10, 10]


def test_during_the_run_the_end_means_wait_and_after_it_that_nothing_comes(
    app: Flask, reader: Reader, held: Held
) -> None:
    path = f"/runs/{held.run_id}/logs"
    nothing_yet = reader.page(path)
    accepted(held.append(0, lines(1, 2)))
    first = reader.page(path, cursor=nothing_yet["pagination"]["resume_cursor"])
    accepted(held.append(len(lines(1, 2)), lines(3, 3)))
    second = reader.page(path, cursor=first["pagination"]["resume_cursor"])
    accepted(held.finish())
    third = reader.page(path, cursor=second["pagination"]["resume_cursor"])

    assert [texts(page) for page in (nothing_yet, first, second, third)] == [
        [], ["line 1", "line 2"], ["line 3"], [],
    ]  # fmt: skip
    assert [page["finished"] for page in (nothing_yet, first, second, third)] == [
        False, False, False, True,
    ]  # fmt: skip
    assert {page["pagination"]["next_cursor"] for page in (nothing_yet, first, second)} == {None}


def test_the_tail_is_the_last_lines_in_their_order_and_goes_on_from_there(
    sqlite_app: Flask, reader: Reader, held: Held
) -> None:
    accepted(held.append(0, lines(1, 9)))
    path = f"/runs/{held.run_id}/logs"
    tail = reader.page(path, tail=2)
    accepted(held.append(len(lines(1, 9)), lines(10, 10)))

    following = reader.page(path, cursor=tail["pagination"]["resume_cursor"])

    assert texts(tail) == ["line 8", "line 9"]
    assert texts(following) == ["line 10"]


@pytest.mark.parametrize(
    "query",
    [{"tail": 5, "order": "desc"}, {"tail": 0}, {"tail": 1001}, {"limit": 0}, {"limit": 1001},
     {"level": "fatal"}, {"source": "kernel"}, {"contains": "x" * 101}, {"order": "up"},
     {"cursor": "x"}, {"cursor": ""}, {"cursor": "x" * 256}, {"offset": 1}],
)  # fmt: skip
def test_a_wrong_question_is_refused_by_name(
    sqlite_app: Flask, reader: Reader, held: Held, query: dict[str, Any]
) -> None:
    response = reader.ask(f"/runs/{held.run_id}/logs", **query)

    assert response.status_code == 400
    assert set(response.json["details"]["fields"]) <= set(query) | {"tail"}


def test_a_cursor_is_good_for_its_own_question_only(
    sqlite_app: Flask, reader: Reader, held: Held, client: FlaskClient
) -> None:
    accepted(held.append(0, lines(1, 9)))
    factories.run(tests=[factories.regression_test()])
    other = runner(client).claim()
    accepted(other.append(0, lines(1, 9)))
    path = f"/runs/{held.run_id}/logs"
    cursor = reader.page(path, limit=2)["pagination"]["next_cursor"]
    asked = [
        (path, {"order": "desc"}), (path, {"level": "info"}), (path, {"contains": "line"}),
        (path, {"source": "build"}), (f"/runs/{other.run_id}/logs", {}),
        (f"/runs/{held.run_id}/samples/{held.tests[0]}/logs", {}),
    ]  # fmt: skip
    forged = cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB")

    told = [reader.ask(where, cursor=cursor, **query).status_code for where, query in asked]

    assert told == [400] * len(asked)
    assert reader.ask(path, cursor=forged).status_code == 400
    assert reader.ask(path, cursor=cursor, limit=3).status_code == 200


def test_a_rare_line_is_found_over_pages_that_may_be_empty(
    sqlite_app: Flask, reader: Reader, sample_repository: Path
) -> None:
    filler = line("x" * 90) * 10_000
    run_id = old_log(sample_repository, filler * 100 + line("Needle") + filler * 100)

    for order in ("asc", "desc"):
        pages = list(reader.pages(f"/runs/{run_id}/logs", contains="nEEDLE", order=order))
        assert list(chain(*map(texts, pages))) == ["Needle"]
        assert len(pages) > 1


def test_an_old_log_is_read_by_rules_and_breaks_neither_json_nor_a_terminal(
    sqlite_app: Flask, reader: Reader, sample_repository: Path
) -> None:
    content = (
        b"\x1b[31mBuilding\x1b[0m /srv/error/file.c\n0 errors\nERROR: it broke\n\xff\xfe\x00\x07\n"
        b"2020-02-02 02:02:02 WARNING late\nafter it"
    )
    run_id = old_log(sample_repository, content)

    response = reader.ask(f"/runs/{run_id}/logs")

    found = response.json["data"]
    assert [one["message"] for one in found] == [
        "Building /srv/error/file.c", "0 errors", "ERROR: it broke", "\ufffd\ufffd",
        "2020-02-02 02:02:02 WARNING late", "after it",
    ]  # fmt: skip
    assert [one["level"] for one in found] == [
        "info", "info", "error", "info", "warning", "info",
    ]  # fmt: skip
    assert {one["timestamp"] for one in found[4:]} == {"2020-02-02T02:02:02.000Z"}
    assert found[0]["timestamp"] < found[4]["timestamp"] or found[0]["timestamp"].startswith("2026")
    assert b"\x1b" not in response.data


def test_a_page_never_cuts_a_line_that_is_longer_than_a_block(
    sqlite_app: Flask, reader: Reader, sample_repository: Path
) -> None:
    long = "ä" * 50_000
    run_id = old_log(sample_repository, f"{AT} info build | {long}\nshort\n".encode())

    (page,) = reader.pages(f"/runs/{run_id}/logs")

    assert [len(text) for text in texts(page)] == [4000, 5]
    assert texts(page)[0].endswith("…")


def test_a_run_without_a_log_says_where_it_was_looked_for(
    sqlite_app: Flask, reader: Reader
) -> None:
    run = factories.run(progress=ENDED)

    told = [reader.ask(f"/runs/{run.id}/{path}") for path in ("logs", "logs/raw", "logs/stream")]

    assert {(one.status_code, one.json["code"]) for one in told} == {(404, "log_not_found")}
    assert told[0].json["details"]["checked"] == ["local"]
    assert reader.ask("/runs/2147483647/logs").json["code"] == "not_found"


def test_who_may_not_read_gets_no_log(client: FlaskClient, held: Held) -> None:
    for path in ("logs", "logs/raw", "logs/stream", f"samples/{held.tests[0]}/logs"):
        url = f"{API}/runs/{held.run_id}/{path}"
        assert client.get(url).status_code == 401
        assert client.get(url, headers=factories.signed_in("admin", "runs:read")).status_code == 403


@pytest.fixture
def both(make_app: Callable[..., Flask], proxy: Proxy) -> Flask:
    """The application with a folder and a bucket."""
    return make_app(gcs_bucket=BUCKET)


def test_at_its_end_the_log_goes_to_the_bucket_with_its_size_and_hash(
    both: Flask, raw: Raw, proxy: Proxy, sample_repository: Path
) -> None:
    client = both.test_client()
    factories.run(tests=[factories.regression_test()])
    held = runner(client).claim()
    accepted(held.append(0, lines(1, 3)))
    assert raw.execute("SELECT size FROM run_log WHERE test_id = ?", [held.run_id]) == []
    accepted(held.finish())
    kept = wait_for(lambda: raw.execute("SELECT test_id, size, sha256 FROM run_log"))
    (sample_repository / log_key(held.run_id)).unlink()

    found = Reader(client).page(f"/runs/{held.run_id}/logs")

    assert texts(found) == ["line 1", "line 2", "line 3"]
    assert kept == [(held.run_id, len(lines(1, 3)), hashlib.sha256(lines(1, 3)).hexdigest())]


def test_what_was_missed_is_kept_by_the_timer(
    both: Flask, raw: Raw, sample_repository: Path
) -> None:
    factories.run(tests=[factories.regression_test()])
    held = runner(both.test_client()).claim()
    accepted(held.append(0, lines(1, 3)))
    running = both.test_cli_runner().invoke(args=["logs", "keep"])
    with both.app_context():
        raw.execute(
            "INSERT INTO test_progress (test_id, status, timestamp, message) VALUES (?, ?, ?, ?)",
            [held.run_id, "completed", LONG_AGO[:19], "Ended behind our back."],
        )

    first = both.test_cli_runner().invoke(args=["logs", "keep"])
    second = both.test_cli_runner().invoke(args=["logs", "keep"])

    assert [one.output for one in (running, first, second)] == [
        f"Kept the logs of {count} runs.\n" for count in (0, 1, 0)
    ]
    assert raw.execute("SELECT size FROM run_log") == [(len(lines(1, 3)),)]


@pytest.fixture
def ended(client: FlaskClient, raw: Raw) -> list[Held]:
    """Five runs whose end was told by another program, so that nothing has kept their logs."""
    held = []
    for _ in range(5):
        factories.run(tests=[factories.regression_test()])
        held.append(runner(client).claim())
    for one in held[0], held[4]:
        accepted(one.append(0, lines(1, 3)))
    raw.execute(
        "INSERT INTO test_progress (test_id, status, timestamp, message)"
        " SELECT id, 'completed', ?, '' FROM test",
        [LONG_AGO[:19]],
    )
    return held


def test_runs_without_a_log_hide_no_others_from_the_timer(
    app: Flask, ended: list[Held], raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_archive, "AT_ONCE", 2)

    done = app.test_cli_runner().invoke(args=["logs", "keep"])

    assert done.output == "Kept the logs of 2 runs.\n"
    assert raw.execute("SELECT test_id FROM run_log ORDER BY 1") == [
        (ended[0].run_id,), (ended[4].run_id,),
    ]  # fmt: skip


def test_a_log_that_cannot_be_kept_does_not_stop_the_timer(
    sqlite_app: Flask, ended: list[Held], sample_repository: Path
) -> None:
    (sample_repository / log_key(ended[2].run_id)).symlink_to("/nonexistent")

    with capture_logs() as told:
        done = sqlite_app.test_cli_runner().invoke(args=["logs", "keep"])

    assert done.output == "Kept the logs of 2 runs.\n"
    assert [(one["event"], one["run_id"]) for one in told] == [("log_not_kept", ended[2].run_id)]


@pytest.mark.parametrize(
    ("number", "status"), [(errno.EIO, 503), (errno.EACCES, 503), (errno.ELOOP, 404)]
)
def test_a_folder_that_does_not_answer_is_not_a_missing_log(
    client: FlaskClient, held: Held, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    accepted(held.append(0, lines(1, 3)))

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLog, "open", refuse)
    headers = factories.signed_in("admin", "system:read")
    answer = client.get(f"{API}/runs/{held.run_id}/logs", headers=headers)

    assert answer.status_code == status


def test_a_log_that_the_bucket_does_not_take_is_noted(
    make_app: Callable[..., Flask], held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(held.append(0, lines(1, 3)))
    accepted(held.finish())
    log_archive.pool.submit(lambda: None).result()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    app = make_app(gcs_bucket=BUCKET)

    with app.app_context(), capture_logs() as told:
        kept = log_archive.keep(
            held.run_id,
            settings=app.extensions["settings"],
            repository=app.extensions["repository"],
        )

    assert not kept
    assert [(one["event"], one["run_id"]) for one in told] == [("log_not_kept", held.run_id)]


def test_a_log_in_the_bucket_only_is_read_by_ranges(
    both: Flask, proxy: Proxy, sample_repository: Path
) -> None:
    run_id = old_log(sample_repository, line("x" * 90) * 60_000 + lines(1, 3))
    path = sample_repository / log_key(run_id)
    copy_missing(both.extensions["repository"], [log_key(run_id)])
    path.unlink()
    reader = Reader(both.test_client())
    # Whoever asks for more at once than this gets none of it.
    proxy.fault = Fault(cut_body_at=1_500_000)

    tail = reader.page(f"/runs/{run_id}/logs", tail=3)
    part = reader.ask(f"/runs/{run_id}/logs/raw", headers={"Range": "bytes=-57"})

    assert texts(tail) == ["line 1", "line 2", "line 3"]
    assert part.status_code == 206
    assert part.data == lines(1, 3)[-57:]


def test_where_the_bucket_does_not_answer_nothing_is_said_to_be_missing(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    app = make_app(gcs_bucket=BUCKET)
    run = factories.run(progress=ENDED)

    response = Reader(app.test_client()).ask(f"/runs/{run.id}/logs")

    assert response.status_code == 503
    assert response.headers["Retry-After"]


def wait_for(ask: Callable[[], Any]) -> Any:
    """What is answered once it is something: it is made in the background."""
    for _ in tries():
        if found := ask():
            break
    return found


def test_a_test_is_read_by_its_own_lines_also_of_a_later_attempt(
    app: Flask, reader: Reader, held: Held, client: FlaskClient, raw: Raw
) -> None:
    one, other = held.tests

    def printed(text: str, regression_id: int) -> bytes:
        return line(text, f"info test_runner #{regression_id}")

    first = line("building") + printed("a", one) + printed("b", other) + printed("c", one)
    accepted(held.append(0, first))
    raw.execute(
        "UPDATE run_record SET lease_expires_at = ? WHERE test_id = ?", [LONG_AGO, held.run_id]
    )
    again = runner(client).claim()
    assert again.claim["log_offset"] == len(first)
    accepted(
        again.append(
            len(first), printed("d", one) + line("a line of no test") + printed("e", other)
        )
    )
    path = f"/runs/{held.run_id}/samples"

    forward = [texts(page) for page in reader.pages(f"{path}/{one}/logs", limit=2)]
    backward = texts(reader.page(f"{path}/{one}/logs", order="desc"))
    page = reader.page(f"{path}/{other}/logs", contains="E")

    assert list(chain(*forward)) == ["a", "c", "d"]
    assert backward == ["d", "c", "a"]
    assert texts(page) == ["e"]
    assert page["data"][0]["regression_id"] == other
    assert page["data"][0]["sample_id"] is not None
    assert page["finished"] is False


def test_what_is_not_of_the_run_has_no_log_there(
    sqlite_app: Flask, reader: Reader, held: Held, sample_repository: Path
) -> None:
    test = factories.regression_test()
    old = old_log(sample_repository, lines(1, 1), tests=[test])

    foreign = reader.ask(f"/runs/{held.run_id}/samples/{test.id}/logs")
    of_old = reader.ask(f"/runs/{old}/samples/{test.id}/logs")

    assert (foreign.status_code, foreign.json["code"]) == (404, "not_found")
    assert (of_old.status_code, of_old.json["code"]) == (404, "log_not_found")
    assert "old worker" in of_old.json["message"]
    assert reader.ask(f"/runs/2147483647/samples/{test.id}/logs").status_code == 404
    assert reader.ask(f"/runs/{held.run_id}/samples/0/logs").status_code == 400


def test_the_raw_log_is_served_whole_by_range_and_compressed(
    sqlite_app: Flask, reader: Reader, held: Held
) -> None:
    whole = lines(1, 5000)
    accepted(held.append(0, whole))
    path = f"/runs/{held.run_id}/logs/raw"

    plain = reader.ask(path)
    part = reader.ask(path, headers={"Range": "bytes=10-19"})
    packed = reader.ask(path, headers={"Accept-Encoding": "gzip"})
    unchanged = reader.ask(path, headers={"If-None-Match": plain.headers["ETag"]})
    packed_unchanged = reader.ask(
        path, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    )
    beyond = reader.ask(path, headers={"Range": f"bytes={len(whole)}-"})
    accepted(held.append(len(whole), lines(1, 1)))
    grown = reader.ask(path, headers={"If-None-Match": plain.headers["ETag"]})
    stale_range = reader.ask(
        path, headers={"Range": "bytes=0-9", "If-Range": plain.headers["ETag"]}
    )

    assert (plain.status_code, plain.data) == (200, whole)
    assert plain.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "attachment" in plain.headers["Content-Disposition"]
    assert (part.status_code, part.data) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert gzip.decompress(packed.data) == whole
    assert len(packed.data) < len(whole) / 3
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert (unchanged.status_code, packed_unchanged.status_code) == (304, 304)
    for first, again in ((plain, unchanged), (packed, packed_unchanged)):
        for name in ("ETag", "Cache-Control", "Vary"):
            assert again.headers[name] == first.headers[name]
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert (grown.status_code, grown.data) == (200, whole + lines(1, 1))
    assert (stale_range.status_code, stale_range.data) == (200, whole + lines(1, 1))


def test_appending_writes_nothing_to_the_database(app: Flask, held: Held) -> None:
    offset = 0
    with counted(app) as seen:
        for _ in range(5):
            offset = held.append(offset, lines(1, 10)).json["offset"]

    assert [one for one in seen if not one.startswith("SELECT")] == []
    assert offset == 5 * len(lines(1, 10))


def test_the_interval_is_short_while_somebody_watches(
    sqlite_app: Flask, reader: Reader, held: Held
) -> None:
    unwatched = held.append(0, lines(1, 1)).json["log_interval_ms"]
    reader.page(f"/runs/{held.run_id}/logs")
    watched = held.append(len(lines(1, 1)), lines(2, 2)).json["log_interval_ms"]

    assert watched <= 250 < unwatched


def test_a_canceled_runs_runner_may_say_its_last_words_for_a_minute(
    app: Flask, client: FlaskClient, reader: Reader, held: Held, raw: Raw
) -> None:
    headers = factories.signed_in("admin", "runs:write")
    client.post(f"{API}/runs/{held.run_id}/cancel", json={}, headers=headers)
    taken = held.append(0, lines(1, 1))
    during = reader.page(f"/runs/{held.run_id}/logs")
    raw.execute(
        "UPDATE test_progress SET timestamp = ? WHERE test_id = ? AND status = 'canceled'",
        [LONG_AGO[:19], held.run_id],
    )
    refused = held.append(len(lines(1, 1)), lines(2, 2))
    after = reader.page(f"/runs/{held.run_id}/logs")

    assert (taken.status_code, taken.json["canceled"]) == (200, True)
    assert (refused.status_code, refused.json["code"]) == (409, "run_ended")
    assert (during["finished"], after["finished"]) == (False, True)
    assert texts(after) == ["line 1"]


@pytest.mark.parametrize(
    ("end", "goes_on"),
    [("completed", False), ("failed", False), ("canceled", True), ("late", True), ("other", True)],
)
def test_a_log_is_finished_exactly_when_nothing_is_appended_any_more(
    app: Flask,
    client: FlaskClient,
    reader: Reader,
    held: Held,
    raw: Raw,
    *,
    end: str,
    goes_on: bool,
) -> None:
    accepted(held.append(0, lines(1, 1)))
    match end:
        case "completed":
            accepted(held.finish())
        case "failed":
            accepted(held.finish("build_failed", type="build"))
        case "canceled":
            headers = factories.signed_in("admin", "runs:write")
            client.post(f"{API}/runs/{held.run_id}/cancel", json={}, headers=headers)
            accepted(held.heartbeat())
        case "late":
            raw.execute("UPDATE run_attempt SET deadline_at = ?", [LONG_AGO])
            assert held.report(held.tests[0]).status_code == 409
        case "other":
            raw.execute(
                "INSERT INTO test_progress (test_id, status, timestamp, message)"
                " VALUES (?, 'completed', ?, '')",
                [held.run_id, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"],
            )

    finished = reader.page(f"/runs/{held.run_id}/logs")["finished"]
    appended = held.append(len(lines(1, 1)), lines(2, 2))

    assert (appended.status_code, finished) == ((200, False) if goes_on else (409, True))


def test_a_log_is_limited_says_so_in_its_last_line_and_the_run_goes_on(
    make_app: Callable[..., Flask], client: FlaskClient
) -> None:
    small = make_app(log_limit=1000).test_client()
    factories.run(tests=[factories.regression_test()])
    held = runner(small).claim()
    full = held.append(0, lines(1, 100))
    again = held.append(full.json["offset"], lines(1, 1))
    goes_on = held.report(held.tests[0], exit_code=0)

    found = texts(Reader(small).page(f"/runs/{held.run_id}/logs"))

    assert (full.json["log_full"], again.json["log_full"]) == (True, True)
    assert again.json["offset"] == full.json["offset"]
    assert "limit" in found[-1]
    assert found[:2] == ["line 1", "line 2"]
    assert goes_on.status_code == 200


def test_an_append_names_where_it_belongs(sqlite_app: Flask, held: Held) -> None:
    first = held.append(0, lines(1, 2))
    again = held.append(0, lines(1, 2))
    wrong = held.append(7, lines(1, 1))
    torn = held.append(len(lines(1, 2)), b"no newline")

    assert first.json["offset"] == again.json["offset"] == len(lines(1, 2))
    assert (wrong.status_code, wrong.json["details"]["offset"]) == (416, len(lines(1, 2)))
    assert torn.status_code == 400


@pytest.mark.parametrize("path", ["logs", "samples/{test}/logs"])
def test_a_page_costs_few_statements_however_long_it_is(
    app: Flask, reader: Reader, held: Held, path: str
) -> None:
    accepted(held.append(0, line("x", f"info test_runner #{held.tests[0]}") * 500))
    url = f"/runs/{held.run_id}/{path.format(test=held.tests[0])}"
    with app.app_context():
        settle_marks()
    with counted(app) as seen:
        page = reader.page(url, limit=100)

    assert len(page["data"]) == 100
    assert len(seen) <= 6


def test_the_document_says_what_a_line_is(sqlite_app: Flask, reader: Reader, held: Held) -> None:
    accepted(held.append(0, line("x", f"critical web #{held.tests[0]}")))

    (found,) = reader.page(f"/runs/{held.run_id}/logs")["data"]

    assert json.loads(json.dumps(found)) == {
        "timestamp": AT, "level": "critical", "source": "web", "message": "x",
        "run_id": held.run_id, "sample_id": held.claim["tests"][0]["sample_id"],
        "regression_id": held.tests[0],
    }  # fmt: skip


@pytest.mark.parametrize("path", ["logs", "logs?order=desc", "logs/stream"])
def test_a_log_is_read_where_the_mark_of_its_readers_cannot_be_written(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, path: str
) -> None:
    reader = Reader(client)
    run = factories.run(progress=["preparation", "testing"])
    log = sample_repository / "LogFiles" / f"{run.id}.txt"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(line("there"))
    log.with_suffix(".watched").symlink_to(sample_repository / "nowhere" / "mark")

    with client.get(f"{API}/runs/{run.id}/{path}", headers=reader.headers) as answer:
        assert answer.status_code == 200
        assert b"there" in next(chunk for chunk in answer.response if b"there" in chunk)
