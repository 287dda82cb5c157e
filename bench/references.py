"""The same rows by one raw SQL query with its total: what an API on the shelf would do.

`REFERENCES` has a query for each endpoint, or for a line of it whose filter takes another one.
`%(name)s` is what a line's path or query names so: `run` in `/runs/{run}`, `status` in
`?status=fail`. `||` joins texts and UNIX_TIMESTAMP gives seconds on both databases
(`bare.connected`). Lines that no query answers are in `WITHOUT`, with the reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bench.operations import LINES, Line


@dataclass(frozen=True)
class Reference:
    """A query: `columns` of `source`, narrowed by what `filters` say of the parameters asked for.

    `around` shows more of the page's rows: all else is then read for them only.
    """

    columns: str
    source: str
    order: str = ""
    where: str = "1 = 1"
    filters: Mapping[str, str] = field(default_factory=dict)
    sorts: Mapping[str, str] = field(default_factory=dict)
    around: str = "{page}"

    def rows(self, asked: Mapping[str, object]) -> str:
        """The query of the rows; of one page where `limit` and `offset` are asked for."""
        order = self.sorts.get(str(asked.get("sort")), self.order)
        page = self._matching(asked) + (f" ORDER BY {order}" if order else "")
        if "limit" in asked:
            page += " LIMIT %(limit)s OFFSET %(offset)s"
        return self.around.replace("{page}", page).replace("{order}", order)

    def total(self, asked: Mapping[str, object]) -> str:
        """The query that counts all rows."""
        return f"SELECT COUNT(*) FROM ({self._matching(asked)}) matching"

    def _matching(self, asked: Mapping[str, object]) -> str:
        conditions = [self.where, *(text for name, text in self.filters.items() if name in asked)]
        return f"SELECT {self.columns} FROM {self.source} WHERE {' AND '.join(conditions)}"


def name_of(line: Line) -> str | None:
    """The name of a line's reference in `REFERENCES`; None where it has none."""
    if reason_of(line) is not None:
        return None
    return next((name for name in _names(line) if name in REFERENCES), None)


def reason_of(line: Line) -> str | None:
    """Why a line has no reference; None where nothing says so."""
    return next((WITHOUT[name] for name in _names(line) if name in WITHOUT), None)


def asked_of(line: Line, values: Mapping[str, object]) -> dict[str, str]:
    """What a line's path and query name."""
    named = re.findall(r"/([a-z-]+)s/(\{\w+\}|[0-9]+)", line.path)
    asked = {name.replace("-", "_"): value.format(**values) for name, value in named}
    return asked | {name: value.format(**values) for name, value in line.query}


def _names(line: Line) -> list[str]:
    """The names that a line's reference may have, the most special first."""
    return [*(f"{line.endpoint}?{name}={value}" for name, value in line.query), line.endpoint]


