"""`ci approve` and `ci undo`: outputs that become baselines, and back."""

from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.cli.session import Session

AT_ONCE = 100


def approve(session: Session) -> int:
    """Ask for all differing outputs of tests; with `--decide`, approve them."""
    options = session.options
    outputs = [output for test in options.tests for output in _outputs(session, options.run, test)]
    told = [{**output, "reason": options.reason} for output in outputs]
    approvals = request(session, options.run, told, decide=options.decide)
    if session.output.as_json:
        session.output.json(approvals)
    else:
        print_approvals(session, approvals)
    return 0


def request(
    session: Session, run_id: int, outputs: list[dict[str, Any]], *, decide: bool
) -> list[dict[str, Any]]:
    """Ask for outputs, and approve them if `decide`; the requests. Raises a Failure."""
    path = f"/runs/{run_id}/baseline-approvals"
    approvals: list[dict[str, Any]] = []
    for start in range(0, len(outputs), AT_ONCE):
        part = outputs[start : start + AT_ONCE]
        approvals += session.transport.json("POST", path, body={"approvals": part})["data"]
    if decide:
        approvals = decided(session, approvals, str(outputs[0]["reason"]))
    return approvals


def decided(session: Session, approvals: list[dict[str, Any]], reason: str) -> list[dict[str, Any]]:
    """The requests, approved."""
    done: list[dict[str, Any]] = []
    for start in range(0, len(approvals), AT_ONCE):
        ids = [approval["approval_id"] for approval in approvals[start : start + AT_ONCE]]
        body = {"ids": ids, "decision": "approve", "reason": reason}
        done += session.transport.json("POST", "/baseline-approvals/decisions", body=body)["data"]
    return done


def print_approvals(session: Session, approvals: list[dict[str, Any]]) -> None:
    """One line a request."""
    output = session.output
    for approval in approvals:
        output.line(
            f"Approval {approval['approval_id']}: test {approval['regression_id']}, output "
            f"{approval['output_id']}, {output.status(approval['status'])}"
        )


def undo(session: Session) -> int:
    """Take an approval back: the former baseline is in force again."""
    options, output = session.options, session.output
    body = {"reason": options.reason} if options.reason else {}
    path = f"/baseline-approvals/{options.approval}/undo"
    record = session.transport.json("POST", path, body=body)
    if output.as_json:
        output.json(record)
    else:
        output.line(f"Approval {options.approval} is undone by {record['approval_id']}.")
    return 0


def _outputs(session: Session, run_id: int, test: int) -> list[dict[str, Any]]:
    """The outputs of a test that may become baselines. Raises Refused when there are none."""
    result = session.transport.json("GET", f"/runs/{run_id}/samples/{test}")
    found = [
        {
            "sample_id": result["sample_id"],
            "regression_id": result["regression_id"],
            "output_id": output["output_id"],
        }
        for output in result.get("outputs") or []
        if output.get("actual_hash") and output["status"] != "match"
    ]
    if not found:
        raise failures.Refused(f"Test {test} of run {run_id} has no output that differs.")
    return found
