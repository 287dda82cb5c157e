"""The samples: downloaded whole, kept by their hash, never taken for granted."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_ci.runner.cache import keep_within, taken
from tests.mod_ci.runner.standin import StandIn, listening, offer, regression

Serve = Callable[..., None]

MEDIA = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(MEDIA).hexdigest()
HASHES = "-c 'sha256sum < \"$input\" | cut -c1-64'"


@pytest.fixture
def media(server: StandIn) -> StandIn:
    """The server, with 5 MB of sample 1 and a run of one test that prints its hash."""
    server.samples[1] = MEDIA
    server.queue.append(offer([regression(1, HASHES)], {1: MEDIA}))
    return server


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    media: StandIn, serve_all: Serve
) -> None:
    def cut(handler) -> bool:
        start = 0
        if handler.headers.get("Range"):
            start = int(handler.headers["Range"][6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(MEDIA) - start))
        if start:
            span = f"bytes {start}-{len(MEDIA) - 1}/{len(MEDIA)}"
            handler.send_header("Content-Range", span)
        handler.end_headers()
        handler.wfile.write(MEDIA[start : start + 1_500_000])
        handler.hang_up()
        return True

    media.trouble("GET .*/samples/1", 2, cut)

    serve_all()

    assert media.only().results[1]["tail"] == DIGEST
    asked = [headers.get("Range") for what, headers in media.headers if what.startswith("GET")]
    assert asked[0] is None
    assert all(span is not None and int(span[6:-1]) > 1_000_000 for span in asked[1:])


def test_a_server_that_knows_no_ranges_is_asked_for_all_again(
    media: StandIn, serve_all: Serve, tmp_path: Path
) -> None:
    (tmp_path / "work" / "samples" / f"{DIGEST}.part").write_bytes(MEDIA[:1000])

    def all_of_it(handler) -> bool:
        handler.raw(200, MEDIA)
        return True

    media.trouble("GET", 1, all_of_it)

    serve_all()

    assert media.only().results[1]["tail"] == DIGEST


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(MEDIA), MEDIA + b"more"])
def test_a_broken_part_is_thrown_away(
    media: StandIn, serve_all: Serve, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "work" / "samples" / f"{DIGEST}.part").write_bytes(left)

    serve_all()

    assert media.only().results[1]["tail"] == DIGEST


def test_a_kept_sample_is_not_downloaded_again_unless_it_has_changed(
    media: StandIn, serve_all: Serve, tmp_path: Path
) -> None:
    serve_all()
    media.queue.append(offer([regression(1, HASHES)], {1: MEDIA}))
    serve_all()
    assert media.count("GET") == 1
    kept = tmp_path / "work" / "samples" / DIGEST
    kept.chmod(0o600)
    kept.write_bytes(b"changed")
    media.queue.append(offer([regression(1, HASHES)], {1: MEDIA}))

    serve_all()

    assert media.count("GET") == 2
    assert media.attempts[3].results[1]["tail"] == DIGEST


def test_many_tests_of_one_sample_download_it_once(server: StandIn, serve_all: Serve) -> None:
    tests = [regression(number, "") for number in range(1, 7)]
    server.queue.append(offer(tests, {1: b"media\n"}))

    serve_all(jobs=4)

    assert server.count("GET") == 1
    assert len(server.only().results) == 6


def test_a_sample_in_no_storage_is_no_test_failure_and_the_others_are_reported(
    server: StandIn, serve_all: Serve
) -> None:
    tests = [regression(1, "", sample_id=2), regression(2, ""), regression(3, "", sample_id=2)]
    server.queue.append(offer(tests, {1: b"media\n", 2: b"nowhere"}))

    serve_all()

    held = server.only()
    (finish,) = held.finishes
    assert (finish["reason"], finish["type"]) == ("resource_unavailable", "storage")
    assert finish["message"] == "Sample 2 is in no storage"
    assert list(held.results) == [2]


def test_a_sample_with_another_content_is_no_test_failure(
    server: StandIn, serve_all: Serve
) -> None:
    server.samples[1] = b"wrong!"
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    (finish,) = server.only().finishes
    assert (finish["reason"], finish["type"]) == ("resource_unavailable", "storage")
    assert "another content" in finish["message"]


def test_a_download_without_end_is_cut_off(server: StandIn, serve_all: Serve) -> None:
    server.samples[1] = b"x" * 10_000_000
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    assert "longer than announced" in server.only().finishes[0]["message"]


def test_the_credential_goes_to_the_server_only(server: StandIn, serve_all: Serve) -> None:
    with listening() as bucket:
        bucket.trouble("GET /signed", 9, lambda handler: handler.raw(200, b"media\n") or True)

        def redirect(handler) -> bool:
            handler.raw(302, b"", Location=f"{bucket.url}/signed/1")
            return True

        server.trouble("GET", 1, redirect)
        run = offer(
            [regression(1, ""), regression(2, "", sample_id=2)], {1: b"media\n", 2: b"media\n"}
        )
        run["samples"][1] |= {"url": f"{bucket.url}/signed/2", "sha256": "0" * 64}
        server.queue.append(run)

        serve_all()

        asked = [headers for what, headers in bucket.headers if what.startswith("GET /signed")]
        assert len(asked) >= 2
        assert all("Authorization" not in headers for headers in asked)
    ours = [headers for what, headers in server.headers if what.startswith("GET")]
    assert all(headers["Authorization"].startswith("Bearer spca_") for headers in ours)


def test_the_caches_are_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    with taken(tmp_path) as work:
        for age, name in enumerate(["new", "middle", "old"]):
            path = work.samples / name
            path.write_bytes(b"x" * 1000)
            os.utime(path, (1_000_000 - age, 1_000_000 - age))

        removed = keep_within(work, 1500)

        assert removed == ["old", "middle"]
        assert [path.name for path in work.samples.iterdir()] == ["new"]
