"""What schemathesis is told beyond `schemathesis.toml`, which names this file.

Each rule changes valid input only into what no schema can ask for; wrong input is sent as it is.
"""

from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

RUNS = 8  # of tests/full_dataset.py, that have ended
STREAMS = ("/logs/stream", "/events")
REASON = "The new captions are right."


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return case
    # Both are what an answer before said; the tests of pages and streams have the wrong ones.
    case.query.pop("cursor", None)
    case.headers.pop("Last-Event-ID", None)
    if "tail" in case.query:
        case.query.pop("order", None)  # `tail` is an order of its own
    for given in (case.query, case.body):
        if isinstance(given, dict):
            do_not_wait(given)
            give_reasons(given)
            name_outputs_once(given)
    if case.path.endswith(STREAMS):
        # The stream of a run that goes on does not end.
        case.path_parameters["run_id"] = 1 + hash(case.id) % RUNS
    return case


def do_not_wait(given: dict[str, Any]) -> None:
    """Waiting is tested elsewhere; here it would only take the time of the check."""
    if "wait" in given:
        given["wait"] = 0


def give_reasons(given: dict[str, Any]) -> None:
    """A reason is not one character repeated."""
    for each in (given, *(part for part in given.get("approvals", ()) if isinstance(part, dict))):
        if isinstance(each.get("reason"), str):
            each["reason"] = REASON


def name_outputs_once(given: dict[str, Any]) -> None:
    """A list of approvals names each output once."""
    listed = given.get("approvals")
    if isinstance(listed, list):
        given["approvals"] = list({each["output_id"]: each for each in listed}.values())
