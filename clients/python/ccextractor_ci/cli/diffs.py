"""`ci diff`: what a test's outputs differ in, in terms of captions, or line by line."""

from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.cli.output import Output
from ccextractor_ci.cli.session import Session

SHOWN_CUES = 20
# What would be invisible on a terminal is shown by a name.
INVISIBLE = {
    "\t": "→",
    "\r": "␍",
    "\u00a0": "⍽",
    "\u200b": "<U+200B>",
    "\u200e": "<U+200E>",
    "\ufeff": "<U+FEFF>",
}


def show(session: Session) -> int:
    """Show the differences of each output of a test; 1 when there are any."""
    options, output, transport = session.options, session.output, session.transport
    result = transport.json("GET", f"/runs/{options.run}/samples/{options.test}")
    diffs = [difference(session, result, entry) for entry in result.get("outputs") or []
             if entry["status"] != "match"]  # fmt: skip
    if output.as_json:
        output.json(diffs)
        return 1 if diffs else 0
    sample = result.get("sample_name") or f"sample {result['sample_id']}"
    command = output.safe(result.get("command"))
    status = output.status(result["status"])
    output.line(f"Test {options.test}, {command} on {output.safe(sample)}: {status}")
    if result.get("result_message"):
        output.line(f"  {output.safe(result['result_message'])}")
    for diff in diffs:
        output.line()
        print_difference(output, diff, by_lines=options.lines)
    return 1 if diffs or result["status"] not in ("pass", "skipped") else 0


def difference(session: Session, result: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Ask how one output differs from its baseline; the answer, with its file's name."""
    path = f"/runs/{result['run_id']}/samples/{result['sample_id']}/diff"
    query = {"regression_id": result["regression_id"], "output_id": entry["output_id"]}
    try:
        diff: dict[str, Any] = session.transport.json("GET", path, query)
    except failures.NotFound as failure:
        diff = {"status": entry["status"], "captions": None, "told": str(failure)}
    return {"filename": entry.get("filename"), **diff, "output_id": entry["output_id"]}


def print_difference(output: Output, diff: dict[str, Any], *, by_lines: bool = False) -> None:
    """Print one output's difference: cues where it is captions, else lines."""
    name = output.safe(diff.get("filename") or f"output {diff['output_id']}")
    captions = diff.get("captions")
    if captions:
        output.line(f"{output.paint(name, 'bold')}: {output.safe(captions['message'])}")
    else:
        told = diff.get("told") or diff["status"].replace("_", " ")
        output.line(f"{output.paint(name, 'bold')}: {output.safe(told)}")
    if captions and not by_lines:
        for cue in captions["changed"][:SHOWN_CUES]:
            _print_cue(output, cue)
        left = len(captions["changed"]) - SHOWN_CUES
        if left > 0 or captions["truncated"]:
            output.line(output.paint("  … more cues; `--lines` and the API have all", "dim"))
        return
    for hunk in diff.get("hunks") or []:
        output.line(
            output.paint(f"@@ -{hunk['expected_start']} +{hunk['actual_start']} @@", "cyan")
        )
        for line in hunk["lines"]:
            sign, *colour = {"added": ("+", "green"), "removed": ("-", "red")}.get(
                line["kind"], (" ",)
            )
            output.line(output.paint(f"{sign}{visible(output, line['text'])}", *colour))
    if diff.get("truncated"):
        output.line(output.paint("… cut: the API has all lines", "dim"))


def _print_cue(output: Output, cue: dict[str, Any]) -> None:
    """Print one changed cue: the baseline's red, the run's green, changed words bold."""
    expected, actual = cue["expected"], cue["actual"]
    kind = cue["kind"].replace("_", " ")
    first = expected or actual
    output.line(output.paint(f"  cue {first['number']}, {kind}", "cyan"))
    for side, sign, colour in ((expected, "-", "red"), (actual, "+", "green")):
        if side is None:
            continue
        times = f"{cue_time(side['start_ms'])} --> {cue_time(side['end_ms'])}"
        output.line(output.paint(f"    {sign} {times}", colour))
        words = [word["expected" if sign == "-" else "actual"] for word in cue["words"]]
        for line in side["text"].split("\n"):
            output.line(output.paint(f"    {sign} ", colour) + _marked(output, line, words, colour))


def _marked(output: Output, line: str, words: list[str], colour: str) -> str:
    """A line of a cue, in which changed words stand out."""
    shown = visible(output, line)
    if not output.is_coloured:
        return shown
    for word in {visible(output, word) for word in words if word}:
        if word in shown:
            before, _, after = shown.partition(word)
            return (output.paint(before, colour) + output.paint(word, colour, "bold")
                    + output.paint(after, colour))  # fmt: skip
    return output.paint(shown, colour)


def visible(output: Output, text: str) -> str:
    """Text in which white space that changes a caption can be seen."""
    for character, shown in INVISIBLE.items():
        text = text.replace(character, shown)
    return output.safe(text)


def cue_time(milliseconds: int) -> str:
    """A cue's time as SubRip writes it."""
    sign, total = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    seconds, left = divmod(total, 1000)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{left:03}"
