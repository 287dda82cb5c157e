"""The API as this script uses it: one request at a time, patient with limits and restarts."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Client:
    """Asks the API with one token; `check` is called before each try, and may raise."""

    url: str
    token: str
    check: Callable[[], None]

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """The object at a path below `/api/v1`. Raises requests.HTTPError."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The answer to an object that is posted. Raises requests.HTTPError."""
        return self._ask("POST", path, json=body, headers=headers)

    def submit(self, name: str, archive: bytes) -> dict[str, Any]:
        """The job that an archive is submitted as. Raises requests.HTTPError."""
        parts = {
            "file": ("project.zip", archive),
            "job": (None, json.dumps({"name": name}), "application/json"),
        }
        return self._ask("POST", "/jobs", files=parts, headers={"Idempotency-Key": f"demo-{name}"})

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        while True:
            self.check()
            try:
                with requests.Session() as session:
                    session.trust_env = False  # no proxy stands between us
                    response = session.request(
                        method, f"{self.url}/api/v1{path}", headers=headers,
                        timeout=TIMEOUT_SECONDS, **options,
                    )  # fmt: skip
            except requests.ConnectionError:
                time.sleep(0.5)
                continue
            if response.status_code in (429, 503):
                time.sleep(min(float(response.headers.get("Retry-After", 1)), 5.0))
                continue
            response.raise_for_status()
            found: dict[str, Any] = response.json()
            return found
