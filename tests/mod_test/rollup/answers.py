"""What the API answers, as it is and with nothing kept: both must be the same."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient

from mod_api.schemas.runs import SORTS
from tests.raw import Raw

KEPT = ("run_rollup", "failing_result", "open_run", "rollup_mark", "rollup_state")
RUN_STATUSES = ("queued", "running", "pass", "fail", "canceled", "error", "incomplete")
RESULT_STATUSES = ("pass", "fail", "skipped", "missing_output")
CURSORS = "cursors"  # asks for every page of two rows


@contextmanager
def without_keys(raw: Raw) -> Iterator[None]:
    """Let this connection write what foreign keys would refuse or follow."""
    switch = "PRAGMA foreign_keys = " if raw.is_sqlite else "SET foreign_key_checks = "
    raw.execute(f"{switch}0")
    try:
        yield
    finally:
        raw.execute(f"{switch}1")


@contextmanager
def nothing_kept(raw: Raw) -> Iterator[None]:
    """Take away what is kept, its version and every mark, so that all is derived; put it back at
    the end."""
    before = {table: raw.execute(f"SELECT * FROM {table}") for table in KEPT}
    with raw.transaction():
        for table in KEPT:
            raw.execute(f"DELETE FROM {table}")
        raw.execute("INSERT INTO open_run (test_id) SELECT id FROM test")
    try:
        yield
    finally:
        with without_keys(raw), raw.transaction():
            for table, rows in before.items():
                raw.execute(f"DELETE FROM {table}")
                for row in rows:
                    places = ", ".join("?" * len(row))
                    raw.execute(f"INSERT INTO {table} VALUES ({places})", row)


def questions(raw: Raw) -> list[str]:
    """Every way to ask for runs, errors and histories, of the rows that are there."""
    asked = [f"/runs?limit=100&include=summary&sort={sort}" for sort in SORTS]
    asked += [f"/runs?{CURSORS}&sort={sort}" for sort in SORTS]
    filters = [f"status={status}" for status in RUN_STATUSES]
    filters += [f"platform={platform}" for platform in ("linux", "windows")]
    for column, name in (
        ("branch", "branch"),
        ("`commit`", "commit_sha"),
        ("pr_nr", "pull_request"),
    ):
        for (value,) in raw.execute(f"SELECT DISTINCT {column} FROM test ORDER BY 1"):
            if value and value != "broken" and len(str(value)) <= 100:
                filters.append(f"{name}={value}")
    for (github,) in raw.execute("SELECT github FROM fork WHERE github LIKE 'https:%' ORDER BY id"):
        filters.append(f"repository={github[19:].removesuffix('.git')}")
    asked += [f"/runs?limit=100&{each}" for each in filters]
    asked += [f"/runs?{CURSORS}&status=fail&platform=linux"]
    tests = raw.execute("SELECT id, sample_id FROM regression_test ORDER BY id")
    for (sample,) in raw.execute("SELECT id FROM sample ORDER BY id"):
        of_sample = f"/samples/{sample}/history"
        asked += [f"{of_sample}?limit=100", f"{of_sample}?{CURSORS}"]
        asked += [f"{of_sample}?limit=100&result_status={word}" for word in RESULT_STATUSES]
        asked += [f"{of_sample}?limit=100&status={word}" for word in RUN_STATUSES[2:]]
        asked += [f"{of_sample}?limit=100&branch=master&result_status=fail"]
        asked += [f"{of_sample}?limit=100&platform=windows&result_status=pass"]
        asked += [
            f"{of_sample}?limit=100&regression_id={test}"
            for test, owner in tests
            if owner == sample
        ]
    asked += ["/branches?limit=100", "/branches?limit=100&active=true", "/environments"]
    asked += ["/regression-tests?limit=100", "/samples?limit=100"]
    asked += [f"/regression-tests/{test}" for test, _ in tests]
    runs = [run for (run,) in raw.execute("SELECT id FROM test ORDER BY id")]
    asked += [
        f"/runs/{run}/compare?limit=100&to={other}" for run, other in itertools.pairwise(runs)
    ]
    asked += [f"/runs/{run}/compare?limit=100" for run in runs]
    labels = ["name=one"]
    labels += [f"tag={name}" for (name,) in raw.execute("SELECT name FROM tag ORDER BY id")]
    labels += [f"category={name}" for (name,) in raw.execute("SELECT name FROM category")]
    for run in runs:
        of_run = f"/runs/{run}"
        asked += [of_run, f"{of_run}/summary", f"{of_run}/samples?limit=100"]
        asked += [f"{of_run}/samples?limit=100&status={word}" for word in RESULT_STATUSES]
        asked += [f"{of_run}/samples?limit=100&{label}" for label in labels]
        asked += [f"{of_run}/samples/{test}" for test, _ in tests]
        asked += [f"{of_run}/artifacts?limit=100", f"{of_run}/config"]
        asked += [f"{of_run}/errors?limit=100", f"{of_run}/errors?{CURSORS}&severity=error"]
        asked += [f"{of_run}/error-summary?group_by={by}" for by in ("type", "regression_id")]
    return asked


def answer(client: FlaskClient, headers: dict[str, str], question: str) -> Any:
    """What is answered: status and body; of pages by cursor all rows and the first total."""
    if CURSORS not in question:
        return _get(client, headers, question)
    rows: list[Any] = []
    totals = []
    page = question.replace(CURSORS, "limit=2")
    cursor = ""
    while True:
        code, body = _get(client, headers, f"{page}{cursor}")
        if code != 200:
            return code, body
        rows += body["data"]
        totals.append(body["pagination"]["total"])
        following = body["pagination"]["next_cursor"]
        if following is None:
            return 200, rows, totals
        cursor = f"&cursor={following}"


def _get(client: FlaskClient, headers: dict[str, str], path: str) -> tuple[int, Any]:
    # Closed, as a server does: then what was marked is settled.
    with client.get(f"/api/v1{path}", headers=headers) as found:
        return found.status_code, found.get_json()


def answers(client: FlaskClient, headers: dict[str, str], asked: Sequence[str]) -> dict[str, Any]:
    """What is answered to each question, in their order."""
    return {question: answer(client, headers, question) for question in asked}


def derived_answers(
    client: FlaskClient, headers: dict[str, str], raw: Raw, asked: Sequence[str]
) -> dict[str, Any]:
    """What is answered while nothing is kept; nobody may write meanwhile."""
    with nothing_kept(raw):
        return answers(client, headers, asked)


def assert_same(given: dict[str, Any], derived: dict[str, Any]) -> None:
    for question, answered in given.items():
        right = derived[question]
        assert answered == right, "\n".join([question, *_differences(answered, right)])


def _differences(given: Any, right: Any, where: str = "") -> Iterator[str]:
    """Where two answers differ, and how."""
    if isinstance(given, dict) and isinstance(right, dict):
        for name in sorted({*given, *right}):
            yield from _differences(given.get(name), right.get(name), f"{where}.{name}")
    elif isinstance(given, list | tuple) and isinstance(right, list | tuple):
        if len(given) != len(right):
            yield f"{where}: {len(given)} instead of {len(right)}"
        for place, (one, other) in enumerate(zip(given, right, strict=False)):
            yield from _differences(one, other, f"{where}[{place}]")
    elif given != right:
        yield f"{where}: {given!r} instead of {right!r}"
