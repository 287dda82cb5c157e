"""A report as text, as Markdown and as JSON, cut to what fits."""

import json
from collections.abc import Callable
from typing import Any

from mod_api.services import links
from mod_api.services.report.gathering import Failing, Fixed, Report

MOST_BYTES = 4096
# More entries never fit into it.
MOST_FITTING = 100
# What one entry may take, in characters: a command may have thousands.
COMMAND, SAMPLE, SENTENCE, LINE = 120, 60, 300, 160
MOST_INFRASTRUCTURE = 5


class Shown:
    """How much of a report is shown: so many entries of each part."""

    def __init__(self, report: Report, entries: int) -> None:
        self.new = report.new[:entries]
        entries -= len(self.new)
        self.still_failing = report.still_failing[:entries]
        entries -= len(self.still_failing)
        self.fixed = report.fixed[:entries]
        self.left_out = (
            len(report.new) + len(report.still_failing) + len(report.fixed)
            - len(self.new) - len(self.still_failing) - len(self.fixed)
        )  # fmt: skip


def fitting(report: Report, limit: int | None, render: Callable[[Report, Shown], str]) -> str:
    """The text by `render` with at most `limit` entries; without a limit, as many as fit into
    4 KiB."""
    most = len(report.new) + len(report.still_failing) + len(report.fixed)
    if limit is not None:
        return render(report, Shown(report, limit))
    fits, too_many = 0, min(most, MOST_FITTING) + 1
    text = render(report, Shown(report, 0))
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        tried = render(report, Shown(report, middle))
        if len(tried.encode()) <= MOST_BYTES:
            fits, text = middle, tried
        else:
            too_many = middle
    return text


def fitting_object(report: Report, limit: int | None, base: str) -> dict[str, Any]:
    """The report as what becomes JSON, cut in the same way."""
    text = fitting(
        report,
        limit,
        lambda report, shown: json.dumps(
            as_object(report, shown, base), ensure_ascii=False, separators=(",", ":")
        ),
    )
    told: dict[str, Any] = json.loads(text)
    return told


def headline(report: Report) -> str:
    """How the run went, in a sentence."""
    run, counts = report.run, report.counts
    failing = f"{report.failing} of {counts.total} tests fail"
    if counts.missing_output:
        failing += f" ({counts.missing_output} without an output)"
    return (
        f"Run {run.run_id}, commit {run.commit_sha[:8]} on {run.platform.value}: "
        f"{run.status.value}. {failing}, {counts.passed} passed, {counts.skipped} skipped."
    )


def comparison(report: Report) -> str:
    """What the run is compared with, and what came of it."""
    other = report.compared_to
    if other is None:
        return "No ended run of the main branch on this platform is older: all failures are new."
    where = f"run {other.run_id}, commit {other.commit_sha[:8]} of {other.branch or 'no branch'}"
    return (
        f"Compared with {where}: {len(report.new)} new, {len(report.still_failing)} as before, "
        f"{len(report.fixed)} fixed."
    )


def as_text(report: Report, shown: Shown) -> str:
    """The report as lines of plain text."""
    lines = [headline(report), comparison(report)]
    for title, entries in (
        ("New failures:", shown.new),
        ("Failed before, too:", shown.still_failing),
    ):
        if entries:
            lines += ["", title]
            for entry in entries:
                lines.append(f"  Test {entry.regression_id}: {_named(entry)}: {_sentence(entry)}")
                lines += [f"    | {_cut(line, LINE)}" for line in entry.last_lines]
    if shown.fixed:
        lines += ["", "Fixed:"]
        lines += [f"  Test {fixed.regression_id}: {_named(fixed)}" for fixed in shown.fixed]
    lines += _infrastructure(report, "  ")
    if shown.left_out:
        lines += ["", _left_out(report, shown)]
    return "\n".join(lines) + "\n"


