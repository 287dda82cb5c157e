"""`demo.json`: what a folder with a demo holds, and whether it is all there."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .model import Demo, DemoOutput, DemoSample, DemoTest
from .repository import Commits, holds

NAME = "demo.json"
FORMAT = 2


def write(folder: Path, demo: Demo) -> None:
    """Write down the demo in the folder, with the hashes of its files; paths are relative."""
    files = [sample.path for sample in demo.samples]
    files += [path for test in demo.tests for path in _contents(test)]
    facts = {
        "format": FORMAT,
        "files": {str(path.relative_to(folder)): _hash(path) for path in files},
        "demo": asdict(demo),
    }
    text = json.dumps(
        facts, ensure_ascii=False, indent=1, default=lambda path: str(path.relative_to(folder))
    )
    (folder / NAME).write_text(text + "\n", "utf-8")


def read(folder: Path) -> Demo | None:
    """The demo in the folder; None when there is none, or it is not whole."""
    try:
        facts = json.loads((folder / NAME).read_text("utf-8"))
        if facts["format"] != FORMAT:
            return None
        demo = _demo(folder, facts["demo"])
        files_are_whole = all(
            _hash(folder / name) == sha256 for name, sha256 in facts["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    commits = Commits(
        demo.good_commit, demo.regressed_commit, demo.conflicting_commit, demo.merging_commit
    )
    return demo if files_are_whole and holds(demo.repository, commits) else None


def _contents(test: DemoTest) -> list[Path]:
    return [path for output in test.outputs for path in (output.expected, *output.variants)]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _demo(folder: Path, facts: dict[str, Any]) -> Demo:
    samples = tuple(
        DemoSample(**sample | {"path": folder / sample["path"], "tags": tuple(sample["tags"])})
        for sample in facts["samples"]
    )
    tests = tuple(_test(folder, test) for test in facts["tests"])
    repository = folder / facts["repository"]
    return Demo(**facts | {"repository": repository, "samples": samples, "tests": tests})


def _test(folder: Path, facts: dict[str, Any]) -> DemoTest:
    outputs = tuple(
        DemoOutput(
            **output
            | {
                "expected": folder / output["expected"],
                "variants": tuple(folder / variant for variant in output["variants"]),
            }
        )
        for output in facts["outputs"]
    )
    return DemoTest(**facts | {"categories": tuple(facts["categories"]), "outputs": outputs})
