"""A runner in the hands of a test: what docs/runner-protocol.md offers, one function a call."""

import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import factories
from tests.raw import Raw

API = "/api/v1"
LONG_AGO = "2020-01-01 00:00:00.000000"


def accepted(response: TestResponse) -> TestResponse:
    """The answer, which is a success: a runner that was refused goes on with nothing."""
    assert 200 <= response.status_code < 300, response.data
    return response


@dataclass
class Held:
    """What a runner holds after a claim."""

    client: FlaskClient
    claim: dict[str, Any]
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = factories.bearer(self.claim["credential"])

    @property
    def url(self) -> str:
        return f"{API}/attempts/{self.claim['attempt_id']}"

    @property
    def run_id(self) -> int:
        run_id: int = self.claim["run"]["run_id"]
        return run_id

    @property
    def tests(self) -> list[int]:
        return [test["regression_id"] for test in self.claim["tests"]]

    def heartbeat(self, **body: Any) -> TestResponse:
        return self.client.post(f"{self.url}/heartbeat", json=body, headers=self.headers)

    def finish(self, reason: str = "completed", **body: Any) -> TestResponse:
        body["reason"] = reason
        return self.client.post(f"{self.url}/finish", json=body, headers=self.headers)

    def append(self, offset: int, data: Any) -> TestResponse:
        headers = {**self.headers, "Upload-Offset": str(offset)}
        return self.client.patch(
            f"{self.url}/log", data=data, content_type="application/octet-stream", headers=headers
        )

    def report(
        self,
        regression_id: int,
        produced: dict[int, str | bytes] | None = None,
        /,
        *,
        files: bool = True,
        **told: Any,
    ) -> TestResponse:
        """Report a result; an output is its hash, or the bytes that are sent along."""
        found = produced or {}
        hashes = {
            output_id: hashlib.sha256(got).hexdigest() if isinstance(got, bytes) else got
            for output_id, got in found.items()
        }
        result = {
            "runtime_ms": 5,
            "exit_code": 0,
            "outcome": "exited",
            "outputs": [{"output_id": one, "sha256": sha256} for one, sha256 in hashes.items()],
            **told,
        }
        parts: dict[str, Any] = {
            f"output-{one}": (io.BytesIO(got), "output")
            for one, got in found.items()
            if files and isinstance(got, bytes)
        }
        url = f"{self.url}/results/{regression_id}"
        if not parts:
            return self.client.put(url, json=result, headers=self.headers)
        parts["result"] = (io.BytesIO(json.dumps(result).encode()), "result", "application/json")
        return self.client.put(
            url, data=parts, content_type="multipart/form-data", headers=self.headers
        )


@dataclass(frozen=True)
class Runner:
    """A runner's token and the client that it uses."""

    client: FlaskClient
    headers: dict[str, str]

    def ask(self, platform: str = "linux", *, name: str = "runner-1", **body: Any) -> TestResponse:
        body |= {"platform": platform, "runner_name": name}
        return self.client.post(f"{API}/attempts", json=body, headers=self.headers)

    def claim(self, platform: str = "linux", **options: Any) -> Held:
        response = self.ask(platform, **options)
        assert response.status_code == 201, response.data
        return Held(self.client, response.get_json())


def runner(client: FlaskClient) -> Runner:
    """A runner of a new admin."""
    return Runner(client, factories.signed_in("admin", "runs:execute"))


def lose_lease(raw: Raw, run_id: int) -> None:
    """What a runner that stopped answering leaves behind, without the wait."""
    raw.execute("UPDATE run_record SET lease_expires_at = ? WHERE test_id = ?", [LONG_AGO, run_id])