def as_markdown(report: Report, shown: Shown) -> str:
    """The report as Markdown; what a commit printed stands in code spans, where it is only text."""
    lines = [f"**{headline(report)}**", "", _escaped(comparison(report))]
    for title, entries in (
        ("New failures", shown.new),
        ("Failed before, too", shown.still_failing),
    ):
        if entries:
            lines += ["", f"### {title}", ""]
            for entry in entries:
                named, said = code(_named(entry)), code(_sentence(entry))
                lines.append(f"- Test {entry.regression_id}, {named}: {said}")
                lines += [f"  - {code(_cut(line, LINE))}" for line in entry.last_lines]
    if shown.fixed:
        lines += ["", "### Fixed", ""]
        lines += [f"- Test {fixed.regression_id}, {code(_named(fixed))}" for fixed in shown.fixed]
    told = _infrastructure(report, "")
    lines += told[:2] + [f"- {code(line)}" for line in told[2:]]
    if shown.left_out:
        lines += ["", _escaped(_left_out(report, shown))]
    return "\n".join(lines) + "\n"


def as_object(report: Report, shown: Shown, base: str) -> dict[str, Any]:
    """The report as what becomes JSON."""
    run, counts, other = report.run, report.counts, report.compared_to
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "commit_sha": run.commit_sha,
        "headline": headline(report),
        "failing": report.failing,
        "total": counts.total,
        "compared_to": None
        if other is None
        else {"run_id": other.run_id, "commit_sha": other.commit_sha, "branch": other.branch},
        "counts": {
            "new": len(report.new),
            "still_failing": len(report.still_failing),
            "fixed": len(report.fixed),
        },
        "new": [_failing(entry, report, base) for entry in shown.new],
        "still_failing": [_failing(entry, report, base) for entry in shown.still_failing],
        "fixed": [
            {
                "regression_id": fixed.regression_id,
                "sample_id": fixed.sample_id,
                "command": _cut(fixed.command, COMMAND),
                "sample_name": _cut(fixed.sample_name, SAMPLE),
            }
            for fixed in shown.fixed
        ],
        "infrastructure": [
            {"type": error.type, "message": _cut(error.message, SENTENCE)}
            for error in report.infrastructure[:MOST_INFRASTRUCTURE]
        ],
        "left_out": shown.left_out,
    }


def code(text: str) -> str:
    """A code span of Markdown, whose fence is longer than any in the text (CommonMark 6.1)."""
    runs = [len(run) for run in "".join(c if c == "`" else " " for c in text).split()]
    fence = "`" * (max(runs, default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _failing(entry: Failing, report: Report, base: str) -> dict[str, Any]:
    of = links.of_result(report.run.run_id, entry.regression_id, entry.sample_id, base)
    return {
        "regression_id": entry.regression_id,
        "sample_id": entry.sample_id,
        "command": _cut(entry.command, COMMAND),
        "sample_name": _cut(entry.sample_name, SAMPLE),
        "type": entry.type,
        "sentence": _cut(entry.sentence, SENTENCE),
        "more_errors": entry.more_errors,
        "is_flaky": entry.is_flaky,
        "since": entry.since and entry.since._asdict(),
        "last_lines": [_cut(line, LINE) for line in entry.last_lines],
        "links": {"self": of["self"]},
    }


def _named(entry: Failing | Fixed) -> str:
    """`command on sample`."""
    sample = _cut(entry.sample_name, SAMPLE) or f"sample {entry.sample_id}"
    return f"{_cut(entry.command, COMMAND)} on {sample}".strip()


def _sentence(entry: Failing) -> str:
    told = _cut(entry.sentence, SENTENCE)
    if entry.more_errors:
        told += f" And {entry.more_errors} more."
    if entry.since is not None:
        told += f" Fails since run {entry.since.run_id}"
        told += "." if entry.since.is_earliest else " or earlier."
    return told + (" Flaky." if entry.is_flaky else "")


def _infrastructure(report: Report, indent: str) -> list[str]:
    errors = report.infrastructure[:MOST_INFRASTRUCTURE]
    if not errors:
        return []
    title = "What executes runs failed (no test is at fault):"
    return [
        "",
        title,
        *[f"{indent}{error.type}: {_cut(error.message, SENTENCE)}" for error in errors],
    ]


def _left_out(report: Report, shown: Shown) -> str:
    return f"{shown.left_out} more: GET /api/v1/runs/{report.run.run_id}/report?limit=200"


def _cut(text: str, most: int) -> str:
    """A text on one line, at most so long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _escaped(text: str) -> str:
    """Text that Markdown takes for nothing else; a branch may have any name."""
    for character in "\\`*_[]<>#|~@":
        text = text.replace(character, f"\\{character}")
    return text
