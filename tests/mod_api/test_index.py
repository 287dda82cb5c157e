"""The index: what answers here, as JSON for programs and as a page for browsers."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import ROOT
from tests.openapi import read
from tests.runners import API

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
PLACES = ("/", API, f"{API}/")


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "image/png", "text/*;q=0.1, */*"]
)
def test_programs_get_name_version_and_links(
    sqlite_app: Flask, client: FlaskClient, path: str, accept: str | None
) -> None:
    answer = client.get(path, headers={"Accept": accept} if accept else {})

    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.json["name"] == "CCExtractor CI System API"
    assert answer.json["version"] == "1.2.0"
    assert "Accept" in answer.headers["Vary"]
    links = answer.json["links"]
    assert links.pop("self") == API
    assert set(links) == {"docs", "openapi_yaml", "openapi_json", "health"}
    assert [client.get(link).status_code for link in links.values()] == [200] * 4


@pytest.mark.parametrize("path", PLACES)
def test_a_browser_gets_a_page_with_the_same_links(sqlite_app: Flask, path: str) -> None:
    client = FlaskClient(sqlite_app, sqlite_app.response_class)

    page = client.get(path, headers={"Accept": BROWSER})

    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "Accept" in page.headers["Vary"]
    addresses = re.findall(r'href="([^"]+)"', page.text)
    links = client.get(path).json["links"]
    assert set(addresses) == {link for name, link in links.items() if name != "self"}


def test_its_links_start_with_the_public_url(make_app) -> None:
    client = make_app(public_url="https://x.org/ci").test_client()

    links = client.get("/").json["links"]

    assert {link.removeprefix("https://x.org/ci/api/v1") for link in links.values()} == {
        "", "/docs", "/openapi.yaml", "/openapi.json", "/system/health"
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/?x=1", f"{API}?x=1", f"{API}/?x=1"])
def test_a_query_is_refused(sqlite_app: Flask, client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 400


@pytest.mark.parametrize("path", ["/index.html", "/api", "/api/", "/api/v2", "/robots.txt"])
def test_anything_else_stays_unknown(sqlite_app: Flask, client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"Accept": BROWSER}).status_code == 404


def test_it_is_in_the_document() -> None:
    document = read((ROOT / "openapi-ci-api.yaml").read_text("utf-8"))

    answer = document["paths"]["/"]["get"]["responses"]["200"]

    assert set(answer["content"]) == {"application/json", "text/html"}
