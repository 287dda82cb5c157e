"""Every address of the server is documented and guarded, or stands on one of the lists below."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from config import Settings
from mod_api.application import PREFIX
from mod_api.document import render
from mod_auth.models import Role
from mod_auth.scopes import Scope
from run import create_app
from tests import factories
from tests.openapi import read

OPEN = {
    ("POST", "/auth/tokens"),
    ("GET", "/auth/github/callback"),
    ("GET", "/downloads/{sealed}"),
    ("GET", "/system/health"),
    ("GET", "/"),
}
# Routes outside the document: its page, the host's root, the client as a file, and the existing
# workers' protocol.
UNDOCUMENTED = {
    ("GET", "/"),
    ("GET", "/ci"),
    ("GET", "/llms.txt"),
    ("GET", f"{PREFIX}/docs"),
    ("GET", f"{PREFIX}/docs/{{name}}"),
    ("GET", f"{PREFIX}/openapi.yaml"),
    ("GET", f"{PREFIX}/openapi.json"),
    ("POST", "/progress-reporter/{run_id}/{token}"),
    ("POST", "/submit"),
    ("POST", "/submit-stream"),
    ("POST", "/submit-async"),
    ("GET", "/jobs"),
    ("GET", "/jobs/{job_id}"),
    ("GET", "/jobs/{job_id}/stream"),
    ("DELETE", "/jobs/{job_id}"),
}
ANY_SCOPE = {
    ("GET", "/auth/me"),
    ("DELETE", "/auth/tokens/current"),
}
CLAIM = ("POST", "/attempts")  # its scope counts for nobody but admins, whatever a token says


@dataclass(frozen=True)
class Route:
    """One method of one rule of the URL map; `operation` is what the document says of it."""

    method: str
    path: str
    operation: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path.removeprefix(PREFIX)

    @property
    def security(self) -> dict[str, list[str]]:
        """The one way to be let in; empty when it is open."""
        assert self.operation is not None
        ways = self.operation["security"]
        return ways[0] if ways else {}

    @property
    def url(self) -> str:
        choices = {
            parameter["name"]: parameter["schema"]["enum"][0]
            for parameter in (self.operation or {}).get("parameters", ())
            if "enum" in parameter["schema"]
        }
        return re.sub(r"\{([^}]+)\}", lambda name: choices.get(name[1], "1"), self.path)


def routes() -> Iterator[Route]:
    app = create_app(
        Settings(secret_key="only for a look at the URL map, signs nothing", jobs=True)
    )
    paths = read(render(app.extensions["openapi"]))["paths"]
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([a-z_]+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            item = paths.get(path.removeprefix(PREFIX), {}) if path.startswith(PREFIX) else {}
            yield Route(method, path, item.get(method.lower()))


ROUTES = list(routes())
OPERATIONS = [route for route in ROUTES if route.operation is not None]
BEARER = [route for route in OPERATIONS if "bearerAuth" in route.security]
SCOPED = [route for route in BEARER if route.key not in ANY_SCOPE]
ATTEMPTS = [route for route in OPERATIONS if "attemptCredential" in route.security]
FOR_ROLES = [
    route
    for route in SCOPED
    if "x-required-roles" in route.operation and "x-own-resource" not in route.operation
]


def ask(client, route: Route, headers: dict[str, str] | None = None):
    return client.open(route.url, method=route.method, headers=headers)


def test_every_route_is_documented_but_those_on_the_list() -> None:
    undocumented = {(route.method, route.path) for route in ROUTES if route.operation is None}

    assert len(OPERATIONS) > 30
    assert undocumented == UNDOCUMENTED


def test_every_operation_of_the_document_is_a_route(sqlite_app: Flask) -> None:
    paths = read(render(sqlite_app.extensions["openapi"]))["paths"]
    documented = {
        (method.upper(), path)
        for path, item in paths.items()
        for method in item
        if method != "parameters"
    }

    assert documented == {route.key for route in OPERATIONS}


def test_every_reference_of_the_document_leads_somewhere(sqlite_app: Flask) -> None:
    text = render(sqlite_app.extensions["openapi"])
    components = read(text)["components"]
    named = re.findall(r"#/components/([a-zA-Z]+)/([A-Za-z0-9_.-]+)", text)

    assert named
    assert [f"{part}/{name}" for part, name in named if name not in components.get(part, {})] == []


def test_only_the_short_list_is_open() -> None:
    assert {route.key for route in OPERATIONS if not route.security} == OPEN


def test_an_operation_without_a_scope_is_about_the_callers_own_account() -> None:
    without = {route.key for route in BEARER if "x-required-scope" not in route.operation}

    assert without == ANY_SCOPE


def test_the_scope_is_documented_in_one_way_only() -> None:
    known = {scope.value for scope in Scope}

    for route in SCOPED:
        scope = route.operation["x-required-scope"]
        assert scope in known
        assert route.security == {"bearerAuth": []}


@pytest.mark.parametrize("route", BEARER + ATTEMPTS, ids=str)
def test_without_a_token_it_is_401(sqlite_app, client, route) -> None:
    nothing, wrong = ask(client, route), ask(client, route, factories.bearer("spci_" + "x" * 43))
    session = ask(client, route, {"Cookie": "session=x", "Authorization": "Basic eDp4"})

    assert (nothing.status_code, wrong.status_code, session.status_code) == (401, 401, 401)
    assert nothing.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


@pytest.mark.parametrize("route", ATTEMPTS, ids=str)
def test_a_token_of_an_account_opens_no_attempt(sqlite_app, client, route) -> None:
    headers = factories.signed_in(Role.admin, *Scope)

    assert ask(client, route, headers).status_code == 401


@pytest.mark.parametrize("route", SCOPED, ids=str)
def test_without_its_scope_it_is_403_naming_it(sqlite_app, client, route) -> None:
    scope = route.operation["x-required-scope"]
    others = sorted({known.value for known in Scope} - {scope})

    refused = ask(client, route, factories.signed_in(Role.admin, *others))

    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert refused.json["details"] == {"required_scope": scope, "token_scopes": others}


@pytest.mark.parametrize("route", [r for r in SCOPED if r.key != CLAIM], ids=str)
def test_with_its_scope_it_is_open_to_the_roles_it_names(sqlite_app, client, route) -> None:
    scope = route.operation["x-required-scope"]
    roles = set(route.operation.get("x-required-roles", [role.value for role in Role]))

    for role in Role:
        answer = ask(client, route, factories.signed_in(role, scope))
        if role.value in roles or route not in FOR_ROLES:
            assert answer.status_code not in (401, 403, 405, 500)
        else:
            assert answer.status_code == 403
            assert answer.json["details"] == {
                "required_roles": route.operation["x-required-roles"],
                "role": role.value,
            }


@pytest.mark.parametrize("route", [r for r in SCOPED if "{" in r.path], ids=str)
def test_who_may_not_learns_nothing_about_what_there_is(sqlite_app, client, route) -> None:
    headers = factories.signed_in(Role.admin)
    there = factories.run()
    paths = (route.path.replace("{run_id}", str(there.id)), route.path, route.path + "?x=%00")

    answers = [
        client.open(re.sub(r"\{[^}]+\}", "x", path), method=route.method, headers=headers)
        for path in paths
    ]

    assert [answer.status_code for answer in answers] == [403] * 3


@pytest.mark.parametrize("route", OPERATIONS, ids=str)
def test_another_method_is_405_naming_those_there_are(sqlite_app, client, route) -> None:
    there = {other.method for other in ROUTES if other.path == route.path}

    refused = client.open(route.url, method=min({"PUT", "DELETE", "PATCH"} - there))

    assert (refused.status_code, refused.json["code"]) == (405, "method_not_allowed")
    assert there <= set(refused.headers["Allow"].split(", "))
