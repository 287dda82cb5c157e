"""The log that an attempt appends to."""

import pytest

from tests import factories
from tests.mod_ci.attempts import shown
from tests.runners import API, LONG_AGO, accepted, lose_lease, runner


def test_an_append_twice_is_harmless_and_a_gap_is_416_with_the_true_offset(
    app, client, held, sample_repository
) -> None:
    first = held.append(0, b"one\n")
    again = held.append(0, b"one\n")
    gap = held.append(10, b"two\n")
    other = held.append(0, b"uno\n")

    assert (first.status_code, first.json["offset"]) == (200, 4)
    assert (again.status_code, again.json["offset"]) == (200, 4)
    for refused in (gap, other):
        assert (refused.status_code, refused.json["code"]) == (416, "offset_mismatch")
        assert refused.json["details"]["offset"] == 4
    assert held.append(4, b"two\n").json["offset"] == 8
    log = sample_repository / "LogFiles" / f"{held.run_id}.txt"
    assert log.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(
    "how", [{}, {"reason": "build_failed", "type": "build"}], ids=["completed", "failed"]
)
def test_a_log_is_final_once_its_attempt_has_finished(
    app, client, held, sample_repository, how
) -> None:
    accepted(held.append(0, b"one\n"))
    accepted(held.finish(**how))

    late = held.append(4, b"two\n")

    assert (late.status_code, late.json["code"]) == (409, "run_ended")
    log = sample_repository / "LogFiles" / f"{held.run_id}.txt"
    assert log.read_bytes() == b"one\n"


def test_the_log_is_taken_after_a_cancel_which_the_answer_tells(app, client, held) -> None:
    admin = factories.signed_in("admin", "runs:write")
    client.post(f"{API}/runs/{held.run_id}/cancel", headers=admin)

    late = held.append(0, b"one\n")

    assert (late.status_code, late.json["canceled"]) == (200, True)


def test_an_append_past_the_deadline_ends_the_run_and_its_last_words_are_taken(
    app, client, held, reader, raw
) -> None:
    raw.execute("UPDATE run_attempt SET deadline_at = ?", [LONG_AGO])

    for number, words in enumerate((b"one\n", b"two\n")):
        told = held.append(number * 4, words)
        assert (told.status_code, told.json["canceled"]) == (200, True)
        assert told.json["lease"]["expires_at"] is None

    assert shown(client, reader, held.run_id)["status"] == "canceled"
    assert raw.execute("SELECT end_reason FROM run_attempt") == [("deadline_exceeded",)]
    assert raw.execute("SELECT lease_expires_at FROM run_record") == [(None,)]


def test_the_next_attempt_goes_on_where_the_log_ends(
    app, client, ours, held, raw, sample_repository
) -> None:
    accepted(held.append(0, b"one\n"))
    log = sample_repository / "LogFiles" / f"{held.run_id}.txt"
    with log.open("ab") as torn:
        torn.write(b"a line that a crash broke o")
    lose_lease(raw, held.run_id)

    again = ours.claim()

    assert again.claim["log_offset"] == log.stat().st_size
    assert again.append(again.claim["log_offset"], b"two\n").status_code == 200
    assert log.read_bytes().endswith(b"broke o\ntwo\n")


@pytest.mark.parametrize(
    ("headers", "data", "kind", "expected"),
    [
        ({}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "-1"}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "x"}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "1_0"}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "9" * 30}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "0"}, b"x", "application/octet-stream", 400),
        ({"Upload-Offset": "0"}, b"", "application/octet-stream", 400),
        ({"Upload-Offset": "0"}, b"x\n", "text/plain", 415),
        ({"Upload-Offset": "0"}, b"x" * (1024 * 1024) + b"\n", "application/octet-stream", 413),
    ],
)
def test_a_wrong_append_is_refused(
    sqlite_app, client, held, headers, data, kind, expected, sample_repository
) -> None:
    response = client.patch(
        f"{held.url}/log", data=data, content_type=kind, headers={**held.headers, **headers}
    )

    assert response.status_code == expected, response.json
    assert not (sample_repository / "LogFiles" / f"{held.run_id}.txt").exists()


def test_an_append_of_exactly_the_largest_size_is_taken(sqlite_app, client, held) -> None:
    data = (b"x" * 1023 + b"\n") * 1024

    assert held.append(0, data).json["offset"] == len(data)


def test_a_full_log_says_so_and_takes_no_more(make_app, site, test_) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(log_limit=100).test_client()).claim()

    full = held.append(0, b"line\n" * 50)
    more = held.append(full.json["offset"], b"more\n")

    assert (full.status_code, full.json["log_full"]) == (200, True)
    assert (more.status_code, more.json["log_full"]) == (200, True)
    assert more.json["offset"] == full.json["offset"]


def test_a_log_that_cannot_be_written_is_5xx(app, client, held, sample_repository) -> None:
    (sample_repository / "LogFiles").write_bytes(b"in the way")
    try:
        response = held.append(0, b"line\n")
    finally:
        (sample_repository / "LogFiles").unlink()

    assert response.status_code == 503
    assert held.append(0, b"line\n").status_code == 200


def test_a_claim_whose_log_cannot_be_read_gives_the_run_back(
    app, client, ours, reader, sample_repository
) -> None:
    run = factories.run()
    logs = sample_repository / "LogFiles"
    logs.mkdir()
    (logs / f"{run.id}.txt").symlink_to("/nonexistent")

    for _ in range(4):  # more often than attempts may be lost
        assert ours.ask().status_code == 503
        assert shown(client, reader, run.id)["status"] == "queued"

    (logs / f"{run.id}.txt").unlink()
    assert ours.claim().run_id == run.id
