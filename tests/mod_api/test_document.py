"""The OpenAPI document: committed as generated, and as agreed with the clients."""

import subprocess
import sys
from pathlib import Path

from flask import Flask

from config import ROOT
from mod_api.document import COMMITTED, render
from tests.openapi import read

CHECK = ROOT.parent / "shared" / "contract" / "check"
MOST_LINES = "1000"


def test_the_committed_document_is_the_generated_one(sqlite_app: Flask) -> None:
    generated = render(sqlite_app.extensions["openapi"])

    assert COMMITTED.read_text("utf-8") == generated, "stale: run scripts/openapi"


def test_the_document_is_the_same_each_time_it_is_generated(sqlite_app: Flask) -> None:
    spec = sqlite_app.extensions["openapi"]

    assert render(spec) == render(spec)


def test_every_operation_says_what_it_does() -> None:
    document = read(COMMITTED.read_text("utf-8"))
    operations = [
        (f"{method} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]

    assert not [name for name, operation in operations if not operation.get("summary")]


def shortcomings(document: Path) -> list[str]:
    """What the contract's own check says falls short, operation by operation."""
    command = [sys.executable, str(CHECK), str(document), "--most", MOST_LINES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()[:-1]


if CHECK.is_file():  # the contract is not in this repository; the gate has it beside the checkout

    def test_the_document_offers_what_was_agreed() -> None:
        assert shortcomings(COMMITTED) == []
