"""Addresses that open a file without a token: ranges, validators, and their end."""

import os
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_api.services.outputs import downloads
from mod_api.services.outputs.downloads import Download, FileAccess
from tests import factories
from tests.mod_api.compared import BAD, compared


@pytest.fixture
def reader(sqlite_app: Flask) -> dict[str, str]:
    return factories.signed_in("user", "results:read")


@pytest.fixture
def address(client: FlaskClient, sample_repository: Path, reader: dict[str, str]) -> str:
    """The address of an output with the content BAD, called `news of today.srt`."""
    case = compared(sample_repository, filename="news of today.srt")
    url: str = client.get(case.url("actual"), headers=reader).json["download_url"]
    return url


def test_the_address_opens_the_file_without_a_token(client: FlaskClient, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 200
    assert answer.data == BAD
    assert answer.content_length == len(BAD)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "news%20of%20today.srt" in answer.headers["Content-Disposition"]
    assert answer.content_type == "application/x-subrip"
    assert answer.headers["ETag"] == f'"{factories.digest(BAD.decode())}"'


def test_the_head_of_a_file_tells_of_it_without_its_bytes(
    client: FlaskClient, address: str
) -> None:
    answer = client.head(address)

    assert answer.status_code == 200
    assert answer.data == b""
    assert answer.content_length == len(BAD)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, len(BAD)),
        ("bytes=-5", len(BAD) - 5, len(BAD)),
        (f"bytes=3-{10**9}", 3, len(BAD)),
        ("bytes=0-0", 0, 1),
        (f"bytes=-{10**9}", 0, len(BAD)),
    ],
)
def test_one_range_is_served(
    client: FlaskClient, address: str, asked: str, start: int, stop: int
) -> None:
    answer = client.get(address, headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.data == BAD[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(BAD)}"


@pytest.mark.parametrize("asked", [f"bytes={len(BAD)}-", "bytes=99999-100000"])
def test_a_range_behind_the_end_is_refused(client: FlaskClient, address: str, asked: str) -> None:
    answer = client.get(address, headers={"Range": asked})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(BAD)}"
    assert answer.json["code"] == "range_not_satisfiable"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=1-2", "bytes=9-1", "nonsense", "bytes="])
def test_what_is_not_one_range_of_bytes_gets_the_whole_file(
    client: FlaskClient, address: str, asked: str
) -> None:
    answer = client.get(address, headers={"Range": asked})

    assert answer.status_code == 200
    assert answer.data == BAD


def test_what_the_client_has_is_not_sent_again(client: FlaskClient, address: str) -> None:
    etag = client.get(address).headers["ETag"]

    known = client.get(address, headers={"If-None-Match": etag})
    other = client.get(address, headers={"If-None-Match": '"another"'})
    resumed = client.get(address, headers={"Range": "bytes=4-", "If-Range": etag})
    changed = client.get(address, headers={"Range": "bytes=4-", "If-Range": '"another"'})
    dated = client.get(
        address, headers={"Range": "bytes=4-", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}
    )

    assert (known.status_code, known.data) == (304, b"")
    assert known.headers["ETag"] == etag
    assert other.status_code == 200
    assert (resumed.status_code, resumed.data) == (206, BAD[4:])
    assert (changed.status_code, changed.data) == (200, BAD)
    assert (dated.status_code, dated.data) == (200, BAD)


