"""Logs of existing workers in which programs have written over their own lines."""

import pytest

from tests import factories
from tests.mod_ci.test_workers import Worker
from tests.runners import API

STATE = b"\r  42%  |  00:12"


@pytest.fixture
def run(site) -> factories.RunRow:
    return factories.run()


@pytest.fixture
def ask(client, run):
    reader = factories.signed_in("contributor", "system:read")

    def ask(path: str = "logs", **query):
        url = f"{API}/runs/{run.id}/{path}"
        response = client.get(url, query_string=query, headers=reader)
        assert response.status_code == 200, response.data
        return response

    return ask


def upload(client, run, log: bytes) -> None:
    bot = Worker(client, run)
    bot.post("progress", status="testing", message="")
    bot.post("progress", status="completed", message="")
    assert bot.post("logupload", log) == "OK"


def messages(response) -> list[str]:
    return [line["message"] for line in response.json["data"]]


@pytest.mark.parametrize("repeats", [1, 300, 6000])
def test_what_is_written_over_a_progress_line_is_found(app, client, run, ask, repeats) -> None:
    log = b"start\n" + STATE * repeats + b"\rERROR: cannot allocate\nend\n"
    upload(client, run, log)

    for query in ({"level": "error"}, {"contains": "error"}, {"contains": "ERROR: cannot"}):
        assert messages(ask(**query)) == ["ERROR: cannot allocate"], query
        assert messages(ask(order="desc", **query)) == ["ERROR: cannot allocate"], query
    assert messages(ask(tail=2)) == ["ERROR: cannot allocate", "end"]
    assert messages(ask(level="error", tail=5)) == ["ERROR: cannot allocate"]
    assert ask("logs/raw").data == log


def test_states_are_lines_and_never_glued_together(app, client, run, ask) -> None:
    upload(client, run, b"prepare\rPreparing\n 1%\r 2%\r\n99%\r\r\ndone\r\rlast")

    assert messages(ask()) == ["prepare", "Preparing", " 1%", " 2%", "99%", "done", "last"]
    assert messages(ask(contains="preparePreparing")) == []


def test_the_stream_tells_the_same_lines(app, client, run, ask) -> None:
    upload(client, run, b"start" + STATE * 3 + b"\rERROR: cannot allocate\n")

    text = ask("logs/stream", from_beginning="true").get_data(as_text=True)

    assert text.count("ERROR: cannot allocate") == 1
    assert text.count("42%") == 3
    assert "00:12ERROR" not in text
