"""Health and queue, through the front door."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mod_api.services.system import health
from mod_auth.scopes import Scope
from tests import factories
from tests.patience import until


def test_health_needs_no_token_and_names_every_dependency(app, client) -> None:
    response = client.get("/api/v1/system/health")

    assert response.status_code == 200
    assert response.json["status"] == "ok"
    assert {part["name"] for part in response.json["dependencies"]} >= {"database", "rate_limits"}


def test_health_of_a_database_that_is_away_is_503_in_the_documented_shape(
    make_app, site, tmp_path
) -> None:
    app = make_app(database_url=f"sqlite:///{tmp_path / 'empty.sqlite'}")

    response = app.test_client().get("/api/v1/system/health")

    assert response.status_code == 503
    assert response.json["status"] == "down"
    states = {part["name"]: part["status"] for part in response.json["dependencies"]}
    assert states["database"] == "down"


def test_a_database_that_hangs_blames_nobody_else_and_is_asked_once(
    make_app, site, hung_database
) -> None:
    app = make_app(database_url=hung_database.url, rate_limit_read="100/minute")

    def ask(_: int) -> tuple[int, dict[str, str]]:
        response = app.test_client().get("/api/v1/system/health")
        return response.status_code, {
            part["name"]: part["status"] for part in response.json["dependencies"]
        }

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))

    assert {status for status, _ in answers} == {503}
    assert {states["database"] for _, states in answers} == {"down"}
    assert {states["rate_limits"] for _, states in answers} == {"ok"}
    assert len(hung_database.taken) == 1


def test_a_database_that_hung_is_asked_anew(make_app, site, hung_database, monkeypatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.2)
    client = make_app(database_url=hung_database.url).test_client()

    def is_asked(times: int) -> bool:
        assert client.get("/api/v1/system/health").status_code == 503
        assert len(hung_database.taken) <= times
        return len(hung_database.taken) == times

    for times in (1, 2):
        until(lambda times=times: is_asked(times))
        hung_database.break_off()


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", Scope.SYSTEM_READ)


def queue(client, reader, **query) -> dict:
    return client.get("/api/v1/system/queue", query_string=query, headers=reader).json


def test_the_queue_shows_what_runs_before_what_waits_with_positions_per_platform(
    app, client, reader
) -> None:
    waiting = [factories.run(platform=platform) for platform in ("linux", "windows", "linux")]
    running = factories.run(progress=["preparation"])
    factories.run(progress=["preparation", "completed"])

    page = queue(client, reader)

    assert [(job["run_id"], job["status"], job["position"]) for job in page["data"]] == [
        (running.id, "running", None),
        (waiting[0].id, "queued", 1),
        (waiting[1].id, "queued", 1),
        (waiting[2].id, "queued", 2),
    ]
    assert (page["queue_depth"], page["running_count"]) == (3, 1)
    assert page["pagination"]["total"] == 4


def test_counts_of_the_queue_obey_the_platform_and_not_the_status(app, client, reader) -> None:
    for platform in ("linux", "linux", "windows"):
        factories.run(platform=platform)
    factories.run(progress=["testing"])

    page = queue(client, reader, platform="linux", status="running")

    assert (page["queue_depth"], page["running_count"]) == (2, 1)
    assert page["pagination"]["total"] == len(page["data"]) == 1
    assert queue(client, reader, status="queued")["pagination"]["total"] == 3


def test_pages_of_the_queue_are_the_whole_queue(app, client, reader) -> None:
    for number in range(7):
        factories.run(progress=["preparation"] if number % 3 == 0 else [])
    whole = queue(client, reader)["data"]

    walked, offset = [], 0
    while offset is not None:
        page = queue(client, reader, limit=2, offset=offset)
        walked += page["data"]
        offset = page["pagination"]["next_offset"]

    assert walked == whole
    assert len(whole) == 7


def test_a_run_that_the_existing_scheduler_took_is_running(app, client, reader, raw) -> None:
    run = factories.run()
    raw.execute(
        "INSERT INTO test_progress (test_id, status, timestamp, message) "
        "VALUES (?, 'preparation', '2026-01-01 00:00:00', '')",
        [run.id],
    )

    assert queue(client, reader)["data"][0]["status"] == "running"


def test_the_queue_needs_its_scope(client, sqlite_app) -> None:
    others = [scope for scope in Scope if scope is not Scope.SYSTEM_READ]
    headers = factories.signed_in("admin", *others)

    response = client.get("/api/v1/system/queue", headers=headers)

    assert response.status_code == 403
    assert response.json["details"]["required_scope"] == "system:read"
