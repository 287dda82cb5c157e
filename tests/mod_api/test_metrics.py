"""The metrics of one process, as Prometheus reads them."""

import threading
import time
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from mod_api.metrics_page import page_of
from mod_api.services.system import run_metrics
from mod_ci import queue
from mod_test.rollup.settle import settle_marks
from mod_test.verdict import RunStatus
from tests import factories, jobs
from tests.runners import API, accepted, lose_lease, runner
from tests.sql import counted

Sample = tuple[str, frozenset[tuple[str, str]]]
MOST_STATEMENTS = 9


def scraped(app: Flask) -> dict[Sample, float]:
    """Every sample by its name and labels."""
    answered: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"}
    body = b"".join(page_of(app)(environ, lambda status, headers: answered.append(status)))
    assert answered == ["200 OK"]
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def named(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


def total_of(client, reader, status: RunStatus) -> int:
    page = client.get(f"{API}/runs?status={status}", headers=reader).json
    return page["pagination"]["total"]


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "system:read")


def test_requests_are_counted_by_their_template_method_and_status(
    sqlite_app, client, reader
) -> None:
    run = factories.run()
    route = {"method": "GET", "route": "/api/v1/runs/<id:run_id>"}
    before = scraped(sqlite_app)

    client.get(f"{API}/runs/{run.id}", headers=reader)
    client.get(f"{API}/runs/{run.id + 1}", headers=reader)
    client.get(f"{API}/runs/{run.id}")

    after = scraped(sqlite_app)
    for status in ("200", "404", "401"):
        sample = named("ci_http_requests_total", **route, status=status)
        assert after[sample] == before.get(sample, 0) + 1
    timed = named("ci_http_request_seconds_count", **route)
    assert after[timed] == before.get(timed, 0) + 3


def test_what_a_stranger_sends_makes_no_new_metric(sqlite_app, client) -> None:
    client.open("/nowhere/at/all", method="NONSENSE")
    before = set(scraped(sqlite_app))

    client.open("/somewhere/else", method="RUBBISH")

    assert set(scraped(sqlite_app)) == before
    assert named("ci_http_requests_total", method="other", route="none", status="404") in before


@pytest.mark.parametrize("are_settled", [False, True])
def test_the_queue_is_told_per_platform_with_the_age_of_its_oldest_run(
    app, client, raw, are_settled
) -> None:
    oldest = factories.run()
    factories.run()
    factories.run(progress=["testing"])
    factories.run(progress=["canceled"])
    if are_settled:
        with app.app_context():
            settle_marks()

    found = scraped(app)

    assert found[named("ci_queue_waiting_runs", platform="linux")] == 2
    assert found[named("ci_queue_waiting_runs", platform="windows")] == 0
    assert found[named("ci_queue_oldest_wait_seconds", platform="windows")] == 0
    age = found[named("ci_queue_oldest_wait_seconds", platform="linux")]
    raw.execute("DELETE FROM test WHERE id = ?", [oldest.id])
    younger = scraped(app)[named("ci_queue_oldest_wait_seconds", platform="linux")]
    assert 300 < age - younger <= 600  # the factories' runs are ten minutes apart


def test_the_queues_are_told_per_kind_and_a_lost_job_waits(app, client, raw) -> None:
    factories.run()
    submitter = jobs.submitter(client)
    lost = submitter.submit()
    submitter.submit()
    for _ in range(2):
        jobs.runner(client).claim()
    jobs.lose_lease(raw, lost)

    found = scraped(app)

    assert found[named("ci_queue_depth", kind="run")] == 1
    assert found[named("ci_queue_depth", kind="job")] == 1
    assert found[named("ci_queue_oldest_seconds", kind="job")] > 0
    assert found[named("ci_jobs_running")] == 1


def test_runs_by_status_are_what_the_list_of_runs_says_settled_or_not(app, client, reader) -> None:
    test = factories.regression_test()
    for exit_code in (0, 0, 1):
        run = factories.run(tests=[test], progress=["testing", "completed"])
        factories.result(run, test, exit_code=exit_code)
    factories.run(tests=[test], progress=["testing", "completed"])
    for progress in ([], ["preparation"], ["testing", "canceled"]):
        factories.run(progress=progress)

    open_ones = scraped(app)
    listed = {status: total_of(client, reader, status) for status in RunStatus}
    settled = scraped(app)

    for found in (open_ones, settled):
        told = {status: found[named("ci_runs", status=status.value)] for status in RunStatus}
        assert told == listed
        assert found[named("ci_runs", status="unsettled")] == 0
    assert sum(listed.values()) == 7