_ACTIVE_SINCE = datetime.now(UTC) - timedelta(days=90)
_MOMENT = "REPLACE(REPLACE(%({})s, 'T', ' '), 'Z', '.000000')"
_REQUESTER = (
    "(SELECT u.name FROM test_fork q JOIN `user` u ON u.id = q.user_id "
    "WHERE q.test_id = t.id ORDER BY q.id LIMIT 1) AS requested_by"
)
_RUN = (
    "t.id, r.status, t.platform, t.test_type, f.github, t.branch, t.`commit`, t.pr_nr, "
    "c.created_at, r.started_at, r.ended_at, c.attempts, c.reason, c.retry_of, c.environment_id, "
    f"r.results, r.failed, r.missing_output, r.skipped, r.errors, {_REQUESTER}"
)
_OF_RUNS = (
    "run_rollup r JOIN test t ON t.id = r.test_id JOIN run_record c ON c.test_id = r.test_id "
    "JOIN fork f ON f.id = t.fork_id"
)
_HAS_ENDED = "NOT IN ('queued', 'running')"
_FAILS = "ON k.test_id = r.test_id AND k.regression_test_id = r.regression_test_id"
_FILES = (
    "(SELECT GROUP_CONCAT(f.regression_test_output_id || ' ' || f.expected || ' ' || "
    "COALESCE(f.got, '')) FROM test_result_file f WHERE f.test_id = r.test_id "
    "AND f.regression_test_id = r.regression_test_id) AS files"
)
_TAGS = (
    "(SELECT GROUP_CONCAT(w.name) FROM sample_tag_association l JOIN tag w ON w.id = l.tag_id "
    "WHERE l.sample_id = s.id) AS tags"
)
_CATEGORIES = (
    "(SELECT GROUP_CONCAT(w.name) FROM regression_test_category l JOIN category w "
    "ON w.id = l.category_id WHERE l.regression_id = g.id) AS categories"
)
_OF_TEST = {
    "name": "INSTR(LOWER(s.original_name), LOWER(%(name)s)) > 0",
    "tag": "EXISTS (SELECT 1 FROM sample_tag_association l JOIN tag w ON w.id = l.tag_id "
    "WHERE l.sample_id = s.id AND w.name = %(tag)s)",
    "category": "EXISTS (SELECT 1 FROM regression_test_category l JOIN category w "
    "ON w.id = l.category_id WHERE l.regression_id = g.id AND w.name = %(category)s)",
    "sample_id": "g.sample_id = %(sample_id)s",
}

_RUNS = Reference(
    columns="r.test_id",
    source="run_rollup r",
    order="r.created_at DESC, r.test_id DESC",
    filters={
        "status": "r.status = %(status)s",
        "branch": "r.branch = %(branch)s",
        "platform": "r.platform = %(platform)s",
        "repository": "r.fork_id IN (SELECT id FROM fork "
        "WHERE github = REPLACE('https://github.com/*.git', '*', %(repository)s))",
        "commit_sha": "r.commit_sha = %(commit_sha)s",
        "pull_request": "r.pull_request = %(pull_request)s",
        "created_after": f"r.created_at > {_MOMENT.format('created_after')}",
        "created_before": f"r.created_at < {_MOMENT.format('created_before')}",
    },
    sorts={
        "created_at": "r.created_at, r.test_id",
        "started_at": "r.started_at, r.test_id",
        "-started_at": "r.started_at DESC, r.test_id DESC",
        "run_id": "r.test_id",
        "-run_id": "r.test_id DESC",
    },
    around=f"SELECT {_RUN} FROM ({{page}}) p JOIN run_rollup r ON r.test_id = p.test_id "
    + _OF_RUNS.removeprefix("run_rollup r ")
    + " ORDER BY {order}",
)
_ONE_RUN = Reference(_RUN, _OF_RUNS, where="r.test_id = %(run)s")
_RESULTS = Reference(
    columns="r.regression_test_id, r.runtime, r.exit_code, r.expected_rc, g.command, g.sample_id, "
    f"s.original_name, s.sha, k.status, q.outcome, q.message, {_FILES}, {_TAGS}, {_CATEGORIES}",
    source="test_result r JOIN regression_test g ON g.id = r.regression_test_id "
    "JOIN sample s ON s.id = g.sample_id "
    f"LEFT JOIN failing_result k {_FAILS} LEFT JOIN result_record q "
    "ON q.test_id = r.test_id AND q.regression_test_id = r.regression_test_id",
    where="r.test_id = %(run)s",
    order="r.regression_test_id",
    filters={"status": "COALESCE(k.status, 'pass') = %(status)s", **_OF_TEST},
)
_OUTPUTS = (
    "test_result_file f JOIN regression_test g ON g.id = f.regression_test_id "
    "JOIN regression_test_output o ON o.id = f.regression_test_output_id AND o.id > 0"
)

