"""Every GET of the API with the filters that matter, as lines of a measurement.

A GET that is neither here nor in LEFT_OUT makes the measurement fail: see `missing`.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import Flask

API = "/api/v1"


class Kind(enum.Enum):
    """The kinds of answers; each may take so many ms above a bare route, and so many statements
    (issue 6; the report: issue 22)."""

    OBJECT = ("object", 4.0, 6)
    LIST = ("list of 50", 8.0, 6)
    MANY = ("100 rows", 12.0, 6)
    REPORT = ("report", 30.0, 16)

    def __init__(self, label: str, bound_ms: float, most_statements: int) -> None:
        self.label = label
        self.bound_ms = bound_ms
        self.most_statements = most_statements


@dataclass(frozen=True)
class Line:
    """One request: its endpoint, path and query, with names of `Subjects` in braces.

    `deep`: a page far behind the first, by cursor.
    """

    endpoint: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    kind: Kind = Kind.OBJECT
    deep: bool = False

    @property
    def name(self) -> str:
        shown = "&".join(f"{name}={value}" for name, value in self.query)
        return self.path + (f"?{shown}" if shown else "") + (" (deep page)" if self.deep else "")

    def url(self, values: dict[str, object], **more: object) -> str:
        """The path and query to ask for."""
        query = {name: value.format(**values) for name, value in self.query}
        query |= {name: str(value) for name, value in more.items()}
        return API + self.path.format(**values) + (f"?{urlencode(query)}" if query else "")


LEFT_OUT = {
    "Outputs.get_nested_actual": "as `get_actual`",
    "Outputs.get_nested_diff": "as `get_diff`",
    "Outputs.get_nested_expected": "as `get_expected`",
    "client.command_line": "a file that is made once",
    "client.for_programs": "a text without any data",
    "Downloads.download_file": "a file, sent as it lies in the storage",
    "Errors and Logs.follow_log": "a stream: `scripts/bench streams`",
    "Errors and Logs.follow_run": "a stream: `scripts/bench streams`",
    "Errors and Logs.download_log": "a file, sent as it lies in the storage",
    "GitHub.return_from_github": "asks GitHub",
    "GitHub.get_github_authorization": "sends a browser to GitHub",
    "Job logs.download_job_log": "a file, sent as it lies in the storage",
    "Job logs.follow_job_log": "a stream: `scripts/bench streams`",
    "Job logs.read_job_log": "as of a run: a database of `make` has no jobs",
    "Job results.download_job_artifact": "a file, sent as it lies in the storage",
    "Job results.get_job_test": "a database of `make` has no jobs",
    "Job results.list_job_artifacts": "a database of `make` has no jobs",
    "Job results.list_job_coverage": "a database of `make` has no jobs",
    "Job results.list_job_tests": "a database of `make` has no jobs",
    "Jobs.get_job": "a database of `make` has no jobs",
    "Jobs.list_job_events": "a database of `make` has no jobs",
    "Jobs.list_jobs": "a database of `make` has no jobs",
    "Runners.get_attempt_sample": "a file, for a runner that holds a lease",
    "Runners.get_attempt_source": "a file, for a runner that holds a lease",
    "System.get_index": "constant: reads no database",
    "Webhooks.get_webhook": "a database of `make` has no webhooks",
    "Webhooks.list_webhook_deliveries": "a database of `make` has no webhooks",
    "Webhooks.list_webhooks": "a database of `make` has no webhooks",
    "ci_server.get_job": "a database of `make` has no jobs",
    "ci_server.list_jobs": "a database of `make` has no jobs",
    "ci_server.stream_job": "a stream: `scripts/bench streams`",
    "docs.asset": "a file of the documentation",
    "docs.document": "a file of the documentation",
    "docs.document_as_json": "a file of the documentation",
    "docs.page": "a file of the documentation",
    "root.get_root": "constant: reads no database",
}


def _objects(endpoint: str, path: str, *queries: str) -> list[Line]:
    return [Line(endpoint, path, _pairs(query)) for query in queries or ("",)]


def _list(endpoint: str, path: str, *queries: str, deep: Iterable[str] = ()) -> list[Line]:
    """Each query with 50 and with 100 rows; those in `deep` also as a deep page of 50."""
    found = []
    for query in ("", *queries):
        for kind, limit in ((Kind.LIST, "50"), (Kind.MANY, "100")):
            pairs = (*_pairs(query), ("limit", limit))
            found.append(Line(endpoint, path, pairs, kind))
        if query in deep:
            found.append(replace(found[-2], deep=True))
    return found


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    parts = [pair.partition("=") for pair in query.split("&") if pair]
    return tuple((name, value) for name, _, value in parts)


_ONE_RUN, _RESULT = "/runs/{run}", "/runs/{run}/samples/{failing_test}"
_OUTPUT = "regression_id={failing_test}&output_id={failing_output}"
_OF_SAMPLE = "/runs/{run}/samples/{failing_sample}"

LINES: tuple[Line, ...] = (
    *_list(
        "Runs.list_runs", "/runs",
        "status=queued", "status=running", "status=pass", "status=fail", "status=canceled",
        "status=error", "status=incomplete", "branch=master", "branch={branch}",
        "platform=windows", "repository={repository}", "commit_sha={commit}",
        "pull_request={pull_request}", "created_after=2026-10-31T12:00:00Z",
        "created_before=2026-10-31T12:00:00Z", "status=fail&platform=windows&branch=master",
        "sort=created_at", "sort=-started_at", "sort=started_at", "sort=-run_id", "sort=run_id",
        "include=summary",
        deep=("", "status=fail", "sort=-started_at", "platform=windows"),
    ),
    *_objects("Runs.get_run", _ONE_RUN),
    *_objects("Runs.get_run", "/runs/{canceled}"),
    *_objects("Runs.get_summary", _ONE_RUN + "/summary"),
    *_objects("Runs.get_config", _ONE_RUN + "/config"),
    *_list("Labels.list_categories", "/categories"),
    *_list("Labels.list_tags", "/tags"),
    *_objects("Auth.get_caller", "/auth/me"),
    Line("Errors.get_report", _ONE_RUN + "/report", kind=Kind.REPORT),
    *_list("Runs.get_progress", _ONE_RUN + "/progress", "status=completed"),
    *_list("Runs.compare_runs", _ONE_RUN + "/compare", "to={before}", "change=new_failure"),
    *_list(
        "Results.list_results", _ONE_RUN + "/samples",
        "status=pass", "status=fail", "status=missing_output", "name=recording-00", "tag=dvb",
        "category=General", "sample_id={failing_sample}",
    ),
    *_objects("Results.get_result", _RESULT),
    *_objects("Results.get_result", "/runs/{run}/samples/{passing_test}"),
    *_objects("Outputs.get_expected", _OF_SAMPLE + "/expected", _OUTPUT, _OUTPUT + "&format=text"),
    *_objects("Outputs.get_actual", _OF_SAMPLE + "/actual", _OUTPUT),
    *_objects("Outputs.get_diff", _OF_SAMPLE + "/diff", _OUTPUT, _OUTPUT + "&format=unified",
              _OUTPUT + "&cues=all"),
    *_list(
        "Errors.list_errors", _ONE_RUN + "/errors",
        "type=diff_mismatch", "type=exit_code_mismatch", "type=missing_output",
        "severity=error", "severity=critical", "sample_id={failing_sample}",
        "regression_id={failing_test}", "caption_change=timing",
    ),
    *_list(
        "Errors.summarize_errors", _ONE_RUN + "/error-summary",
        "group_by=severity", "group_by=category", "group_by=sample_id",
        "group_by=regression_id",
    ),
    *_list("Errors.list_diffs", _ONE_RUN + "/diffs", "regression_id={failing_test}"),
    *_list("Errors.list_infrastructure_errors", "/runs/{canceled}/infrastructure-errors",
           "type=build"),
    *_list("Artifacts.list_artifacts", _ONE_RUN + "/artifacts", "type=diff"),
    *_list(
        "Errors and Logs.read_log", _ONE_RUN + "/logs", "order=desc", "level=warning",
        "contains=captions",
    ),
    *_list("Errors and Logs.read_test_log", _RESULT + "/logs"),
    *_list(
        "Samples.list_samples", "/samples", "name=recording-00", "tag=dvb", "status=active",
        "extension=ts", "sha256={sample_sha}",
    ),
    *_objects("Samples.get_sample", "/samples/{sample}"),
    *_list(
        "Samples.get_history", "/samples/{sample}/history",
        "status=fail", "status=pass", "result_status=fail", "result_status=pass",
        "result_status=missing_output", "status=fail&result_status=fail", "platform=windows",
        "branch=master", "branch={branch}", "regression_id={sample}",
        "created_after=2026-10-31T12:00:00Z",
        deep=("", "status=fail", "result_status=fail"),
    ),
    *_list(
        "Regression tests.list_regression_tests", "/regression-tests", "active=true",
        "category=General", "tag=dvb", "sample_id={sample}",
    ),
    *_objects("Regression tests.get_regression_test", "/regression-tests/{sample}", "",
              "format=text"),
    *_list(
        "Baselines.list_baseline_approvals", "/baseline-approvals", "status=approved",
        "status=pending_review", "regression_id={sample}", "requester=user@bench.invalid",
    ),
    *_objects("Baselines.get_baseline_approval", "/baseline-approvals/6"),
    *_list(
        "Audit log.list_audit_log", "/audit-log", "action=run.retried", "account_id=3",
        "subject_type=run&subject_id={run}",
    ),
    *_list("Auth.list_tokens", "/auth/tokens"),
    *_objects("System.get_health", "/system/health"),
    *_list("System.get_queue", "/system/queue", "platform=linux", "status=queued"),
    *_list("System.list_branches", "/branches", "name=feature-00", "active=true",
           "repository={repository}"),
    *_list("System.list_environments", "/environments"),
)  # fmt: skip


def missing(app: Flask) -> list[str]:
    """The GET endpoints of the application that are neither measured nor left out with a reason."""
    known = {line.endpoint for line in LINES} | set(LEFT_OUT)
    return sorted(
        {
            rule.endpoint
            for rule in app.url_map.iter_rules()
            if "GET" in (rule.methods or ()) and rule.endpoint not in known
        }
    )
