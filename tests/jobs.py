"""Jobs in the hands of a test: submitting them, and a runner that holds one."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import factories
from tests.raw import Raw
from tests.runners import API, LONG_AGO, accepted

PROJECT = {"test_it.py": "def test_it():\n    assert True\n"}


def zipped(files: Mapping[str, str | bytes] = PROJECT) -> bytes:
    """A zip archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # The same bytes at any time.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


@dataclass(frozen=True)
class Submitter:
    """An account's token, and the client that it uses."""

    client: FlaskClient
    headers: dict[str, str]

    def ask(self, archive: bytes | None = None, /, *, key: str | None = None, **job: Any) -> Any:
        """Submit an archive."""
        data: dict[str, Any] = {
            "file": (io.BytesIO(zipped() if archive is None else archive), "project.zip")
        }
        if job:
            data["job"] = (io.BytesIO(json.dumps(job).encode()), "job", "application/json")
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        return self.client.post(
            f"{API}/jobs", data=data, content_type="multipart/form-data", headers=headers
        )

    def submit(self, archive: bytes | None = None, /, **job: Any) -> str:
        """Submit an archive, which is taken; the job's id."""
        job_id: str = accepted(self.ask(archive, **job)).get_json()["job_id"]
        return job_id

    def get(self, job_id: str, part: str = "", **query: Any) -> Any:
        """Read a job, or a part of it."""
        url = f"{API}/jobs/{job_id}{part}"
        return accepted(self.client.get(url, query_string=query, headers=self.headers)).get_json()

    def post(self, job_id: str, action: str, **body: Any) -> TestResponse:
        """Cancel a job, or submit it again."""
        url = f"{API}/jobs/{job_id}/{action}"
        return self.client.post(url, json=body, headers=self.headers)


@dataclass
class HeldJob:
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
    def job_id(self) -> str:
        job_id: str = self.claim["job"]["job_id"]
        return job_id

    def heartbeat(self, **body: Any) -> TestResponse:
        return self.client.post(f"{self.url}/heartbeat", json=body, headers=self.headers)

    def append(self, offset: int, data: bytes) -> TestResponse:
        headers = {**self.headers, "Upload-Offset": str(offset)}
        return self.client.patch(
            f"{self.url}/log", data=data, content_type="application/octet-stream", headers=headers
        )

    def tests(self, *tests: dict[str, Any]) -> TestResponse:
        return self.client.put(f"{self.url}/tests", json={"tests": tests}, headers=self.headers)

    def file(self, name: str, content: bytes) -> TestResponse:
        return self.client.put(
            f"{self.url}/files/{name}", data=content, headers=self.headers,
            content_type="application/octet-stream",
        )  # fmt: skip

    def reports(self, **body: Any) -> TestResponse:
        return self.client.put(f"{self.url}/reports", json=body, headers=self.headers)

    def finish(self, reason: str = "completed", **body: Any) -> TestResponse:
        if reason == "completed":
            body = {"outcome": "exited", "exit_code": 0, **body}
        return self.client.post(
            f"{self.url}/finish", json={"reason": reason, **body}, headers=self.headers
        )


@dataclass(frozen=True)
class JobRunner:
    """A runner's token and the client that it uses."""

    client: FlaskClient
    headers: dict[str, str]

    def ask(self, kinds: tuple[str, ...] = ("job",), **body: Any) -> TestResponse:
        told = {"platform": "linux", "runner_name": "runner-1", "kinds": kinds, **body}
        return self.client.post(f"{API}/attempts", json=told, headers=self.headers)

    def claim(self, **options: Any) -> HeldJob:
        response = self.ask(**options)
        assert response.status_code == 201, response.data
        return HeldJob(self.client, response.get_json())


def submitter(client: FlaskClient, role: str = "contributor", **account: Any) -> Submitter:
    """A new account that submits jobs."""
    return Submitter(client, factories.signed_in(role, "jobs:read", "jobs:write", **account))


def runner(client: FlaskClient) -> JobRunner:
    """A runner of a new admin."""
    return JobRunner(client, factories.signed_in("admin", "runs:execute"))


def lose_lease(raw: Raw, job_id: str) -> None:
    """What a runner that stopped answering leaves behind, without the wait."""
    raw.execute("UPDATE job SET lease_expires_at = ? WHERE uuid = ?", [LONG_AGO, job_id])
