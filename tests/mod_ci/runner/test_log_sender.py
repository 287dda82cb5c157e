"""When a log's lines are sent: the first at once, then at the pace that the server asks for."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mod_ci.runner import log_sender
from mod_ci.runner.log_sender import LogSender
from mod_ci.runner.protocol import Attempt
from mod_ci.runner.spool import Spool
from tests.patience import PATIENCE_SECONDS, until

NEVER_MS = 24 * 3600 * 1000
INFO, WORKER = "info", "worker"


class Sent:
    """What was appended, and a sender whose server asks for an append a day."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.appends: list[bytes] = []

        def append(_attempt: Any, _offset: int, lines: bytes) -> dict[str, Any]:
            self.appends.append(lines)
            return {}

        monkeypatch.setattr(log_sender, "append_log", append)
        self.spool = Spool(path)
        attempt = SimpleNamespace(lease=SimpleNamespace(log_interval_ms=NEVER_MS))
        self.sender = LogSender(cast("Attempt", attempt), self.spool, 0)
        self.sender.start()

    def write(self, text: str) -> None:
        self.spool.write(INFO, WORKER, [text])

    @property
    def text(self) -> str:
        return b"".join(self.appends).decode()


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    sent = Sent(tmp_path / "spool", monkeypatch)
    yield sent
    sent.sender.stop()
    assert not sent.sender.thread.is_alive()


def test_the_first_line_is_sent_at_once(sent: Sent) -> None:
    sent.write("first")

    until(lambda: "first" in sent.text)


def test_what_follows_is_sent_at_the_servers_pace(sent: Sent) -> None:
    sent.write("first")
    until(lambda: sent.appends)
    sent.write("second")
    sent.write("third")

    assert sent.sender.flush(PATIENCE_SECONDS)
    assert len(sent.appends) == 2
    assert [line.rpartition(" ")[2] for line in sent.text.splitlines()] == [
        "first", "second", "third",
    ]  # fmt: skip


def test_a_sender_without_lines_waits_without_end_and_can_be_stopped(sent: Sent) -> None:
    assert sent.sender.flush(PATIENCE_SECONDS)
    sent.sender.stop()

    assert sent.appends == []