def test_leases_that_ran_out_are_counted_whoever_writes_them_down_and_for_good(
    app, client, raw
) -> None:
    sample = named("ci_lease_expiries_total", platform="linux")
    run, ours = factories.run(), runner(client)
    ours.claim()
    assert scraped(app)[sample] == 0
    lose_lease(raw, run.id)
    ours.claim()  # which finds out
    assert scraped(app)[sample] == 1
    lose_lease(raw, run.id)
    with app.app_context():
        queue.expire()
    with app.app_context():
        queue.expire()
    assert scraped(app)[sample] == 2

    raw.execute("DELETE FROM test WHERE id = ?", [run.id])

    assert scraped(app)[sample] == 2


def test_a_run_that_is_given_back_is_no_lease_that_ran_out(app, client) -> None:
    factories.run()
    accepted(runner(client).claim().finish("runner_shutdown"))
    runner(client).claim()

    assert scraped(app)[named("ci_lease_expiries_total", platform="linux")] == 0


@pytest.mark.parametrize("count", [2, 30])
def test_a_scrape_is_a_few_statements_whatever_there_is(app, client, count) -> None:
    test = factories.regression_test()
    for _ in range(count):
        factories.result(factories.run(tests=[test], progress=["testing", "completed"]), test)
        factories.run()

    with counted(app) as statements:
        scraped(app)

    assert len(statements) <= MOST_STATEMENTS, statements


def test_a_database_that_is_away_takes_only_its_own_metrics_with_it(make_app) -> None:
    app = make_app(database_url="mysql+pymysql://me:hidden@127.0.0.1:1/site")

    found = scraped(app)

    assert found[named("ci_database_answers")] == 0
    assert not [name for name, _ in found if name.startswith(("ci_queue", "ci_runs"))]
    assert [name for name, _ in found if name == "ci_http_requests_total"]


def test_a_database_that_hangs_has_nothing_to_do_for_former_scrapes(
    make_app, hung_database, monkeypatch
) -> None:
    monkeypatch.setattr(run_metrics, "MOST_SECONDS", 0.2)
    page = page_of(make_app(database_url=hung_database.url))

    for _ in range(3):
        page({"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"}, lambda status, headers: None)
    hung_database.break_off()
    time.sleep(0.5)  # what former scrapes had left to be asked would be asked now

    assert len(hung_database.taken) == 1


def test_statements_and_transactions_are_counted_and_failures_too(app, client, reader) -> None:
    select = named("ci_database_statements_total", statement="select")
    taken = named("ci_database_statement_seconds_total", statement="select")
    failed = named("ci_database_statement_failures_total", statement="select")
    ended = named("ci_database_transaction_seconds_count", outcome="rollback")
    before = scraped(app)

    with counted(app) as statements:
        client.get(f"{API}/runs", headers=reader)
    with app.app_context(), pytest.raises(Exception, match="no_such"):
        from sqlalchemy import text

        from database import db

        db.session.execute(text("SELECT * FROM no_such_table"))

    after = scraped(app)
    # The first scrape's own statements are among them.
    assert after[select] - before[select] >= len(statements) + 1
    assert after[taken] > before[taken]
    assert after[failed] == before.get(failed, 0) + 1
    assert after[ended] > before[ended]


def test_a_storage_that_fails_is_counted_and_a_missing_file_is_not(
    make_app, site, tmp_path: Path
) -> None:
    app = make_app(sample_repository=tmp_path / "files")
    folder = app.extensions["repository"].local
    asked = named("ci_storage_operation_seconds_count", storage="local", operation="stat")
    failed = named("ci_storage_failures_total", storage="local", operation="stat")
    before = scraped(app)

    assert folder.stat("TestFiles/missing.ts") is None
    between = scraped(app)
    (tmp_path / "files").rename(tmp_path / "away")
    with pytest.raises(Exception, match="repository folder"):
        folder.stat("TestFiles/missing.ts")

    after = scraped(app)
    assert between[asked] == before.get(asked, 0) + 1
    assert between.get(failed, 0) == before.get(failed, 0)
    assert after[failed] == between.get(failed, 0) + 1


def test_a_claim_that_waits_is_seen_waiting(sqlite_app, client) -> None:
    waiting = named("ci_waiting_requests")
    ours = runner(sqlite_app.test_client())
    done = threading.Thread(target=lambda: ours.ask(wait=3))
    done.start()
    seen = {0.0}
    while done.is_alive():
        seen.add(scraped(sqlite_app)[waiting])
    done.join()

    assert seen == {0.0, 1.0}
    assert scraped(sqlite_app)[waiting] == 0


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/metrics"), ("GET", "/api/v1/runs")]
)
def test_nothing_else_is_served_beside_the_metrics(sqlite_app, method, path) -> None:
    answered: list[str] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}

    body = page_of(sqlite_app)(environ, lambda status, headers: answered.append(status))

    assert (answered, b"".join(body)) == (["404 Not Found"], b"")


def test_the_api_itself_serves_no_metrics(sqlite_app, client) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get(f"{API}/metrics").status_code == 404
