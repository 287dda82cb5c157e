"""What is written for people is held against what there is."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from config import ROOT, Settings

PAPERS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
METRIC = re.compile(r"\"(ci_[a-z_]+)\"")


@pytest.mark.parametrize("setting", [setting.name.upper() for setting in fields(Settings)])
def test_every_setting_is_described(setting: str) -> None:
    assert f"`{setting}`" in (ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("setting", [setting.name.upper() for setting in fields(Settings)])
def test_whether_several_hosts_must_agree_is_said_of_every_setting(setting: str) -> None:
    plan = (ROOT / "docs" / "beyond-one-machine.md").read_text("utf-8")
    (said,) = re.findall(r"^Every setting must be the same .*?\n\n", plan, re.MULTILINE | re.DOTALL)
    families = re.findall(r"`([A-Z_]+)_\.\.\.`", said)

    assert f"`{setting}`" in said or setting.startswith(tuple(families))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_no_link_leads_nowhere(paper: Path) -> None:
    links = LINK.findall(paper.read_text("utf-8"))

    assert not [link for link in links if not (paper.parent / link).exists()]


def test_every_metric_is_described() -> None:
    described = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    sources = ((ROOT / "metrics.py"), (ROOT / "mod_api" / "services" / "run_metrics.py"))
    names = [name for file in sources for name in METRIC.findall(file.read_text("utf-8"))]

    assert len(names) > 10
    assert not [name for name in names if not re.search(rf"`{name}(_total)?`", described)]
