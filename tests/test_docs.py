"""The documents match the code: settings, metrics, and everything that names a document."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from config import ROOT, Settings

DOCS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "findings").rglob("*.md")]
)
NOT_OURS = {"instance", "node_modules", "__pycache__"}
HIDDEN_AND_OURS = {".ci", ".github"}
TEXTS = {".py", ".md", ".sh", ".yaml", ".yml", ".toml", ".example", ".service", ".timer", ""}
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
METRIC = re.compile(r"\"(ci_[a-z_]+)\"")
# Followed by the heading of a section where it is `docs/x.md, "Heading"`.
DOCUMENT = re.compile(r"(?<![\w/.-])((?:[\w-]+/)*[\w-]+\.md)\b(?:,\s+\"([^\"\n]+)\")?")
STATUS = re.compile(
    r"^Status: ((?:accepted|superseded by \d{3}), \d{4}-\d\d-\d\d.*)$", re.MULTILINE
)
NUMBER = re.compile(r"(?:docs/adr/|ADRs? )(\d{3})(?![\w-]*\.md)")
# What newcomers cannot look up: a design that is in no document here.
ELSEWHERE = re.compile(r"\bdecisions? \d|\b[Tt]he design\b(?! of)")
# Files that the demonstration writes into a repository of its own.
OF_THE_DEMONSTRATION = {"docs/exit-codes.md", "exit-codes.md"}
CODE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sh|sql|yaml|toml|service))`")


@pytest.mark.parametrize("setting", [setting.name.upper() for setting in fields(Settings)])
def test_every_setting_is_described(setting: str) -> None:
    assert f"`{setting}`" in (ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("setting", [setting.name.upper() for setting in fields(Settings)])
def test_whether_several_hosts_must_agree_is_said_of_every_setting(setting: str) -> None:
    plan = (ROOT / "docs" / "beyond-one-machine.md").read_text("utf-8")
    (said,) = re.findall(r"^Every setting must be the same .*?\n\n", plan, re.MULTILINE | re.DOTALL)
    families = re.findall(r"`([A-Z_]+)_\.\.\.`", said)

    assert f"`{setting}`" in said or setting.startswith(tuple(families))


@pytest.mark.parametrize("document", DOCS, ids=lambda document: document.name)
def test_no_link_leads_nowhere(document: Path) -> None:
    links = LINK.findall(document.read_text("utf-8"))

    assert not [link for link in links if not (document.parent / link).exists()]


def test_every_metric_is_described() -> None:
    described = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    sources = ((ROOT / "metrics.py"), (ROOT / "mod_api" / "services" / "system" / "run_metrics.py"))
    names = [name for file in sources for name in METRIC.findall(file.read_text("utf-8"))]

    assert len(names) > 10
    assert not [name for name in names if not re.search(rf"`{name}(_total)?`", described)]


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project, this one left out."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = {part for part in parts[:-1] if part.startswith(".")} - HIDDEN_AND_OURS
        if hidden or NOT_OURS & set(parts) or path.suffix not in TEXTS or not path.is_file():
            continue
        if path != Path(__file__):
            yield path, path.read_text("utf-8", errors="replace")


def is_there(name: str, heading: str, near: Path) -> bool:
    """Return whether a document exists, beside the file that names it or from the root on."""
    for place in (ROOT / name, near.parent / name, ROOT / "docs" / name):
        if place.is_file():
            return not heading or f"# {heading}\n" in place.read_text("utf-8")
    return False


def test_every_document_that_code_or_docs_name_exists() -> None:
    missing = [
        (str(path.relative_to(ROOT)), name, heading)
        for path, text in texts()
        for name, heading in DOCUMENT.findall(text)
        if name not in OF_THE_DEMONSTRATION and not is_there(name, heading, path)
    ]

    assert missing == []


def test_every_decision_that_code_or_docs_name_has_its_record() -> None:
    known = {path.name[:3] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}
    named = [
        (str(path.relative_to(ROOT)), number)
        for path, text in texts()
        for number in NUMBER.findall(text)
    ]

    assert named
    assert [one for one in named if one[1] not in known] == []


def test_every_decision_record_has_a_status_and_a_date_and_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = (folder / "README.md").read_text("utf-8")
    records = sorted(folder.glob("[0-9]*.md"))

    assert records
    for record in records:
        status = STATUS.search(record.read_text("utf-8"))
        assert status, f"{record.name} has no line 'Status: accepted, 2026-01-31'"
        assert f"[{record.name[:3]}]({record.name}) | {status[1].replace(',', '', 1)} |" in listed


def test_nothing_refers_to_a_design_that_is_not_here() -> None:
    found = [
        (str(path.relative_to(ROOT)), hit)
        for path, text in texts()
        if path.suffix in {".py", ".md"}
        for hit in ELSEWHERE.findall(text)
    ]

    assert found == []


@pytest.mark.parametrize("document", DOCS, ids=lambda document: document.name)
def test_every_source_file_that_a_document_names_exists(document: Path) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = CODE.findall(document.read_text("utf-8"))

    ours = [name for name in named if name.split("/")[0] in folders]
    assert not [name for name in ours if not (ROOT / name).exists()]