# What the run's main branch had before, where no other run is named.
_MAIN_RUN_BEFORE = (
    "(SELECT MAX(m.test_id) FROM run_rollup m JOIN fork f ON f.id = m.fork_id "
    "JOIN run_rollup this ON this.test_id = %(run)s AND this.platform = m.platform "
    "WHERE f.github = 'https://github.com/CCExtractor/ccextractor.git' AND m.branch = 'master' "
    f"AND m.test_id < this.test_id AND m.status {_HAS_ENDED})"
)
_COMPARISON = Reference(
    columns="r.regression_test_id, g.sample_id, g.command, k.status, k.signature, "
    "k.content, o.status AS to_status, o.signature AS to_signature, o.content AS to_content",
    source="test_result r JOIN regression_test g ON g.id = r.regression_test_id "
    f"LEFT JOIN failing_result k {_FAILS} LEFT JOIN failing_result o "
    "ON o.regression_test_id = r.regression_test_id AND o.test_id = " + _MAIN_RUN_BEFORE,
    where="r.test_id = %(run)s",
    order="r.regression_test_id",
)

# One for each wrong end, output that differs, and output that is missing.
_ERRORS = """(
SELECT r.regression_test_id, NULL AS output_id, r.exit_code, r.expected_rc,
       CASE WHEN COALESCE(q.outcome, 'exited') <> 'exited' OR r.exit_code < 0
                 OR q.id IS NULL AND r.exit_code IN (132, 134, 135, 136, 137, 139, 143)
            THEN 'test_failure' ELSE 'exit_code_mismatch' END AS type,
       NULL AS filename, NULL AS expected, NULL AS got
FROM failing_result k JOIN test_result r
  ON r.test_id = k.test_id AND r.regression_test_id = k.regression_test_id
LEFT JOIN result_record q
  ON q.test_id = r.test_id AND q.regression_test_id = r.regression_test_id
WHERE k.test_id = %(run)s AND COALESCE(r.exit_code, -1) <> r.expected_rc
UNION ALL
SELECT r.regression_test_id, o.id, NULL, NULL,
       CASE WHEN r.got IS NULL THEN 'missing_output' ELSE 'diff_mismatch' END,
       o.expected_filename, o.correct, r.got
FROM failing_result k JOIN regression_test_output o ON o.regression_id = k.regression_test_id
LEFT JOIN test_result_file r ON r.test_id = k.test_id
  AND r.regression_test_id = k.regression_test_id AND r.regression_test_output_id = o.id
LEFT JOIN regression_test_output_files v
  ON v.regression_test_output_id = o.id AND v.file_hashes = r.got
WHERE k.test_id = %(run)s AND k.status <> 'skipped' AND NOT o.`ignore`
  AND (r.test_id IS NULL OR r.got <> o.correct AND v.id IS NULL)
) e JOIN regression_test g ON g.id = e.regression_test_id
JOIN run_rollup r ON r.test_id = %(run)s"""
_SEVERITY = "CASE WHEN e.type = 'test_failure' THEN 'critical' ELSE 'error' END"
_CATEGORY = (
    "(SELECT w.name FROM regression_test_category l JOIN category w ON w.id = l.category_id "
    "WHERE l.regression_id = g.id ORDER BY w.id LIMIT 1)"
)


def _summary(key: str) -> Reference:
    """The errors of a run, counted by a key."""
    return Reference(
        columns="*",
        source=f"(SELECT {key} AS bucket, COUNT(*) AS number, MAX({_SEVERITY}) AS severity, "
        "GROUP_CONCAT(DISTINCT g.sample_id) AS samples, MIN(r.ended_at) AS first_seen_at, "
        f"MAX(r.ended_at) AS last_seen_at FROM {_ERRORS} GROUP BY {key}) s",
        order="s.number DESC, s.bucket",
    )


