"""The document and its page: for everybody, so they must cost next to nothing."""

import json
import re
import threading

import flask_swagger_ui
import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from mod_api.document import COMMITTED
from mod_api.routes import docs
from tests.runners import API

ADDRESSES = (
    "openapi.yaml", "openapi.json", "docs/swagger-ui.css", "docs/swagger-ui-bundle.js",
    "docs/start.js", "docs/favicon-32x32.png",
)  # fmt: skip


def test_the_json_is_the_committed_document(sqlite_app: Flask, client: FlaskClient) -> None:
    answer = client.get(f"{API}/openapi.json")

    assert answer.content_type == "application/json"
    assert answer.json == yaml.load(COMMITTED.read_bytes(), Loader=yaml.CSafeLoader)
    assert client.get(f"{API}/openapi.yaml").data == COMMITTED.read_bytes()


def test_sixteen_strangers_at_once_have_it_made_once(sqlite_app: Flask, monkeypatch) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return docs._as_json()

    monkeypatch.setattr(docs, "JSON", docs.Kept(make, "application/json"))
    together = threading.Barrier(16)
    bodies: list[bytes] = []

    def ask() -> None:
        client = sqlite_app.test_client()
        together.wait()
        bodies.append(client.get(f"{API}/openapi.json").data)

    strangers = [threading.Thread(target=ask) for _ in range(16)]
    for stranger in strangers:
        stranger.start()
    for stranger in strangers:
        stranger.join()

    assert len(made) == 1
    assert len(bodies) == 16
    assert len(set(bodies)) == 1
    json.loads(bodies[0])


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_has_it_already_is_told_so(
    sqlite_app: Flask, client: FlaskClient, address: str
) -> None:
    url = f"{API}/{address}"
    for coding in ({}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "zstd"}):
        first = client.get(url, headers=coding)
        again = client.get(url, headers={**coding, "If-None-Match": first.headers["ETag"]})
        other = client.get(url, headers={**coding, "If-None-Match": '"another"'})

        assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
        assert again.data == b""
        for name in ("ETag", "Cache-Control", "Vary"):
            assert again.headers[name] == first.headers[name]


def test_scope_and_roles_of_an_operation_are_shown() -> None:
    document = yaml.load(COMMITTED.read_bytes(), Loader=yaml.CSafeLoader)
    operations = [
        operation
        for item in document["paths"].values()
        for operation in item.values()
        if "x-required-scope" in operation
    ]

    assert len(operations) > 30
    for operation in operations:
        assert f"scope `{operation['x-required-scope']}`" in operation["description"]
        for role in operation.get("x-required-roles", ()):
            assert role in operation["description"].rpartition("Needs ")[2]


def test_the_cursor_is_put_into_the_token_field() -> None:
    document = yaml.load(COMMITTED.read_bytes(), Loader=yaml.CSafeLoader)

    # Swagger UI focuses each field as it draws it, so the last one has the cursor.
    assert list(document["components"]["securitySchemes"])[-1] == "bearerAuth"


def test_the_page_loads_nothing_from_elsewhere(sqlite_app: Flask, client: FlaskClient) -> None:
    page = client.get(f"{API}/docs")
    loaded = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)

    assert len(loaded) == 5
    assert [client.get(address).status_code for address in loaded] == [200] * 5
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_behind_a_prefix_the_page_finds_its_parts(make_app) -> None:
    page = make_app(public_url="https://x.org/ci").test_client().get(f"{API}/docs")

    assert set(re.findall(r'(?:src|href|data-document)="(/ci/api/v1/|[^"]+)', page.text)) == {
        "/ci/api/v1/"
    }


def test_swagger_ui_is_what_the_requirements_pin(sqlite_app: Flask, client: FlaskClient) -> None:
    script = client.get(f"{API}/docs/swagger-ui-bundle.js").text

    assert flask_swagger_ui.__file__
    pinned = re.search(r"^flask-swagger-ui==([0-9.]+)", docs.COMMITTED.with_name(
        "requirements.txt").read_text(), re.MULTILINE)  # fmt: skip
    assert pinned is not None
    assert pinned[1] in script
