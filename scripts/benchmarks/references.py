"""The rows of lists by one raw SQL query with its total: what an API on the shelf would do.

`{limit}` and the names in `Subjects` are filled in. Each shows the columns that the API's answer is
made of.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A query and what counts all its rows."""

    rows: str
    total: str


# The page's ids first, so that everything else is read for the page only, on both databases.
_RUNS = """
SELECT t.id, r.status, t.platform, t.test_type, f.github, t.branch, t.`commit`, t.pr_nr,
       c.created_at, r.started_at, r.ended_at, c.attempts, c.reason, c.retry_of, c.environment_id,
       r.results, r.failed, r.missing_output, r.skipped, r.errors,
       (SELECT u.name FROM test_fork q JOIN `user` u ON u.id = q.user_id
        WHERE q.test_id = t.id ORDER BY q.id LIMIT 1) AS requested_by
FROM ({page}) p JOIN run_record c ON c.test_id = p.test_id JOIN test t ON t.id = p.test_id
JOIN fork f ON f.id = t.fork_id LEFT JOIN run_rollup r ON r.test_id = p.test_id
ORDER BY c.created_at DESC, t.id DESC"""
_NEWEST = "ORDER BY created_at DESC, test_id DESC LIMIT {limit}"
_FAILED = "SELECT test_id FROM run_rollup WHERE status = 'fail' "
_HISTORY = """
SELECT t.id, p.regression_test_id, t.`commit`, t.branch, t.platform, c.created_at, r.runtime,
       r.exit_code, r.expected_rc, f.regression_test_output_id, f.expected, f.got
FROM ({page}) p JOIN test_result r
  ON r.test_id = p.test_id AND r.regression_test_id = p.regression_test_id
JOIN test t ON t.id = p.test_id JOIN run_record c ON c.test_id = p.test_id
LEFT JOIN test_result_file f
  ON f.test_id = p.test_id AND f.regression_test_id = p.regression_test_id
ORDER BY p.test_id DESC, p.regression_test_id"""

REFERENCES = {
    "runs": Reference(
        _RUNS.replace("{page}", "SELECT test_id FROM run_record " + _NEWEST),  # noqa: S608  ours
        "SELECT COUNT(*) FROM test",
    ),
    "failed runs": Reference(
        _RUNS.replace("{page}", _FAILED + _NEWEST),
        "SELECT COUNT(*) FROM run_rollup WHERE status = 'fail'",
    ),
    "results": Reference(
        """
SELECT r.regression_test_id, r.runtime, r.exit_code, r.expected_rc, g.command, g.sample_id,
       s.original_name, s.sha, f.regression_test_output_id, f.expected, f.got
FROM (SELECT * FROM test_result WHERE test_id = {run} ORDER BY regression_test_id LIMIT {limit}) r
JOIN regression_test g ON g.id = r.regression_test_id JOIN sample s ON s.id = g.sample_id
LEFT JOIN test_result_file f
  ON f.test_id = r.test_id AND f.regression_test_id = r.regression_test_id
ORDER BY r.regression_test_id""",
        "SELECT COUNT(*) FROM test_result WHERE test_id = {run}",
    ),
    "history": Reference(
        _HISTORY.replace(
            "{page}",
            """
SELECT r.test_id, r.regression_test_id FROM regression_test g
JOIN test_result r ON r.regression_test_id = g.id JOIN run_rollup k ON k.test_id = r.test_id
WHERE g.sample_id = {sample} ORDER BY r.test_id DESC, g.id LIMIT {limit}""",
        ),
        "SELECT COUNT(*) FROM regression_test g JOIN test_result r ON r.regression_test_id = g.id "
        "JOIN run_rollup k ON k.test_id = r.test_id WHERE g.sample_id = {sample}",
    ),
    "failing history": Reference(
        _HISTORY.replace(
            "{page}",
            """
SELECT k.test_id, k.regression_test_id FROM regression_test g
JOIN failing_result k ON k.regression_test_id = g.id
WHERE g.sample_id = {sample} AND k.status = 'fail'
ORDER BY k.test_id DESC, g.id LIMIT {limit}""",
        ),
        "SELECT COUNT(*) FROM regression_test g JOIN failing_result k "
        "ON k.regression_test_id = g.id WHERE g.sample_id = {sample} AND k.status = 'fail'",
    ),
    "samples": Reference(
        "SELECT id, sha, extension, original_name FROM sample ORDER BY id LIMIT {limit}",
        "SELECT COUNT(*) FROM sample",
    ),
    "regression tests": Reference(
        """
SELECT g.*, s.original_name, s.sha FROM regression_test g JOIN sample s ON s.id = g.sample_id
ORDER BY g.id LIMIT {limit}""",
        "SELECT COUNT(*) FROM regression_test",
    ),
    "approvals": Reference(
        """
SELECT a.*, d.decision, d.account_name, d.decided_at FROM baseline_approval a
LEFT JOIN baseline_decision d ON d.approval_id = a.id ORDER BY a.id DESC LIMIT {limit}""",
        "SELECT COUNT(*) FROM baseline_approval",
    ),
    "audit log": Reference(
        "SELECT * FROM audit_event ORDER BY id DESC LIMIT {limit}",
        "SELECT COUNT(*) FROM audit_event",
    ),
}
