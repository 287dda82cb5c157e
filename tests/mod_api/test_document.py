"""The OpenAPI document: committed as generated, and as agreed with the clients."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from config import ROOT
from mod_api import contract_texts
from mod_api.contract_texts import operations
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
    found = list(operations(read(COMMITTED.read_text("utf-8"))))

    assert not [operation for *_, operation in found if not operation.get("summary")]
    names = [operation["operationId"] for *_, operation in found]
    assert len(set(names)) == len(names)
    assert {"listRuns", "getRun", "getDiff", "claimRun"} <= set(names)


def test_an_operation_takes_few_bytes() -> None:
    text = COMMITTED.read_text("utf-8")

    assert len(text.encode()) / len(list(operations(read(text)))) <= 4500


# What decisions of ours replace, each with the decision.
REPLACED = {
    "windows-latest": "an environment is its platform (docs/semantics.md)",
}


def texts(node: object) -> Iterator[str]:
    """Every description and example below a node, without line breaks."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("description", "example") and not isinstance(value, dict):
                yield " ".join(str(value).split())
            else:
                yield from texts(value)
    elif isinstance(node, list):
        for each in node:
            yield from texts(each)


def test_every_text_of_the_contract_is_found_again() -> None:
    ours = "\n".join(texts(read(COMMITTED.read_text("utf-8"))))

    lost = sorted({text for text in texts(contract_texts.read()) if text not in ours})
    assert lost == sorted(REPLACED)


def shortcomings(document: Path) -> list[str]:
    """What the contract's own check says falls short, operation by operation."""
    command = [sys.executable, str(CHECK), str(document), "--most", MOST_LINES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()[:-1]


if CHECK.is_file():  # the contract is not in this repository; the gate has it beside the checkout

    def test_the_document_offers_what_was_agreed() -> None:
        assert shortcomings(COMMITTED) == []
