"""`ci log`: the log of a run or of a job."""

import json
from collections.abc import Iterable
from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.cli.session import Session
from ccextractor_ci.pages import items


def show(session: Session) -> int:
    """Print a log's lines: all, the last, those with a text, or to the end of what writes it."""
    options, output = session.options, session.output
    for line in _lines(session):
        if output.as_json:
            output.line(json.dumps(line, ensure_ascii=False))  # each on a line of its own
            continue
        text = output.safe(line["message"], keeps_colour=True)
        output.line(f"{line['timestamp']}  {text}" if options.times else text)
    return 0


def _lines(session: Session) -> Iterable[dict[str, Any]]:
    """The lines that are asked for. Raises Refused for a job's regression test."""
    options, transport = session.options, session.transport
    is_run = options.id.isdigit()
    if options.test and not is_run:
        raise failures.Refused("Only a run's log has regression tests.")
    path = f"/{'runs' if is_run else 'jobs'}/{options.id}"
    query = {"contains": options.contains}
    if options.follow:
        asked = {**query, "regression_id": options.test} if is_run else query
        events = transport.events(f"{path}/logs/stream", asked)
        return (line for name, line in events if name == "line")
    if options.test and options.tail:
        newest = items(
            transport,
            f"{path}/samples/{options.test}/logs",
            {**query, "order": "desc"},
            most=options.tail,
        )
        return list(newest)[::-1]
    if options.test:
        return items(transport, f"{path}/samples/{options.test}/logs", query)
    return items(transport, f"{path}/logs", {**query, "tail": options.tail}, most=options.tail)
