"""Who asks for baselines and who decides, and how a run reads meanwhile."""

from typing import Any

from flask.testing import FlaskClient

from tests import factories
from tests.mod_api.compared import Compared

SCOPES = ("baselines:write", "runs:read", "results:read", "system:read")
REASON = "The new wording is right."
PASSING = ("pass", "pass", (1, 0, 0), 0, 0, "identical")
FAILING = ("fail", "fail", (0, 1, 1), 1, 1, "different")


class People:
    """Headers of who asks, who decides, and an admin, in the database of the moment."""

    def __init__(self) -> None:
        self.asker = factories.account("contributor", email="Asker@example.org")
        self.asks = factories.bearer(factories.token_for(self.asker, *SCOPES))
        self.decides = factories.signed_in("contributor", *SCOPES)
        self.admin = factories.signed_in("admin", *SCOPES)


def ask(client: FlaskClient, case: Compared, by: dict[str, str], **more: Any) -> Any:
    """The answer to a request for a new baseline."""
    body = {**case.asked, "reason": REASON, **more}
    return client.post(f"{case.base}/baseline-approval", json=body, headers=by)


def asked(client: FlaskClient, case: Compared, by: dict[str, str], **more: Any) -> str:
    answer = ask(client, case, by, **more)
    assert answer.status_code == 202, answer.json
    approval_id: str = answer.json["approval_id"]
    return approval_id


def decide(client: FlaskClient, approval_id: str, what: str, by: dict[str, str]) -> Any:
    return client.post(f"/api/v1/baseline-approvals/{approval_id}/{what}", headers=by)


def reading(client: FlaskClient, case: Compared, by: dict[str, str]) -> tuple[Any, ...]:
    """How the run of `case` reads, asked of every endpoint that says so."""
    run = f"/api/v1/runs/{case.run.id}"
    summary = client.get(f"{run}/summary", headers=by).json
    errors = client.get(f"{run}/errors", headers=by).json
    return (
        client.get(run, headers=by).json["status"],
        summary["status"],
        (summary["pass_count"], summary["fail_count"], summary["error_count"]),
        errors["pagination"]["total"],
        client.get(f"{run}/error-summary", headers=by).json["pagination"]["total"],
        client.get(case.url("diff"), headers=by).json["status"],
    )
