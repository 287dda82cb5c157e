"""A run's log, followed live through the server as it is run."""

import socket
from collections.abc import Callable

import pytest
from flask import Flask

from mod_api.streaming import hub
from tests import factories
from tests.mod_api.streaming.following import Following, follow
from tests.patience import tries
from tests.raw import Raw
from tests.runners import Held, Runner, accepted
from tests.web_server import Server

WAIT_SECONDS = 30
AT = "2026-01-01T00:00:00.000Z"


def line(text: str, head: str = "info build") -> bytes:
    return f"{AT} {head} | {text}\n".encode()


def lines(first: int, last: int) -> bytes:
    return b"".join(line(f"line {number}") for number in range(first, last + 1))


def texts(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


def stream_of(run_id: int, query: str = "") -> str:
    return f"/api/v1/runs/{run_id}/logs/stream{query}"


def append(held: Held, data: bytes) -> None:
    offset = getattr(held, "written", 0)
    response = held.append(offset, data)
    assert response.status_code == 200, response.data
    held.written = response.json["offset"]  # type: ignore[attr-defined]  # of this test only


def test_a_stream_replays_what_is_there_and_goes_on_with_what_comes(
    app: Flask, server: Server, someone: dict[str, str], held: Held
) -> None:
    append(held, lines(1, 3))
    following = follow(server, stream_of(held.run_id), someone)
    first = following.take(3, "line")
    append(held, lines(4, 5))
    second = following.lines(2)
    accepted(held.finish())
    (end,) = following.rest()

    assert following.status == 200
    assert following.response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    assert following.response.getheader("X-Accel-Buffering") == "no"
    assert following.response.getheader("Cache-Control") == "no-store"
    assert [event.data["message"] for event in first] + second == texts(1, 5)
    assert first[0].data == {
        "timestamp": AT,
        "level": "info",
        "source": "build",
        "message": "line 1",
        "run_id": held.run_id,
        "sample_id": None,
        "regression_id": None,
    }
    assert (end.name, end.data) == ("end", {"run_id": held.run_id, "status": "error"})


def test_a_stream_that_starts_at_the_end_shows_only_what_comes(
    server: Server, someone: dict[str, str], held: Held
) -> None:
    append(held, lines(1, 3))
    following = follow(server, stream_of(held.run_id, "?from_beginning=false"), someone)
    (opening,) = following.take(1)
    append(held, lines(4, 4))

    assert (opening.name, opening.data) == ("position", {"run_id": held.run_id})
    assert [event.data["message"] for event in following.take(1)] == ["line 4"]


def test_who_is_cut_off_before_the_first_line_misses_nothing_either(
    server: Server, someone: dict[str, str], held: Held
) -> None:
    append(held, lines(1, 3))
    path = stream_of(held.run_id, "?from_beginning=false")
    following = follow(server, path, someone)
    following.take(1, "position")
    following.close()
    append(held, lines(4, 5))

    again = follow(server, path, someone, last_id=following.last_id)

    assert again.lines(2) == texts(4, 5)


def test_a_line_of_a_test_names_the_test_and_its_sample(
    server: Server, someone: dict[str, str], runners: Runner
) -> None:
    test = factories.regression_test()
    factories.run(tests=[test])
    held = runners.claim()
    append(held, line("of the test", f"info test_runner #{test.id}"))

    (event,) = follow(server, stream_of(held.run_id), someone).take(1, "line")

    assert event.data["regression_id"] == test.id
    assert event.data["sample_id"] == test.sample.id


def test_going_on_works_after_a_restart_and_at_another_server(
    serve: Callable[..., Server], someone: dict[str, str], held: Held
) -> None:
    server, other = serve(), serve()
    append(held, lines(1, 4))
    following = follow(server, stream_of(held.run_id), someone)
    assert following.lines(2) == texts(1, 2)
    last_id = following.last_id
    server.restart()

    after_restart = follow(server, stream_of(held.run_id), someone, last_id=last_id)
    elsewhere = follow(other, stream_of(held.run_id), someone, last_id=last_id)

    assert after_restart.lines(2) == elsewhere.lines(2) == texts(3, 4)


def test_a_server_that_is_to_end_does_not_wait_for_its_streams_or_waiting_runners(
    server: Server, someone: dict[str, str], held: Held
) -> None:
    append(held, lines(1, 1))
    followings = [follow(server, stream_of(held.run_id), someone) for _ in range(20)]
    events = follow(server, f"/api/v1/runs/{held.run_id}/events", someone)
    claim = server.connect()
    claim.request(
        "POST",
        "/api/v1/attempts",
        body=b'{"platform": "linux", "runner_name": "r", "wait": %d}' % WAIT_SECONDS,
        headers={
            **factories.signed_in("admin", "runs:execute"),
            "Content-Type": "application/json",
        },
    )
    for following in followings:
        following.lines(1)
    next(events.frames())

    server.terminate()

    assert [following.rest() for following in followings] == [[]] * 20
    factories.run()  # a claim that still waited would get it
    server.wait()
    assert claim.getresponse().status == 204
    assert "Traceback" not in server.told()


def test_filters_apply_to_what_is_there_and_to_what_comes(
    server: Server, someone: dict[str, str], held: Held
) -> None:
    mixed = line("Ninja starts") + line("ninja fails", "error build") + line("x", "error worker")
    append(held, mixed)
    path = stream_of(held.run_id, "?level=error&source=build&contains=NINJA")
    following = follow(server, path, someone)
    assert following.lines(1) == ["ninja fails"]
    append(held, mixed)

    assert following.lines(1) == ["ninja fails"]


def test_a_silent_stream_sends_comments(
    serve: Callable[..., Server], someone: dict[str, str], held: Held
) -> None:
    server = serve(stream_keep_alive=1)
    append(held, lines(1, 1))
    log = follow(server, stream_of(held.run_id), someone)
    events = follow(server, f"/api/v1/runs/{held.run_id}/events", someone)
    log.lines(1)
    events.take(1)

    comments = [next(log.frames()), next(log.frames())]
    assert [frame.comment for frame in comments] == ["keep-alive", "keep-alive"]
    assert "keep-alive" in {
        frame.comment for frame, _ in zip(events.frames(), range(9), strict=False)
    }


def test_a_silent_stream_whose_filters_left_lines_out_tells_where_it_is(
    serve: Callable[..., Server], someone: dict[str, str], held: Held
) -> None:
    server = serve(stream_keep_alive=1)
    append(held, lines(1, 1) + line("x", "error build") + lines(2, 3))
    path = stream_of(held.run_id, "?level=error")
    following = follow(server, path, someone)
    seen, position = following.take(2)
    comment = next(following.frames())
    again = follow(server, path, someone, last_id=position.id)
    append(held, line("y", "error build"))

    assert (seen.data["message"], position.name, position.data) == (
        "x", "position", {"run_id": held.run_id},
    )  # fmt: skip
    assert comment.comment == "keep-alive"
    assert position.id == str(len(lines(1, 3) + line("x", "error build")))
    assert [one.lines(1) for one in (following, again)] == [["y"], ["y"]]


def test_a_queued_run_is_waited_for(
    server: Server, someone: dict[str, str], runners: Runner
) -> None:
    run = factories.run(tests=[factories.regression_test()])
    following = follow(server, stream_of(run.id), someone)
    assert next(following.frames()).retry == "2000"
    held = runners.claim()
    append(held, lines(1, 1))

    assert following.lines(1) == ["line 1"]


def test_the_log_of_an_ended_run_is_sent_to_its_last_byte_and_ends(
    server: Server, someone: dict[str, str], held: Held
) -> None:
    append(held, lines(1, 2000))
    accepted(held.finish())

    events = follow(server, stream_of(held.run_id), someone).rest()

    assert [event.data["message"] for event in events[:-1]] == texts(1, 2000)
    assert events[-1].name == "end"


def test_an_old_log_without_a_last_newline_is_gone_on_with_behind_it(
    server: Server, someone: dict[str, str], sample_repository: object
) -> None:
    run = factories.run(progress=["preparation", "testing", "completed"])
    path = sample_repository / "LogFiles" / f"{run.id}.txt"  # type: ignore[operator]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"first \xff\x1b[31mred\x1b[0m\nlast")
    following = follow(server, stream_of(run.id), someone)
    events = following.rest()

    again = follow(server, stream_of(run.id), someone, last_id=events[1].id).rest()

    assert [event.data["message"] for event in events[:-1]] == ["first \ufffdred", "last"]
    assert [event.name for event in again] == ["end"]


@pytest.mark.parametrize("last_id", ["-1", "x", "99999999", "1e3", "\uff11", ""])
def test_an_id_that_was_never_given_is_refused(
    server: Server, someone: dict[str, str], held: Held, last_id: str
) -> None:
    append(held, lines(1, 1))

    reply = server.get(
        stream_of(held.run_id), {**someone, "Last-Event-ID": last_id.encode().decode("latin-1")}
    )

    assert reply.status == 400


def test_who_may_not_read_gets_no_stream(server: Server, held: Held) -> None:
    path = stream_of(held.run_id)

    assert server.get(path).status == 401
    assert server.get(path, factories.signed_in("admin", "runs:read")).status == 403
    assert (
        server.get(stream_of(2147483647), factories.signed_in("user", "system:read")).status == 404
    )


@pytest.mark.parametrize("how", ["revoked", "disabled"])
def test_streams_end_soon_after_their_token_or_account_does(
    server: Server, held: Held, raw: Raw, how: str
) -> None:
    owner = factories.account("contributor")
    headers = factories.bearer(factories.token_for(owner, "system:read", "runs:read"))
    append(held, lines(1, 1))
    log = follow(server, stream_of(held.run_id), headers)
    events = follow(server, f"/api/v1/runs/{held.run_id}/events", headers)
    log.lines(1)
    events.take(1)
    if how == "revoked":
        raw.execute("UPDATE api_token SET revoked_at = ? WHERE user_id = ?", [AT[:10], owner.id])
    else:
        raw.execute(
            "INSERT INTO account_record (user_id, disabled_at) VALUES (?, ?)",
            [owner.id, "2026-01-01 00:00:00"],
        )
    rest = log.rest() + [event for event in events.rest() if event.name == "end"]

    assert rest == []
    assert hub.CHECK_SECONDS + hub.TOKEN_SECONDS + hub.END_SECONDS < 10  # as docs/logs.md says
    assert server.get(stream_of(held.run_id), headers).status == 401


def test_beyond_the_limit_streams_are_refused_and_each_that_ends_gives_its_place_back(
    serve: Callable[..., Server], someone: dict[str, str], held: Held
) -> None:
    server = serve(max_streams=3)
    path = stream_of(held.run_id)
    open_now = [follow(server, path, someone) for _ in range(3)]
    for one in open_now:
        next(one.frames())

    refused = server.get(path, someone)
    assert (refused.status, refused.headers["retry-after"]) == (503, "10")
    assert b'"unavailable"' in refused.body
    assert server.get("/api/v1/system/health").status == 200

    for number in range(30):
        if number % 3 == 0:
            server.ask("HEAD", path, headers=someone)
        elif number % 3 == 1:
            gone_at_once(server, path, someone)
        else:
            open_now.pop().close()
            open_now.append(admitted(server, path, someone))
    for one in open_now:
        one.close()
    again = [admitted(server, path, someone) for _ in range(3)]

    assert [one.status for one in again] == [200, 200, 200]


def admitted(server: Server, path: str, headers: dict[str, str]) -> Following:
    """A stream, asked for until a place is free: that a client left is noticed in a moment."""
    for _ in tries(0.05):
        following = follow(server, path, headers)
        if following.status != 503:
            break
        following.close()
    return following


def gone_at_once(server: Server, path: str, headers: dict[str, str]) -> None:
    """Ask for a stream and leave before the first byte of the answer."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
