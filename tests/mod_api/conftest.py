"""What the tests of the API ask with."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories


@pytest.fixture
def get(app: Flask, client: FlaskClient) -> Callable[..., Any]:
    """GET of a path with a query, as somebody who may read runs: the JSON of the answer, once its
    status is the expected one."""
    headers = factories.signed_in("user", "runs:read")

    def get(path: str, expected: int = 200, /, **query: Any) -> Any:
        response = client.get(f"/api/v1{path}", query_string=query, headers=headers)
        assert response.status_code == expected, response.text
        return response.json

    return get
