"""One verdict: whatever the tables hold, every endpoint says the same, and what the rules say.

hypothesis makes up histories (`worlds`), which are written in raw SQL into SQLite and MariaDB. What
the API answers is held against the rules as `oracle` has them, and against the other database;
then another program approves, revokes, restarts and cancels, and all is asked again.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from tests.conftest import Site, _ready
from tests.mod_test import generated_histories, oracle
from tests.mod_test.generated_histories import HASHES, World
from tests.mod_test.oracle import RunRead
from tests.raw import Raw

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("ONE_VERDICT_EXAMPLES", "8"))
GROUPINGS = ["type", "sample_id", "regression_id", "category", "severity"]
RUN_STATUSES = ["queued", "running", "pass", "fail", "canceled", "error", "incomplete"]
RESULT_STATUSES = ["pass", "fail", "skipped", "missing_output", "running", "not_started"]
Get = Callable[..., Any]


class Asked:
    """A client that keeps every answer, so that two databases can be compared."""

    def __init__(self, site: Site) -> None:
        self.client = site.app.test_client()
        self.headers = factories.signed_in("admin", "runs:read", "results:read", "system:read")
        self.answers: dict[str, Any] = {}

    def __call__(self, path: str, **query: Any) -> Any:
        response = self.client.get(f"/api/v1{path}", query_string=query, headers=self.headers)
        assert response.status_code == 200, response.text
        self.answers[f"{path} {sorted(query.items())}"] = response.json
        return response.json

    def all(self, path: str, **query: Any) -> list[Any]:
        """All rows, two at a time by cursor; none twice, and as many as the total says."""
        rows, cursor = [], {}
        while True:
            page = self(path, limit=2, **query, **cursor)
            rows += page["data"]
            following = page["pagination"]["next_cursor"]
            if following is None:
                assert len(rows) == page["pagination"]["total"]
                return rows
            cursor = {"cursor": following}


def check(world: World, get: Asked, turn: int) -> None:
    """Hold every answer about a world against the rules. `turn` varies what is asked."""
    reads = {run.id: oracle.read(world, run) for run in world.runs}
    newest_first = sorted(reads, reverse=True)
    listed = {row["run_id"]: row for row in get.all("/runs", sort="-run_id", include="summary")}
    assert list(listed) == newest_first
    assert {run_id: row["status"] for run_id, row in listed.items()} == {
        run_id: reads[run_id].status for run_id in newest_first
    }
    for status in RUN_STATUSES:
        page = get("/runs", status=status, sort="-run_id")
        assert [row["run_id"] for row in page["data"]] == [
            run_id for run_id in newest_first if reads[run_id].status == status
        ]
        assert page["pagination"]["total"] == len(page["data"])
    for run_id, read in reads.items():
        check_run(run_id, read, get, listed[run_id], turn)
    for sample in world.samples:
        check_history(sample, world, reads, get)


def check_run(run_id: int, read: RunRead, get: Asked, listed: Any, turn: int) -> None:
    run, summary = get(f"/runs/{run_id}"), get(f"/runs/{run_id}/summary")
    assert (run["status"], run["run_errors"]) == (read.status, read.run_errors)
    assert listed["summary"] == summary
    assert {key: summary[key] for key in read.summary} == read.summary
    counted = ("pass_count", "fail_count", "missing_output_count", "skipped_count")
    assert summary["total_samples"] == sum(summary[key] for key in counted)
    assert get(f"/runs/{run_id}/config")["regression_test_ids"] == read.asked_for

    rows = get(f"/runs/{run_id}/samples")["data"]
    assert {row["regression_id"]: row["status"] for row in rows} == {
        test: of.status for test, of in read.tests.items()
    }
    for row in rows:
        of = read.tests[row["regression_id"]]
        assert {o["output_id"]: o["status"] for o in row["outputs"]} == of.outputs
        assert {o["output_id"] for o in row["ignored_outputs"]} == of.ignored
        assert (row["result_message"] is not None) == bool(of.errors)
    for status in RESULT_STATUSES:
        page = get(f"/runs/{run_id}/samples", status=status)
        assert [row["regression_id"] for row in page["data"]] == [
            test for test, of in read.tests.items() if of.status == status
        ]
        assert page["pagination"]["total"] == len(page["data"])

    errors = get.all(f"/runs/{run_id}/errors")
    assert len({error["error_id"] for error in errors}) == len(errors)
    found = [(e["regression_id"], e["type"], (e["location"] or {}).get("output_id"))
             for e in errors]  # fmt: skip
    assert sorted(found, key=str) == sorted(read.errors, key=str)
    grouping = GROUPINGS[(run_id + turn) % len(GROUPINGS)]
    groups = get(f"/runs/{run_id}/error-summary", group_by=grouping)["data"]
    assert sum(group["count"] for group in groups) == len(read.errors)
    if grouping == "type":
        kinds = Counter(kind for _, kind, _ in read.errors)
        assert {group["key"]: group["count"] for group in groups} == dict(kinds)

    report, compared = get(f"/runs/{run_id}/report", limit=200), get(f"/runs/{run_id}/compare")
    failing = [*report["new"], *report["still_failing"]]
    assert report["failing"] == summary["fail_count"] + summary["missing_output_count"]
    assert report["total"] == summary["total_samples"]
    assert {each["regression_id"] for each in failing} == {e["regression_id"] for e in errors}
    assert (report["compared_to"] or {}).get("run_id") == compared["to"]
    if compared["to"] is not None:
        counts = compared["counts"]
        assert len(report["fixed"]) == counts["fixed"]
        assert len(report["new"]) == len(failing) - len(report["still_failing"])
        assert len(report["still_failing"]) == (
            counts["same_failure"] + counts["different_failure"]
        )


def check_history(sample: int, world: World, reads: dict[int, RunRead], get: Asked) -> None:
    tests = {test.id for test in world.tests if test.sample == sample}
    expected = {
        (run_id, test): of
        for run_id, read in reads.items()
        if read.has_ended
        for test, of in read.tests.items()
        if test in tests
    }
    path = f"/samples/{sample}/history"
    entries = get.all(path)
    assert [(e["run_id"], e["regression_id"]) for e in entries] == sorted(expected, reverse=True)
    for entry in entries:
        of = expected[entry["run_id"], entry["regression_id"]]
        assert entry["status"] == of.status
        assert (entry["failure_signature"] is None) == (not of.errors)
    for status in ("pass", "fail", "skipped", "missing_output"):
        page = get(path, result_status=status)
        assert page["data"] == [entry for entry in entries if entry["status"] == status]
        assert page["pagination"]["total"] == len(page["data"])
    for status in {read.status for read in reads.values()}:
        page = get(path, status=status)
        assert page["data"] == [e for e in entries if reads[e["run_id"]].status == status]
    assert all(0 <= row["flakiness"] <= 1 for row in get(path)["flakiness"])


@st.composite
def changes(draw: st.DrawFn, world: World) -> list[tuple[str, Any]]:
    """What other programs do to a world; every change is made to `world` as well."""
    outputs = [output for test in world.tests for output in test.outputs]
    made: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        kinds = ["restart", "cancel", "complete", "forget sample", "expect"]
        kind = draw(
            st.sampled_from([*kinds, *(["accept", "revoke", "approve"] if outputs else [])])
        )
        run = draw(st.sampled_from(world.runs))
        test = draw(st.sampled_from(world.tests))
        output = draw(st.sampled_from(outputs)) if outputs else None
        file_hash = draw(st.sampled_from(HASHES))
        if kind == "restart":
            run.progress, run.results, run.lost = [], {}, False
            made += [
                (f"DELETE FROM {table} WHERE test_id = ?", (run.id,))
                for table in ("test_result_file", "test_result", "test_progress")
            ]
        elif kind in ("cancel", "complete"):
            status = "canceled" if kind == "cancel" else "completed"
            run.progress, run.lost = [*run.progress, status], False
            made.append((
                "INSERT INTO test_progress (test_id, status, timestamp, message)"
                " VALUES (?, ?, ?, 'Canceled by somebody')",
                (run.id, status, generated_histories.NOW),
            ))  # fmt: skip
        elif kind == "forget sample":
            test.sample = None
            made.append(("UPDATE regression_test SET sample_id = NULL WHERE id = ?", (test.id,)))
        elif kind == "expect":
            test.expected_rc = draw(st.sampled_from([0, 1, None]))
            made.append((
                "UPDATE regression_test SET expected_rc = ? WHERE id = ?",
                (test.expected_rc, test.id),
            ))  # fmt: skip
        elif output is not None and kind == "accept":
            output.variants.append(file_hash)
            made.append(generated_histories.accepting(output.id, file_hash))
        elif output is not None and kind == "revoke" and file_hash not in output.revoked:
            output.revoked.append(file_hash)
            made.append(generated_histories.revoking(output.id, file_hash))
        elif output is not None and kind == "approve":
            output.correct = file_hash
            made.append((
                "UPDATE regression_test_output SET correct = ? WHERE id = ?",
                (file_hash, output.id),
            ))  # fmt: skip
    return made


@contextlib.contextmanager
def written(world: World, site: Site) -> Iterator[tuple[Asked, Raw]]:
    """A site that holds a world, with a client of it and a foreign program's connection."""
    _ready(site)
    with contextlib.closing(Raw(site.url)) as raw:
        generated_histories.write(world, raw)
        yield Asked(site), raw


@pytest.mark.parametrize(
    "dialects", [("sqlite",), pytest.param(("sqlite", "mariadb"), marks=pytest.mark.mariadb)]
)
@pytest.mark.timeout(1800)
def test_every_endpoint_says_what_the_rules_say_on_every_database(
    sites: Callable[[str], Site], dialects: tuple[str, ...]
) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(generated_histories.worlds(), st.data())
    def holds(world: World, data: st.DataObject) -> None:
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(written(world, sites(name))) for name in dialects]
            for get, _ in opened:
                check(world, get, turn=0)
            statements = data.draw(changes(world))
            for get, raw in opened:
                for statement, params in statements:
                    raw.execute(statement, params)
                check(world, get, turn=1)
            first, *others = [get.answers for get, _ in opened]
            assert all(other == first for other in others)

    holds()