# What a run's set has: a result, or none where the run ended before it.
_HISTORY = Reference(
    columns="r.test_id, r.regression_test_id",
    source="""(
SELECT r.test_id, r.regression_test_id, COALESCE(k.status, 'pass') AS result_status
FROM regression_test g JOIN test_result r ON r.regression_test_id = g.id
LEFT JOIN failing_result k
  ON k.test_id = r.test_id AND k.regression_test_id = r.regression_test_id
WHERE g.sample_id = %(sample)s
UNION ALL
SELECT k.test_id, k.regression_test_id, k.status
FROM regression_test g JOIN failing_result k ON k.regression_test_id = g.id
WHERE g.sample_id = %(sample)s AND k.status = 'skipped'
) r JOIN run_rollup o ON o.test_id = r.test_id""",
    where=f"o.status {_HAS_ENDED}",
    order="r.test_id DESC, r.regression_test_id",
    filters={
        "status": "o.status = %(status)s",
        "result_status": "r.result_status = %(result_status)s",
        "platform": "o.platform = %(platform)s",
        "branch": "o.branch = %(branch)s",
        "regression_id": "r.regression_test_id = %(regression_id)s",
        "created_after": f"o.created_at > {_MOMENT.format('created_after')}",
    },
    around=f"""
SELECT p.test_id, p.regression_test_id, t.`commit`, t.branch, t.platform, c.created_at, r.runtime,
       r.exit_code, r.expected_rc, k.status, k.signature, k.content, {_FILES}
FROM ({{page}}) p JOIN test t ON t.id = p.test_id JOIN run_record c ON c.test_id = p.test_id
LEFT JOIN test_result r
  ON r.test_id = p.test_id AND r.regression_test_id = p.regression_test_id
LEFT JOIN failing_result k
  ON k.test_id = p.test_id AND k.regression_test_id = p.regression_test_id
ORDER BY p.test_id DESC, p.regression_test_id""",
)
_FAILING_HISTORY = replace(
    _HISTORY,
    source="regression_test g JOIN failing_result r ON r.regression_test_id = g.id "
    "JOIN run_rollup o ON o.test_id = r.test_id",
    where=f"g.sample_id = %(sample)s AND o.status {_HAS_ENDED}",
    filters={**_HISTORY.filters, "result_status": "r.status = %(result_status)s"},
)

_SAMPLE = (
    f"s.id, s.sha, s.extension, s.original_name, {_TAGS}, "
    "(SELECT MAX(n.notes) FROM upload n WHERE n.sample_id = s.id) AS notes"
)
_TESTS = Reference(
    columns=f"g.*, s.original_name, s.sha, {_TAGS}, {_CATEGORIES}, "
    "(SELECT GROUP_CONCAT(o.id || ' ' || o.correct || ' ' || o.expected_filename) "
    "FROM regression_test_output o WHERE o.regression_id = g.id) AS outputs",
    source="regression_test g JOIN sample s ON s.id = g.sample_id",
    order="g.id",
    filters={"active": "COALESCE(g.active, 1) = 1", **_OF_TEST},
)
_APPROVALS = Reference(
    columns="a.*, d.decision, d.account_name, d.decided_at, (SELECT GROUP_CONCAT(h.new_hash) "
    "FROM baseline_change h WHERE h.approval_id = a.id) AS changed",
    source="baseline_approval a LEFT JOIN baseline_decision d ON d.approval_id = a.id",
    order="a.id DESC",
    filters={
        "status": "COALESCE(d.decision, 'pending_review') = %(status)s",
        "regression_id": "a.regression_id = %(regression_id)s",
        "requester": "a.requester_email = %(requester)s",
    },
)