def test_what_is_as_old_as_the_client_knows_is_not_sent_again(
    client: FlaskClient, address: str, sample_repository: Path
) -> None:
    (file,) = (sample_repository / "TestResults").glob(f"{factories.digest(BAD.decode())}*")
    os.utime(file, (1_700_000_000.5, 1_700_000_000.5))
    first = client.get(address)

    def ask(**headers: str) -> int:
        asked = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(address, headers=asked).status_code

    known, before = "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:19 GMT"
    assert first.headers["Last-Modified"] == known
    assert ask(If_Modified_Since=known) == 304
    assert ask(If_Modified_Since=before) == 200
    assert ask(If_Modified_Since="yesterday") == 200
    assert ask(If_None_Match='"another"', If_Modified_Since=known) == 200
    assert ask(If_None_Match=first.headers["ETag"], If_Modified_Since=before) == 304
    again = client.get(address, headers={"If-Modified-Since": known})
    for name in ("Cache-Control", "ETag"):
        assert again.headers[name] == first.headers[name]
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_a_file_that_may_be_written_again_in_the_same_second_has_no_time(
    client: FlaskClient, address: str, sample_repository: Path
) -> None:
    (file,) = (sample_repository / "TestResults").glob(f"{factories.digest(BAD.decode())}*")
    ahead = time.time() + 5
    os.utime(file, (ahead, ahead))

    answer = client.get(address, headers={"If-Modified-Since": formatdate(ahead, usegmt=True)})

    assert answer.status_code == 200
    assert "Last-Modified" not in answer.headers


def test_an_altered_address_opens_nothing(client: FlaskClient, address: str) -> None:
    body = address.rpartition("/")[2]
    for altered in (body[:-2] + "AA", "x" + body, body + "x", "x", body.replace(".", "", 1), "é"):
        answer = client.get(f"/api/v1/downloads/{altered}")
        assert answer.status_code == 404
        assert answer.json["code"] == "not_found"
    assert client.get(f"/api/v1/downloads/{'x' * 5000}").status_code == 404


def test_an_address_of_another_server_opens_nothing(client: FlaskClient, sqlite_app: Flask) -> None:
    foreign = FileAccess(sqlite_app.extensions["repository"], b"another server's key", "")
    url = downloads.own_url(foreign, Download("TestResults/" + "0" * 64, "x"))

    assert client.get("/api/v1" + url).status_code == 404


def test_an_address_ends(
    client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes, and the minute to which its end is rounded."""
    now = time.time()
    monkeypatch.setattr(downloads.time, "time", lambda: now + 599)
    assert client.get(address).status_code == 200

    monkeypatch.setattr(downloads.time, "time", lambda: now + 661)
    answer = client.get(address)

    assert answer.status_code == 404
    assert answer.json["code"] == "link_expired"


def test_a_file_that_was_removed_since_is_not_found(
    client: FlaskClient, address: str, sample_repository: Path
) -> None:
    for stored in (sample_repository / "TestResults").iterdir():
        stored.unlink()

    answer = client.get(address)

    assert answer.status_code == 404
    assert answer.json["code"] == "not_found"


@pytest.mark.parametrize("name", ["page.html", "page.svg", "page.htm", "x.xhtml", "page"])
def test_nothing_is_served_as_a_type_that_a_browser_executes(
    client: FlaskClient, sample_repository: Path, reader: dict[str, str], name: str
) -> None:
    case = compared(
        sample_repository, actual=b"<script>alert(1)</script>", extension="", filename=name
    )
    url = client.get(case.url("actual"), headers=reader).json["download_url"]

    answer = client.get(url)

    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.mimetype in ("text/plain", "application/octet-stream")


@pytest.mark.parametrize("name", ['a"; x="b.srt', "a\r\nX-Evil: 1.srt", "テスト🎬.srt", ".." * 200])
def test_a_hostile_name_does_not_leave_its_header(
    client: FlaskClient, sample_repository: Path, reader: dict[str, str], name: str
) -> None:
    case = compared(sample_repository, filename=name)
    url = client.get(case.url("actual"), headers=reader).json["download_url"]

    answer = client.get(url)

    assert answer.data == BAD
    assert "X-Evil" not in answer.headers
    assert answer.headers["Content-Disposition"].count("filename=") == 1


def test_the_same_question_gets_the_same_address_within_a_minute(
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = compared(sample_repository)
    start = 60 * 30_000_000

    def address_at(moment: float) -> str:
        monkeypatch.setattr(downloads.time, "time", lambda: moment)
        url: str = client.get(case.url("actual"), headers=reader).json["download_url"]
        return url

    assert address_at(start + 1) == address_at(start + 59.5)
    assert address_at(start + 1) != address_at(start + 61)