REFERENCES = {
    "Runs.list_runs": _RUNS,
    "Runs.get_run": _ONE_RUN,
    "Runs.get_summary": _ONE_RUN,
    "Runs.get_config": Reference(
        "g.id, g.sample_id, g.command, g.input_type, g.output_type",
        "customized_test c JOIN regression_test g ON g.id = c.regression_id",
        where="c.test_id = %(run)s",
        order="g.id",
    ),
    "Runs.get_progress": Reference(
        "e.at, e.status, e.message, e.step",
        "(SELECT 0 AS id, created_at AS at, 'queued' AS status, reason AS message, 0 AS step "
        "FROM run_record WHERE test_id = %(run)s UNION ALL "
        "SELECT p.id, p.timestamp, p.status, p.message, q.step FROM test_progress p "
        "LEFT JOIN progress_record q ON q.progress_id = p.id WHERE p.test_id = %(run)s) e",
        order="e.id",
        filters={"status": "e.status = %(status)s"},
    ),
    "Runs.compare_runs": _COMPARISON,
    "Runs.compare_runs?to={before}": replace(
        _COMPARISON, source=_COMPARISON.source.replace(_MAIN_RUN_BEFORE, "%(to)s")
    ),
    "Runs.compare_runs?change=new_failure": replace(
        _COMPARISON, where=_COMPARISON.where + " AND k.status IS NOT NULL AND o.status IS NULL"
    ),
    "Results.list_results": _RESULTS,
    "Results.get_result": replace(
        _RESULTS, where=_RESULTS.where + " AND r.regression_test_id = %(sample)s"
    ),
    "Errors.list_errors": Reference(
        f"e.*, {_SEVERITY} AS severity, g.sample_id, r.ended_at",
        _ERRORS,
        order="e.regression_test_id, e.output_id",
        filters={
            "type": "e.type = %(type)s",
            "severity": f"{_SEVERITY} = %(severity)s",
            "sample_id": "g.sample_id = %(sample_id)s",
            "regression_id": "g.id = %(regression_id)s",
        },
    ),
    "Errors.summarize_errors": _summary("e.type"),
    "Errors.summarize_errors?group_by=severity": _summary(_SEVERITY),
    "Errors.summarize_errors?group_by=category": _summary(_CATEGORY),
    "Errors.summarize_errors?group_by=sample_id": _summary("g.sample_id"),
    "Errors.summarize_errors?group_by=regression_id": _summary("g.id"),
    "Errors.list_infrastructure_errors": Reference(
        "*",
        "(SELECT a.id, COALESCE(a.error_type, 'worker') AS type, a.error_message AS message, "
        "a.ended_at AS at FROM run_attempt a WHERE a.test_id = %(run)s AND a.end_reason IN "
        "('build_failed', 'lease_expired', 'deadline_exceeded', 'internal_error') UNION ALL "
        "SELECT r.test_id, CASE WHEN INSTR(LOWER(p.message), 'build') > 0 THEN 'build' "
        "ELSE 'worker' END, p.message, r.ended_at FROM run_rollup r "
        "LEFT JOIN test_progress p ON p.id = r.progress_id "
        "WHERE r.test_id = %(run)s AND r.end_failure IS NOT NULL) e",
        order="e.at",
        filters={"type": "e.type = %(type)s"},
    ),
    # What there should be; where it lies the storage knows.
    "Artifacts.list_artifacts": Reference(
        "a.*",
        f"""(
SELECT 'build_log' AS type, NULL AS sample_id, NULL AS regression_id, NULL AS output_id,
       NULL AS hash FROM run_record WHERE test_id = %(run)s
UNION ALL SELECT 'sample_output', g.sample_id, g.id, f.regression_test_output_id, f.got
  FROM {_OUTPUTS} WHERE f.test_id = %(run)s AND f.got IS NOT NULL
UNION ALL SELECT 'expected_output', g.sample_id, g.id, f.regression_test_output_id, f.expected
  FROM {_OUTPUTS} WHERE f.test_id = %(run)s
UNION ALL SELECT 'diff', g.sample_id, g.id, f.regression_test_output_id, f.got
  FROM {_OUTPUTS} WHERE f.test_id = %(run)s AND f.got <> o.correct
UNION ALL SELECT DISTINCT 'media_info', g.sample_id, NULL, NULL, NULL
  FROM test_result r JOIN regression_test g ON g.id = r.regression_test_id
  WHERE r.test_id = %(run)s
) a""",
        order="a.regression_id, a.output_id, a.type",
        filters={"type": "a.type = %(type)s"},
    ),
    "Samples.list_samples": Reference(
        _SAMPLE,
        "sample s",
        order="s.id",
        filters={
            "name": _OF_TEST["name"],
            "tag": _OF_TEST["tag"],
            "status": "EXISTS (SELECT 1 FROM regression_test g WHERE g.sample_id = s.id "
            "AND COALESCE(g.active, 1) = 1)",
            "extension": "s.extension = %(extension)s",
            "sha256": "s.sha = %(sha256)s",
        },
    ),
    "Samples.get_sample": Reference(_SAMPLE, "sample s", where="s.id = %(sample)s"),
    "Samples.get_history": _HISTORY,
    "Samples.get_history?result_status=fail": _FAILING_HISTORY,
    "Samples.get_history?result_status=missing_output": _FAILING_HISTORY,
    "Regression tests.list_regression_tests": _TESTS,
    "Baselines.list_baseline_approvals": _APPROVALS,
    "Audit log.list_audit_log": Reference(
        "*",
        "audit_event",
        order="id DESC",
        filters={
            name: f"{name} = %({name})s"
            for name in ("action", "account_id", "subject_type", "subject_id")
        },
    ),
    "Auth.list_tokens": Reference(
        "a.id, a.user_id, a.token_name, a.scopes_json, a.created_at, a.expires_at, a.revoked_at",
        "api_token a JOIN `user` u ON u.id = a.user_id",
        where="u.name = 'bench-admin'",
        order="a.id DESC",
    ),
    "System.get_queue": Reference(
        "*",
        "(SELECT test_id, status, platform, created_at, started_at, ROW_NUMBER() OVER "
        "(PARTITION BY platform, status ORDER BY test_id) AS position FROM run_rollup "
        "WHERE status IN ('queued', 'running')) j",
        order="j.status DESC, j.position, j.test_id",
        filters={"platform": "j.platform = %(platform)s", "status": "j.status = %(status)s"},
    ),
    "System.list_environments": Reference(
        "m.platform, m.disabled, d.took, (SELECT a.runner_name FROM run_attempt a "
        "WHERE a.platform = m.platform ORDER BY a.id DESC LIMIT 1) AS runner_name",
        "maintenance_mode m LEFT JOIN (SELECT platform, "
        "AVG(UNIX_TIMESTAMP(ended_at) - UNIX_TIMESTAMP(started_at)) AS took FROM "
        "(SELECT platform, started_at, ended_at, ROW_NUMBER() OVER (PARTITION BY platform "
        "ORDER BY created_at DESC) AS number FROM run_rollup WHERE ended_as = 'completed' "
        "AND started_at IS NOT NULL) r WHERE number <= 100 GROUP BY platform) d "
        "ON d.platform = m.platform",
        order="m.platform",
    ),
    "System.list_branches": Reference(
        "f.github, b.branch, t.`commit`, b.last_used_at",
        "(SELECT fork_id, branch, MAX(test_id) AS newest_id, MAX(created_at) AS last_used_at "
        "FROM run_rollup GROUP BY fork_id, branch) b JOIN fork f ON f.id = b.fork_id "
        "JOIN test t ON t.id = b.newest_id",
        order="LOWER(f.github), b.branch",
        filters={
            "name": "INSTR(LOWER(b.branch), LOWER(%(name)s)) > 0",
            "active": f"b.last_used_at > '{_ACTIVE_SINCE:%Y-%m-%d %H:%M:%S}'",
            "repository": "f.github = REPLACE('https://github.com/*.git', '*', %(repository)s)",
        },
    ),
}

WITHOUT = {
    "Auth.get_caller": "asks the database nothing",
    "Labels.list_categories": "reads a small table whole",
    "Labels.list_tags": "reads a small table whole",
    "Errors.get_report": "is put together of several answers",
    "Baselines.get_baseline_approval": "shows how two files differ",
    "Errors and Logs.read_log": "reads a file",
    "Errors and Logs.read_test_log": "reads a file",
    "Errors.list_diffs": "tells by the files' contents",
    "Errors.list_errors?caption_change=timing": "tells by the files' contents",
    "Outputs.get_actual": "reads a file",
    "Outputs.get_diff": "reads two files",
    "Outputs.get_expected": "reads a file",
    "Regression tests.get_regression_test": "shows what the files hold",
    "System.get_health": "looks at the storage and the limits, too",
}


def without() -> list[Line]:
    """The lines that have neither a reference nor a reason for that."""
    return [line for line in LINES if name_of(line) is None and reason_of(line) is None]
