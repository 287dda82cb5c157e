"""The objects in answers of the API. Made by `make openapi`: do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ccextractor_ci.records import Record



class Appended(Record):
    __slots__ = ()
    _fields = frozenset(["canceled", "lease", "log_full", "log_interval_ms", "offset"])
    canceled: bool
    lease: Lease
    log_interval_ms: int
    offset: int
    log_full: bool


class ApprovalDiff(Record):
    __slots__ = ()
    _fields = frozenset(["binary", "captions", "gave_up", "gave_up_because", "status", "summary"])
    status: Literal["identical", "different"]
    summary: DiffSummary | None
    binary: bool
    gave_up: bool
    gave_up_because: Literal["time_limit", "memory_limit", "too_large", "busy"] | None
    captions: CaptionsSummary | None


class Artifact(Record):
    __slots__ = ()
    _fields = frozenset(["artifact_id", "content_type", "download_url", "filename", "output_id", "regression_id", "run_id", "sample_id", "sha256", "size_bytes", "storage_status", "type"])
    artifact_id: str
    run_id: int
    sample_id: int | None
    regression_id: int | None
    output_id: int | None
    type: Literal["build_log", "sample_output", "expected_output", "diff", "media_info", "binary"]
    filename: str
    content_type: str
    size_bytes: int | None
    sha256: str | None
    storage_status: Literal["ok", "degraded", "missing"]
    download_url: str | None


class ArtifactPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Artifact]
    pagination: Pagination


class AuditEvent(Record):
    __slots__ = ()
    _fields = frozenset(["account", "account_id", "action", "at", "details", "event_id", "subject_id", "subject_type"])
    _times = frozenset(["at"])
    event_id: int
    at: datetime
    action: str
    account_id: int | None
    account: str | None
    subject_type: str
    subject_id: int | None
    details: dict[str, Any]


class AuditEventPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[AuditEvent]
    pagination: Pagination


class AuthToken(Record):
    __slots__ = ()
    _fields = frozenset(["expires_at", "scopes", "token", "token_id", "token_name", "token_type"])
    _times = frozenset(["expires_at"])
    token: str
    token_type: Literal["Bearer"]
    token_name: str
    token_id: int | None
    scopes: list[Literal["runs:read", "runs:write", "results:read", "baselines:write", "system:read", "jobs:read", "jobs:write", "tokens:manage", "runs:execute"]]
    expires_at: datetime


class BaselineApproval(Record):
    __slots__ = ()
    _fields = frozenset(["apply_to_variants", "approvable", "approval_id", "changed_outputs", "created_at", "decided_at", "decided_by", "decided_by_name", "decision_reason", "mode", "new_hash", "not_approvable_because", "output_id", "reason", "regression_id", "replaced_hash", "requested_by", "requested_by_name", "run_id", "sample_id", "self_approved", "status", "undoes", "undone_by", "withdrawn"])
    _times = frozenset(["created_at", "decided_at"])
    approval_id: str
    status: Literal["pending_review", "approved", "rejected"]
    run_id: int
    sample_id: int
    regression_id: int
    output_id: int
    requested_by: str
    requested_by_name: str | None
    created_at: datetime
    reason: str | None
    mode: Literal["replace", "variant"] | None
    apply_to_variants: bool | None
    replaced_hash: str | None
    new_hash: str | None
    decided_by: str | None
    decided_by_name: str | None
    decided_at: datetime | None
    decision_reason: str | None
    self_approved: bool | None
    withdrawn: bool | None
    approvable: bool | None
    not_approvable_because: Literal["baseline_changed", "already_accepted", "output_deleted"] | None
    undoes: str | None
    undone_by: str | None
    changed_outputs: list[ChangedOutput] | None


class BaselineApprovalDetail(Record):
    __slots__ = ()
    _fields = frozenset(["apply_to_variants", "approvable", "approval_id", "changed_outputs", "created_at", "decided_at", "decided_by", "decided_by_name", "decision_reason", "diff", "mode", "new_hash", "not_approvable_because", "output_id", "reason", "regression_id", "replaced_hash", "requested_by", "requested_by_name", "run_id", "sample_id", "self_approved", "status", "undoes", "undone_by", "withdrawn"])
    _times = frozenset(["created_at", "decided_at"])
    approval_id: str
    status: Literal["pending_review", "approved", "rejected"]
    run_id: int
    sample_id: int
    regression_id: int
    output_id: int
    requested_by: str
    requested_by_name: str | None
    created_at: datetime
    reason: str | None
    mode: Literal["replace", "variant"] | None
    apply_to_variants: bool | None
    replaced_hash: str | None
    new_hash: str | None
    decided_by: str | None
    decided_by_name: str | None
    decided_at: datetime | None
    decision_reason: str | None
    self_approved: bool | None
    withdrawn: bool | None
    approvable: bool | None
    not_approvable_because: Literal["baseline_changed", "already_accepted", "output_deleted"] | None
    undoes: str | None
    undone_by: str | None
    changed_outputs: list[ChangedOutput] | None
    diff: ApprovalDiff | None


class BaselineApprovalPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[BaselineApproval]
    pagination: Pagination


class BaselineApprovals(Record):
    __slots__ = ()
    _fields = frozenset(["data"])
    data: list[BaselineApproval]


class Branch(Record):
    __slots__ = ()
    _fields = frozenset(["active", "head_sha", "name", "repository"])
    repository: str
    name: str
    head_sha: str | None
    active: bool


class BranchPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Branch]
    pagination: Pagination


class Caller(Record):
    __slots__ = ()
    _fields = frozenset(["email", "name", "role", "scopes", "user_id"])
    user_id: int
    name: str
    email: str
    role: Literal["admin", "user", "contributor", "tester"]
    scopes: list[Literal["runs:read", "runs:write", "results:read", "baselines:write", "system:read", "jobs:read", "jobs:write", "tokens:manage", "runs:execute"]]


class Captions(Record):
    __slots__ = ()
    _fields = frozenset(["changed", "cues_actual", "cues_expected", "kind", "kinds", "location", "message", "rate", "shift_ms", "truncated"])
    kind: Literal["missing_cues", "extra_cues", "text", "split_or_merged", "timing", "timing_shift", "timing_drift", "encoding", "formatting", "whitespace", "line_endings", "identical", "mixed"]
    kinds: dict[str, Any]
    cues_expected: int | None
    cues_actual: int | None
    shift_ms: int | None
    rate: float | None
    changed: list[ChangedCue]
    truncated: bool
    message: str
    location: CueLocation | None


class CaptionsSummary(Record):
    __slots__ = ()
    _fields = frozenset(["kind", "kinds", "message", "rate", "shift_ms"])
    kind: Literal["missing_cues", "extra_cues", "text", "split_or_merged", "timing", "timing_shift", "timing_drift", "encoding", "formatting", "whitespace", "line_endings", "identical", "mixed"]
    kinds: dict[str, Any]
    message: str
    shift_ms: int | None
    rate: float | None


class Category(Record):
    __slots__ = ()
    _fields = frozenset(["description", "id", "name", "test_count"])
    id: int
    name: str
    description: str
    test_count: int


class CategoryPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Category]
    pagination: Pagination


class ChangedCue(Record):
    __slots__ = ()
    _fields = frozenset(["actual", "expected", "kind", "words"])
    kind: Literal["missing_cues", "extra_cues", "text", "split_or_merged", "timing", "timing_shift", "timing_drift", "encoding", "formatting", "whitespace", "line_endings", "identical", "mixed"]
    expected: CueText | None
    actual: CueText | None
    words: list[WordChange]


class ChangedOutput(Record):
    __slots__ = ()
    _fields = frozenset(["new_hash", "output_id", "regression_id", "replaced_hash"])
    regression_id: int | None
    output_id: int
    replaced_hash: str | None
    new_hash: str | None


class Claim(Record):
    __slots__ = ()
    _fields = frozenset(["attempt", "attempt_id", "credential", "deadline_at", "job", "job_limits", "kind", "lease", "limits", "log_interval_ms", "log_offset", "run", "samples", "source", "tests"])
    _times = frozenset(["deadline_at"])
    kind: Literal["run", "job"]
    attempt_id: int
    attempt: int
    credential: str
    lease: Lease
    deadline_at: datetime
    log_offset: int
    log_interval_ms: int
    limits: ClaimedLimits | None
    run: ClaimedRun | None
    tests: list[ClaimedTest] | None
    samples: list[ClaimedSample] | None
    job: ClaimedJob | None
    source: ClaimedSource | None
    job_limits: ClaimedJobLimits | None


class ClaimedJob(Record):
    __slots__ = ()
    _fields = frozenset(["artifacts", "command", "cpus", "environment", "image", "job_id", "memory_mib", "name", "namespace", "network", "timeout_s"])
    command: list[str] | None
    image: str | None
    network: Literal["none", "install"] | None
    timeout_s: int | None
    memory_mib: int | None
    cpus: int | None
    artifacts: list[str] | None
    environment: dict[str, Any] | None
    job_id: str
    namespace: str
    name: str | None


class ClaimedJobLimits(Record):
    __slots__ = ()
    _fields = frozenset(["max_upload_bytes", "memory_bytes", "time_ms"])
    time_ms: int
    memory_bytes: int
    max_upload_bytes: int


class ClaimedLimits(Record):
    __slots__ = ()
    _fields = frozenset(["max_upload_bytes", "test_memory_bytes", "test_time_ms"])
    test_time_ms: int
    test_memory_bytes: int
    max_upload_bytes: int


class ClaimedOutput(Record):
    __slots__ = ()
    _fields = frozenset(["accepted_hashes", "expected_hash", "extension", "filename", "ignore", "output_id"])
    output_id: int
    filename: str
    extension: str
    expected_hash: str | None
    accepted_hashes: list[str]
    ignore: bool


class ClaimedRun(Record):
    __slots__ = ()
    _fields = frozenset(["branch", "clone_url", "commit_sha", "main_clone_url", "platform", "pull_request", "repository", "run_id", "test_type"])
    run_id: int
    platform: Literal["linux", "windows"]
    test_type: Literal["commit", "pr"]
    repository: str
    clone_url: str
    main_clone_url: str
    branch: str | None
    commit_sha: str
    pull_request: int | None


class ClaimedSample(Record):
    __slots__ = ()
    _fields = frozenset(["extension", "name", "sample_id", "sha256", "size_bytes", "url"])
    sample_id: int
    sha256: str | None
    extension: str
    name: str
    size_bytes: int | None
    url: str


class ClaimedSource(Record):
    __slots__ = ()
    _fields = frozenset(["sha256", "size_bytes", "url"])
    sha256: str
    size_bytes: int
    url: str


class ClaimedTest(Record):
    __slots__ = ()
    _fields = frozenset(["command", "expected_exit_code", "input_type", "output_filename", "output_type", "outputs", "regression_id", "sample_id"])
    regression_id: int
    sample_id: int
    command: str
    input_type: str
    output_type: str
    expected_exit_code: int
    output_filename: str | None
    outputs: list[ClaimedOutput]


class ComparedRun(Record):
    __slots__ = ()
    _fields = frozenset(["branch", "commit_sha", "run_id"])
    run_id: int
    commit_sha: str
    branch: str | None


class Comparison(Record):
    __slots__ = ()
    _fields = frozenset(["change", "command", "failure_content", "failure_signature", "links", "regression_id", "sample_id", "status", "to_failure_content", "to_failure_signature", "to_status"])
    regression_id: int
    sample_id: int
    command: str | None
    change: Literal["fixed", "new_failure", "different_failure", "same_failure", "same_pass", "not_run", "not_run_in_to"]
    status: Literal["pass", "fail", "skipped", "missing_output", "running", "not_started"] | None
    to_status: Literal["pass", "fail", "skipped", "missing_output", "running", "not_started"] | None
    failure_signature: str | None
    to_failure_signature: str | None
    failure_content: str | None
    to_failure_content: str | None
    links: dict[str, Any] | None


class ComparisonCounts(Record):
    __slots__ = ()
    _fields = frozenset(["different_failure", "fixed", "new_failure", "not_run", "not_run_in_to", "same_failure", "same_pass"])
    fixed: int
    new_failure: int
    different_failure: int
    same_failure: int
    same_pass: int
    not_run: int
    not_run_in_to: int


class ComparisonPage(Record):
    __slots__ = ()
    _fields = frozenset(["counts", "data", "pagination", "run_id", "to"])
    data: list[Comparison]
    pagination: Pagination
    run_id: int
    to: int | None
    counts: ComparisonCounts


class CountsInReport(Record):
    __slots__ = ()
    _fields = frozenset(["fixed", "new", "still_failing"])
    new: int
    still_failing: int
    fixed: int


class Coverage(Record):
    __slots__ = ()
    _fields = frozenset(["branches", "covered_branches", "covered_lines", "file", "lines"])
    file: str
    lines: int
    covered_lines: int
    branches: int | None
    covered_branches: int | None


class CoveragePage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination", "totals"])
    data: list[Coverage]
    pagination: Pagination
    totals: CoverageTotal


class CoverageTotal(Record):
    __slots__ = ()
    _fields = frozenset(["covered_lines", "lines"])
    lines: int
    covered_lines: int


class CueLocation(Record):
    __slots__ = ()
    _fields = frozenset(["number", "start_ms"])
    number: int
    start_ms: int


class CuePair(Record):
    __slots__ = ()
    _fields = frozenset(["actual", "expected", "kind"])
    kind: Literal["missing_cues", "extra_cues", "text", "split_or_merged", "timing", "timing_shift", "timing_drift", "encoding", "formatting", "whitespace", "line_endings", "identical", "mixed"]
    expected: CueSpan | None
    actual: CueSpan | None


class CuePairPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[CuePair]
    pagination: Pagination


class CueSpan(Record):
    __slots__ = ()
    _fields = frozenset(["cues", "end_ms", "number", "start_ms"])
    number: int
    cues: int
    start_ms: int
    end_ms: int


class CueText(Record):
    __slots__ = ()
    _fields = frozenset(["cues", "end_ms", "number", "start_ms", "text"])
    number: int
    cues: int
    start_ms: int
    end_ms: int
    text: str


class Delivery(Record):
    __slots__ = ()
    _fields = frozenset(["created_at", "delivery_id", "ended_at", "event", "log", "message_id", "next_try_at", "state", "tries", "why"])
    _times = frozenset(["created_at", "ended_at", "next_try_at"])
    delivery_id: int
    message_id: str
    event: Literal["job.ended", "run.ended", "webhook.test"]
    state: Literal["waiting", "delivered", "given_up"]
    why: str | None
    tries: int
    created_at: datetime
    next_try_at: datetime | None
    ended_at: datetime | None
    log: list[DeliveryTry]


class DeliveryPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Delivery]
    pagination: KeysetPagination


class DeliveryTry(Record):
    __slots__ = ()
    _fields = frozenset(["at", "duration_ms", "message", "outcome", "status"])
    _times = frozenset(["at"])
    at: datetime
    duration_ms: int
    outcome: Literal["delivered", "bad_status", "redirect", "timeout", "unreachable", "address_refused"]
    status: int | None
    message: str | None


class Dependency(Record):
    __slots__ = ()
    _fields = frozenset(["message", "name", "status"])
    name: str
    status: Literal["ok", "degraded", "down"]
    message: str | None


class Diff(Record):
    __slots__ = ()
    _fields = frozenset(["accepted_variant", "actual", "actual_hash", "binary", "captions", "content", "context_lines", "cues", "encodings_differ", "expected", "expected_hash", "expected_hash_at_run", "format", "gave_up", "gave_up_because", "hunks", "invalid_utf8", "line_endings_differ", "missing_final_newline", "output_id", "regression_id", "result_status", "run_id", "sample_id", "status", "summary", "truncated", "unified", "unified_truncated"])
    run_id: int
    sample_id: int
    regression_id: int
    output_id: int
    status: Literal["identical", "different", "missing_expected", "missing_actual"]
    result_status: Literal["not_started", "running", "skipped"] | None
    summary: DiffSummary | None
    hunks: list[DiffHunk] | None
    context_lines: int | None
    truncated: bool | None
    unified: str | None
    content: str | None
    format: Literal["structured", "unified"] | None
    unified_truncated: bool | None
    expected_hash: str | None
    actual_hash: str | None
    expected_hash_at_run: str | None
    accepted_variant: bool | None
    binary: bool | None
    invalid_utf8: bool | None
    encodings_differ: bool | None
    line_endings_differ: bool | None
    missing_final_newline: list[Literal["expected", "actual"]] | None
    gave_up: bool | None
    gave_up_because: Literal["time_limit", "memory_limit", "too_large", "busy"] | None
    expected: DiffSide | None
    actual: DiffSide | None
    captions: Captions | None
    cues: CuePairPage | None


class DiffHunk(Record):
    __slots__ = ()
    _fields = frozenset(["actual_lines", "actual_start", "expected_lines", "expected_start", "lines"])
    expected_start: int
    expected_lines: int | None
    actual_start: int
    actual_lines: int | None
    lines: list[DiffLine]


class DiffLine(Record):
    __slots__ = ()
    _fields = frozenset(["actual_line", "expected_line", "kind", "text"])
    kind: Literal["context", "added", "removed"]
    expected_line: int | None
    actual_line: int | None
    text: str


class DiffLinks(Record):
    __slots__ = ()
    _fields = frozenset(["diff"])
    diff: str


class DiffSide(Record):
    __slots__ = ()
    _fields = frozenset(["download_url", "encoding", "final_newline", "line_endings", "size_bytes", "storage_status"])
    size_bytes: int | None
    storage_status: Literal["ok", "degraded", "missing"]
    download_url: str | None
    encoding: str | None
    line_endings: str | None
    final_newline: bool | None


class DiffSummary(Record):
    __slots__ = ()
    _fields = frozenset(["added_lines", "changed_hunks", "removed_lines"])
    added_lines: int
    removed_lines: int
    changed_hunks: int


class Environment(Record):
    __slots__ = ()
    _fields = frozenset(["active", "average_duration_ms", "environment_id", "platform", "runner_label"])
    environment_id: str
    platform: Literal["linux", "windows"]
    active: bool
    runner_label: str | None
    average_duration_ms: int | None


class EnvironmentPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Environment]
    pagination: Pagination


class ErrorItem(Record):
    __slots__ = ()
    _fields = frozenset(["caption_change", "command", "error_id", "links", "location", "message", "occurred_at", "regression_id", "run_id", "sample_id", "sample_name", "severity", "stack", "type"])
    _times = frozenset(["occurred_at"])
    error_id: str
    run_id: int
    sample_id: int | None
    sample_name: str | None
    command: str | None
    regression_id: int | None
    type: str
    severity: Literal["info", "warning", "error", "critical"]
    message: str
    location: dict[str, Any] | None
    caption_change: Literal["missing_cues", "extra_cues", "text", "split_or_merged", "timing", "timing_shift", "timing_drift", "encoding", "formatting", "whitespace", "line_endings", "mixed"] | None
    stack: list[str] | None
    occurred_at: datetime
    links: dict[str, Any] | None


class ErrorItemPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[ErrorItem]
    pagination: KeysetPagination


class ErrorSummaryBucket(Record):
    __slots__ = ()
    _fields = frozenset(["count", "first_seen_at", "key", "last_seen_at", "sample_ids", "severity"])
    _times = frozenset(["first_seen_at", "last_seen_at"])
    key: str
    count: int
    severity: Literal["info", "warning", "error", "critical"]
    sample_ids: list[int] | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None


class ErrorSummaryBucketPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[ErrorSummaryBucket]
    pagination: Pagination


class ExpectedOutput(Record):
    __slots__ = ()
    _fields = frozenset(["accepted_variants", "content", "content_type", "download_url", "encoding", "filename", "ignored", "output_id", "regression_id", "run_id", "sample_id", "sha256", "size_bytes", "storage_status", "truncated"])
    run_id: int | None
    sample_id: int
    regression_id: int
    output_id: int
    filename: str
    content_type: str
    encoding: Literal["utf-8", "base64"]
    content: str
    sha256: str | None
    storage_status: Literal["ok", "degraded", "missing"]
    size_bytes: int | None
    truncated: bool | None
    download_url: str | None
    ignored: bool | None
    accepted_variants: list[str] | None


class FailureInReport(Record):
    __slots__ = ()
    _fields = frozenset(["command", "is_flaky", "last_lines", "links", "more_errors", "regression_id", "sample_id", "sample_name", "sentence", "since", "type"])
    regression_id: int
    sample_id: int
    command: str
    sample_name: str
    type: Literal["test_failure", "exit_code_mismatch", "missing_output", "diff_mismatch"]
    sentence: str
    more_errors: int
    is_flaky: bool
    since: Since | None
    last_lines: list[str]
    links: dict[str, Any]


class Flakiness(Record):
    __slots__ = ()
    _fields = frozenset(["flakiness", "regression_id", "results"])
    regression_id: int
    flakiness: float
    results: int


class GitHubAnswer(Record):
    __slots__ = ()
    _fields = frozenset(["code", "message", "state"])
    code: str
    state: str
    message: str


class GitHubConnection(Record):
    __slots__ = ()
    _fields = frozenset(["github_id", "github_login"])
    github_login: str
    github_id: int


class GitHubStart(Record):
    __slots__ = ()
    _fields = frozenset(["authorize_url", "github_login"])
    authorize_url: str
    github_login: str | None


class Index(Record):
    __slots__ = ()
    _fields = frozenset(["links", "name", "version"])
    name: str
    version: str
    links: dict[str, Any]


class InfrastructureError(Record):
    __slots__ = ()
    _fields = frozenset(["command", "error_id", "location", "message", "occurred_at", "regression_id", "run_id", "sample_id", "sample_name", "severity", "stack", "type"])
    _times = frozenset(["occurred_at"])
    error_id: str
    run_id: int
    sample_id: int | None
    sample_name: str | None
    command: str | None
    regression_id: int | None
    type: str
    severity: Literal["info", "warning", "error", "critical"]
    message: str
    location: dict[str, Any] | None
    stack: list[str] | None
    occurred_at: datetime


class InfrastructureErrorPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[InfrastructureError]
    pagination: Pagination


class Job(Record):
    __slots__ = ()
    _fields = frozenset(["account_id", "attempts", "conclusion", "created_at", "ended_at", "exit_code", "expires_at", "is_report_whole", "job_id", "labels", "links", "name", "outcome", "position", "priority", "retry_of", "signal", "source", "spec", "started_at", "state", "tests", "why"])
    _times = frozenset(["created_at", "ended_at", "expires_at", "started_at"])
    job_id: str
    name: str | None
    state: Literal["queued", "running", "ended"]
    conclusion: Literal["success", "failure", "canceled", "error", "timed_out", "out_of_memory"] | None
    why: str | None
    outcome: Literal["exited", "signaled", "time_limit", "memory_limit", "process_limit", "output_limit", "disk_limit", "unpack_failed", "install_failed", "no_tests"] | None
    exit_code: int | None
    signal: str | None
    is_report_whole: bool | None
    priority: int
    account_id: int
    labels: list[str]
    spec: JobSpec
    source: JobSource
    tests: JobCounts
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime | None
    retry_of: str | None
    links: dict[str, Any]
    position: int | None
    attempts: list[JobAttempt]


class JobAction(Record):
    __slots__ = ()
    _fields = frozenset(["action", "job_id", "message", "new_job_id", "status"])
    job_id: str
    action: Literal["cancel", "retry"]
    status: Literal["accepted", "no_op"]
    message: str
    new_job_id: str | None


class JobArtifact(Record):
    __slots__ = ()
    _fields = frozenset(["cut", "error", "kind", "name", "sha256", "size_bytes", "url"])
    name: str
    size_bytes: int
    sha256: str
    kind: str | None
    error: str | None
    cut: str | None
    url: str


class JobArtifacts(Record):
    __slots__ = ()
    _fields = frozenset(["data"])
    data: list[JobArtifact]


class JobAttempt(Record):
    __slots__ = ()
    _fields = frozenset(["attempt", "claimed_at", "end_reason", "ended_at", "message", "runner_name", "stage"])
    _times = frozenset(["claimed_at", "ended_at"])
    attempt: int
    runner_name: str
    claimed_at: datetime
    ended_at: datetime | None
    stage: str | None
    end_reason: str | None
    message: str | None


class JobCounts(Record):
    __slots__ = ()
    _fields = frozenset(["errors", "failed", "flaky", "passed", "skipped"])
    passed: int
    failed: int
    errors: int
    skipped: int
    flaky: int


class JobEvent(Record):
    __slots__ = ()
    _fields = frozenset(["account_id", "at", "attempt_id", "kind", "message"])
    _times = frozenset(["at"])
    at: datetime
    kind: Literal["queued", "claimed", "stage", "requeued", "priority", "ended"]
    message: str
    attempt_id: int | None
    account_id: int | None


class JobEventPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[JobEvent]
    pagination: Pagination


class JobLogLine(Record):
    __slots__ = ()
    _fields = frozenset(["job_id", "level", "message", "source", "timestamp"])
    _times = frozenset(["timestamp"])
    timestamp: datetime
    level: Literal["debug", "info", "warning", "error", "critical"]
    source: Literal["orchestrator", "worker", "build", "test_runner", "web"]
    message: str
    job_id: str


class JobLogLinePage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "finished", "pagination"])
    data: list[JobLogLine]
    pagination: LogPagination
    finished: bool


class JobSource(Record):
    __slots__ = ()
    _fields = frozenset(["sha256", "size_bytes"])
    sha256: str
    size_bytes: int


class JobSpec(Record):
    __slots__ = ()
    _fields = frozenset(["artifacts", "command", "cpus", "environment", "image", "memory_mib", "network", "timeout_s"])
    command: list[str] | None
    image: str | None
    network: Literal["none", "install"] | None
    timeout_s: int | None
    memory_mib: int | None
    cpus: int | None
    artifacts: list[str] | None
    environment: dict[str, Any] | None


class JobTest(Record):
    __slots__ = ()
    _fields = frozenset(["duration_ms", "is_flaky", "message", "nodeid", "number", "outcome"])
    number: int
    nodeid: str
    outcome: Literal["passed", "failed", "error", "skipped", "running"]
    is_flaky: bool
    duration_ms: int | None
    message: str | None


class JobTestPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[JobTest]
    pagination: KeysetPagination


class KeysetPagination(Record):
    __slots__ = ()
    _fields = frozenset(["limit", "next_cursor", "next_offset", "offset", "total"])
    limit: int
    offset: int
    total: int
    next_offset: int | None
    next_cursor: str | None


class Lease(Record):
    __slots__ = ()
    _fields = frozenset(["expires_at", "seconds"])
    _times = frozenset(["expires_at"])
    seconds: int
    expires_at: datetime | None


class ListedJob(Record):
    __slots__ = ()
    _fields = frozenset(["account_id", "conclusion", "created_at", "ended_at", "exit_code", "expires_at", "is_report_whole", "job_id", "labels", "links", "name", "outcome", "priority", "retry_of", "signal", "source", "spec", "started_at", "state", "tests", "why"])
    _times = frozenset(["created_at", "ended_at", "expires_at", "started_at"])
    job_id: str
    name: str | None
    state: Literal["queued", "running", "ended"]
    conclusion: Literal["success", "failure", "canceled", "error", "timed_out", "out_of_memory"] | None
    why: str | None
    outcome: Literal["exited", "signaled", "time_limit", "memory_limit", "process_limit", "output_limit", "disk_limit", "unpack_failed", "install_failed", "no_tests"] | None
    exit_code: int | None
    signal: str | None
    is_report_whole: bool | None
    priority: int
    account_id: int
    labels: list[str]
    spec: JobSpec
    source: JobSource
    tests: JobCounts
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime | None
    retry_of: str | None
    links: dict[str, Any]


class ListedJobPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[ListedJob]
    pagination: KeysetPagination


class ListedRun(Record):
    __slots__ = ()
    _fields = frozenset(["attempts", "branch", "commit_sha", "commit_short", "completed_at", "created_at", "duration_ms", "github_link", "links", "platform", "pr_number", "pull_request", "queued_at", "repository", "retry_of", "run_errors", "run_id", "started_at", "status", "summary", "test_type", "triggered_by"])
    _times = frozenset(["completed_at", "created_at", "queued_at", "started_at"])
    run_id: int
    status: Literal["queued", "running", "pass", "fail", "canceled", "error", "incomplete"]
    repository: str
    branch: str | None
    commit_sha: str
    commit_short: str | None
    pull_request: int | None
    platform: Literal["linux", "windows"]
    run_errors: Literal["yes", "no", "unknown"] | None
    triggered_by: str | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    retry_of: int | None
    attempts: int | None
    pr_number: int | None
    test_type: Literal["commit", "pr"] | None
    github_link: str | None
    links: dict[str, Any] | None
    summary: RunSummary | None


class ListedRunPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[ListedRun]
    pagination: KeysetPagination


class LogLine(Record):
    __slots__ = ()
    _fields = frozenset(["level", "message", "regression_id", "run_id", "sample_id", "source", "timestamp"])
    _times = frozenset(["timestamp"])
    timestamp: datetime
    level: Literal["debug", "info", "warning", "error", "critical"]
    source: Literal["orchestrator", "worker", "build", "test_runner", "web"]
    message: str
    run_id: int
    sample_id: int | None
    regression_id: int | None


class LogLinePage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "finished", "pagination"])
    data: list[LogLine]
    pagination: LogPagination
    finished: bool


class LogPagination(Record):
    __slots__ = ()
    _fields = frozenset(["limit", "next_cursor", "resume_cursor"])
    limit: int
    next_cursor: str | None
    resume_cursor: str | None


class OutputDiff(Record):
    __slots__ = ()
    _fields = frozenset(["actual_hash", "captions", "command", "compared", "expected_hash", "filename", "group", "links", "output_id", "regression_id", "run_id", "sample_id", "sample_name"])
    run_id: int
    sample_id: int | None
    sample_name: str | None
    regression_id: int
    command: str | None
    output_id: int
    filename: str
    expected_hash: str | None
    actual_hash: str | None
    compared: bool
    captions: Captions | None
    group: str | None
    links: DiffLinks


class OutputDiffPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[OutputDiff]
    pagination: KeysetPagination


class OutputFile(Record):
    __slots__ = ()
    _fields = frozenset(["content", "content_type", "download_url", "encoding", "expected_hash_at_run", "filename", "output_id", "regression_id", "run_id", "sample_id", "sha256", "size_bytes", "storage_status", "truncated"])
    run_id: int | None
    sample_id: int
    regression_id: int
    output_id: int
    filename: str
    content_type: str
    encoding: Literal["utf-8", "base64"]
    content: str
    sha256: str | None
    storage_status: Literal["ok", "degraded", "missing"]
    size_bytes: int | None
    truncated: bool | None
    download_url: str | None
    expected_hash_at_run: str | None


class Pagination(Record):
    __slots__ = ()
    _fields = frozenset(["limit", "next_offset", "offset", "total"])
    limit: int
    offset: int
    total: int
    next_offset: int | None


class ProblemInReport(Record):
    __slots__ = ()
    _fields = frozenset(["message", "type"])
    type: Literal["queue", "vm_provisioning", "checkout", "merge", "build", "worker", "web_server", "storage"]
    message: str


class ProgressEvent(Record):
    __slots__ = ()
    _fields = frozenset(["message", "status", "step", "timestamp"])
    _times = frozenset(["timestamp"])
    timestamp: datetime
    status: Literal["queued", "preparation", "testing", "completed", "canceled", "error"]
    message: str
    step: int | None


class ProgressEventPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[ProgressEvent]
    pagination: Pagination


class QueueJob(Record):
    __slots__ = ()
    _fields = frozenset(["platform", "position", "queued_at", "run_id", "started_at", "status"])
    _times = frozenset(["queued_at", "started_at"])
    run_id: int
    status: Literal["queued", "running"]
    platform: Literal["linux", "windows"]
    queued_at: datetime
    started_at: datetime | None
    position: int | None


class QueueJobPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination", "queue_depth", "running_count"])
    data: list[QueueJob]
    pagination: Pagination
    queue_depth: int | None
    running_count: int | None


class RegressionTest(Record):
    __slots__ = ()
    _fields = frozenset(["active", "categories", "category", "command", "description", "expected_exit_code", "expected_outputs", "expected_rc", "input_type", "links", "output_type", "regression_id", "regression_test_id", "sample_id", "sample_name", "tags"])
    regression_id: int
    sample_id: int
    command: str
    description: str | None
    active: bool | None
    category: str | None
    categories: list[str] | None
    tags: list[str] | None
    input_type: Literal["file", "stdin", "udp"] | None
    output_type: Literal["file", "null", "tcp", "cea708", "multiprogram", "stdout", "report"] | None
    expected_exit_code: int | None
    regression_test_id: int | None
    expected_rc: int | None
    sample_name: str | None
    expected_outputs: list[ExpectedOutput] | None
    links: dict[str, Any] | None


class RegressionTestPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[RegressionTest]
    pagination: Pagination


class Report(Record):
    __slots__ = ()
    _fields = frozenset(["commit_sha", "compared_to", "counts", "failing", "fixed", "headline", "infrastructure", "left_out", "new", "run_id", "status", "still_failing", "total"])
    run_id: int
    status: Literal["queued", "running", "pass", "fail", "canceled", "error", "incomplete"]
    commit_sha: str
    headline: str
    failing: int
    total: int
    compared_to: ComparedRun | None
    counts: CountsInReport
    new: list[FailureInReport]
    still_failing: list[FailureInReport]
    fixed: list[TestInReport]
    infrastructure: list[ProblemInReport]
    left_out: int


class ResultOutput(Record):
    __slots__ = ()
    _fields = frozenset(["actual_hash", "expected_hash", "expected_hash_at_run", "filename", "links", "output_id", "status"])
    output_id: int
    status: Literal["match", "diff_mismatch", "missing_output", "missing_expected"]
    filename: str | None
    expected_hash: str | None
    expected_hash_at_run: str | None
    actual_hash: str | None
    links: dict[str, Any] | None


class Run(Record):
    __slots__ = ()
    _fields = frozenset(["attempts", "branch", "commit_sha", "commit_short", "completed_at", "created_at", "duration_ms", "github_link", "links", "platform", "pr_number", "pull_request", "queued_at", "repository", "retry_of", "run_errors", "run_id", "started_at", "status", "test_type", "triggered_by"])
    _times = frozenset(["completed_at", "created_at", "queued_at", "started_at"])
    run_id: int
    status: Literal["queued", "running", "pass", "fail", "canceled", "error", "incomplete"]
    repository: str
    branch: str | None
    commit_sha: str
    commit_short: str | None
    pull_request: int | None
    platform: Literal["linux", "windows"]
    run_errors: Literal["yes", "no", "unknown"] | None
    triggered_by: str | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    retry_of: int | None
    attempts: int | None
    pr_number: int | None
    test_type: Literal["commit", "pr"] | None
    github_link: str | None
    links: dict[str, Any] | None


class RunActionResult(Record):
    __slots__ = ()
    _fields = frozenset(["action", "message", "new_run_id", "run_id", "status"])
    run_id: int
    new_run_id: int | None
    action: Literal["cancel", "retry"]
    status: Literal["accepted", "rejected", "no_op"]
    message: str | None


class RunConfig(Record):
    __slots__ = ()
    _fields = frozenset(["command_defaults", "environment", "matrix", "regression_test_ids", "run_id"])
    run_id: int
    environment: Environment | None
    matrix: list[dict[str, Any]] | None
    regression_test_ids: list[int] | None
    command_defaults: list[str] | None


class RunSample(Record):
    __slots__ = ()
    _fields = frozenset(["categories", "category", "command", "exit_code", "expected_exit_code", "expected_rc", "ignored_outputs", "links", "outcome", "outputs", "regression_id", "regression_test_id", "result_message", "run_id", "runtime_ms", "sample_id", "sample_name", "status", "tags"])
    run_id: int
    sample_id: int
    sample_name: str | None
    regression_id: int
    category: str | None
    categories: list[str] | None
    command: str | None
    status: Literal["pass", "fail", "skipped", "missing_output", "running", "not_started"]
    runtime_ms: int | None
    exit_code: int | None
    expected_exit_code: int | None
    outcome: Literal["exited", "signal", "time_limit", "memory_limit", "output_limit"] | None
    result_message: str | None
    tags: list[str] | None
    outputs: list[ResultOutput] | None
    regression_test_id: int | None
    expected_rc: int | None
    ignored_outputs: list[ResultOutput] | None
    links: dict[str, Any] | None


class RunSampleDetail(Record):
    __slots__ = ()
    _fields = frozenset(["categories", "category", "command", "exit_code", "expected_exit_code", "expected_rc", "ignored_outputs", "links", "outcome", "outputs", "regression_id", "regression_test_id", "result_message", "run_id", "runtime_ms", "sample_id", "sample_name", "status", "stderr_tail", "stdout_tail", "tags", "tail"])
    run_id: int
    sample_id: int
    sample_name: str | None
    regression_id: int
    category: str | None
    categories: list[str] | None
    command: str | None
    status: Literal["pass", "fail", "skipped", "missing_output", "running", "not_started"]
    runtime_ms: int | None
    exit_code: int | None
    expected_exit_code: int | None
    outcome: Literal["exited", "signal", "time_limit", "memory_limit", "output_limit"] | None
    result_message: str | None
    tags: list[str] | None
    outputs: list[ResultOutput] | None
    regression_test_id: int | None
    expected_rc: int | None
    ignored_outputs: list[ResultOutput] | None
    links: dict[str, Any] | None
    tail: str | None
    stdout_tail: str | None
    stderr_tail: str | None


class RunSamplePage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[RunSample]
    pagination: Pagination


class RunSummary(Record):
    __slots__ = ()
    _fields = frozenset(["duration_ms", "error_count", "fail_count", "infrastructure_error_count", "missing_output_count", "pass_count", "run_id", "skipped_count", "status", "total_samples", "triggered_by"])
    run_id: int
    status: Literal["queued", "running", "pass", "fail", "canceled", "error", "incomplete"] | None
    total_samples: int
    pass_count: int
    fail_count: int
    skipped_count: int | None
    missing_output_count: int | None
    error_count: int | None
    infrastructure_error_count: int | None
    duration_ms: int | None
    triggered_by: str | None


class Sample(Record):
    __slots__ = ()
    _fields = frozenset(["extension", "links", "media_info", "media_info_status", "name", "notes", "original_name", "sample_id", "sha", "sha256", "status", "tags"])
    sample_id: int
    sha256: str
    name: str | None
    extension: str | None
    status: Literal["active", "inactive"] | None
    tags: list[str] | None
    media_info: dict[str, Any] | None
    media_info_status: Literal["ok", "degraded", "missing"] | None
    sha: str | None
    original_name: str | None
    notes: str | None
    links: dict[str, Any] | None


class SampleHistoryEntry(Record):
    __slots__ = ()
    _fields = frozenset(["branch", "commit_sha", "failure_content", "failure_signature", "links", "platform", "regression_id", "regression_test_id", "run_created_at", "run_id", "runtime_median_ms", "runtime_ms", "runtime_ratio", "sample_id", "status"])
    _times = frozenset(["run_created_at"])
    run_id: int
    sample_id: int
    regression_id: int
    regression_test_id: int | None
    run_created_at: datetime | None
    commit_sha: str | None
    branch: str | None
    platform: Literal["linux", "windows"] | None
    status: Literal["pass", "fail", "skipped", "missing_output"]
    runtime_ms: int | None
    runtime_median_ms: int | None
    runtime_ratio: float | None
    failure_signature: str | None
    failure_content: str | None
    links: dict[str, Any] | None


class SampleHistoryEntryPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "flakiness", "pagination"])
    data: list[SampleHistoryEntry]
    pagination: KeysetPagination
    flakiness: list[Flakiness]


class SamplePage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Sample]
    pagination: Pagination


class Since(Record):
    __slots__ = ()
    _fields = frozenset(["is_earliest", "run_id"])
    run_id: int
    is_earliest: bool


class Standing(Record):
    __slots__ = ()
    _fields = frozenset(["canceled", "lease", "log_interval_ms"])
    canceled: bool
    lease: Lease
    log_interval_ms: int


class SystemHealth(Record):
    __slots__ = ()
    _fields = frozenset(["checked_at", "dependencies", "status"])
    _times = frozenset(["checked_at"])
    status: Literal["ok", "degraded", "down"]
    checked_at: datetime
    dependencies: list[Dependency]


class Tag(Record):
    __slots__ = ()
    _fields = frozenset(["description", "id", "name"])
    id: int
    name: str
    description: str


class TagPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Tag]
    pagination: Pagination


class TestInReport(Record):
    __slots__ = ()
    _fields = frozenset(["command", "regression_id", "sample_id", "sample_name"])
    regression_id: int
    sample_id: int
    command: str
    sample_name: str


class Token(Record):
    __slots__ = ()
    _fields = frozenset(["created_at", "expires_at", "id", "is_current", "is_revoked", "revoked_at", "scopes", "token_id", "token_name", "user_id"])
    _times = frozenset(["created_at", "expires_at", "revoked_at"])
    token_id: int
    id: int
    user_id: int
    token_name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    is_revoked: bool
    is_current: bool


class TokenPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Token]
    pagination: Pagination


class Webhook(Record):
    __slots__ = ()
    _fields = frozenset(["all_runs", "created_at", "description", "disabled_reason", "enabled", "events", "failing_since", "links", "previous_secret_until", "url", "webhook_id"])
    _times = frozenset(["created_at", "failing_since", "previous_secret_until"])
    webhook_id: int
    url: str
    description: str | None
    events: list[Literal["job.ended", "run.ended"]]
    all_runs: bool
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    links: dict[str, Any]


class WebhookPage(Record):
    __slots__ = ()
    _fields = frozenset(["data", "pagination"])
    data: list[Webhook]
    pagination: Pagination


class WebhookWithSecret(Record):
    __slots__ = ()
    _fields = frozenset(["all_runs", "created_at", "description", "disabled_reason", "enabled", "events", "failing_since", "links", "previous_secret_until", "secret", "url", "webhook_id"])
    _times = frozenset(["created_at", "failing_since", "previous_secret_until"])
    webhook_id: int
    url: str
    description: str | None
    events: list[Literal["job.ended", "run.ended"]]
    all_runs: bool
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    links: dict[str, Any]
    secret: str


class WordChange(Record):
    __slots__ = ()
    _fields = frozenset(["actual", "expected"])
    expected: str
    actual: str


Appended._records = {"lease": Lease}
ApprovalDiff._records = {"summary": DiffSummary, "captions": CaptionsSummary}
ArtifactPage._records = {"data": Artifact, "pagination": Pagination}
AuditEventPage._records = {"data": AuditEvent, "pagination": Pagination}
BaselineApproval._records = {"changed_outputs": ChangedOutput}
BaselineApprovalDetail._records = {"changed_outputs": ChangedOutput, "diff": ApprovalDiff}
BaselineApprovalPage._records = {"data": BaselineApproval, "pagination": Pagination}
BaselineApprovals._records = {"data": BaselineApproval}
BranchPage._records = {"data": Branch, "pagination": Pagination}
Captions._records = {"changed": ChangedCue, "location": CueLocation}
CategoryPage._records = {"data": Category, "pagination": Pagination}
ChangedCue._records = {"expected": CueText, "actual": CueText, "words": WordChange}
Claim._records = {"lease": Lease, "limits": ClaimedLimits, "run": ClaimedRun, "tests": ClaimedTest, "samples": ClaimedSample, "job": ClaimedJob, "source": ClaimedSource, "job_limits": ClaimedJobLimits}
ClaimedTest._records = {"outputs": ClaimedOutput}
ComparisonPage._records = {"data": Comparison, "pagination": Pagination, "counts": ComparisonCounts}
CoveragePage._records = {"data": Coverage, "pagination": Pagination, "totals": CoverageTotal}
CuePair._records = {"expected": CueSpan, "actual": CueSpan}
CuePairPage._records = {"data": CuePair, "pagination": Pagination}
Delivery._records = {"log": DeliveryTry}
DeliveryPage._records = {"data": Delivery, "pagination": KeysetPagination}
Diff._records = {"summary": DiffSummary, "hunks": DiffHunk, "expected": DiffSide, "actual": DiffSide, "captions": Captions, "cues": CuePairPage}
DiffHunk._records = {"lines": DiffLine}
EnvironmentPage._records = {"data": Environment, "pagination": Pagination}
ErrorItemPage._records = {"data": ErrorItem, "pagination": KeysetPagination}
ErrorSummaryBucketPage._records = {"data": ErrorSummaryBucket, "pagination": Pagination}
FailureInReport._records = {"since": Since}
InfrastructureErrorPage._records = {"data": InfrastructureError, "pagination": Pagination}
Job._records = {"spec": JobSpec, "source": JobSource, "tests": JobCounts, "attempts": JobAttempt}
JobArtifacts._records = {"data": JobArtifact}
JobEventPage._records = {"data": JobEvent, "pagination": Pagination}
JobLogLinePage._records = {"data": JobLogLine, "pagination": LogPagination}
JobTestPage._records = {"data": JobTest, "pagination": KeysetPagination}
ListedJob._records = {"spec": JobSpec, "source": JobSource, "tests": JobCounts}
ListedJobPage._records = {"data": ListedJob, "pagination": KeysetPagination}
ListedRun._records = {"summary": RunSummary}
ListedRunPage._records = {"data": ListedRun, "pagination": KeysetPagination}
LogLinePage._records = {"data": LogLine, "pagination": LogPagination}
OutputDiff._records = {"captions": Captions, "links": DiffLinks}
OutputDiffPage._records = {"data": OutputDiff, "pagination": KeysetPagination}
ProgressEventPage._records = {"data": ProgressEvent, "pagination": Pagination}
QueueJobPage._records = {"data": QueueJob, "pagination": Pagination}
RegressionTest._records = {"expected_outputs": ExpectedOutput}
RegressionTestPage._records = {"data": RegressionTest, "pagination": Pagination}
Report._records = {"compared_to": ComparedRun, "counts": CountsInReport, "new": FailureInReport, "still_failing": FailureInReport, "fixed": TestInReport, "infrastructure": ProblemInReport}
RunConfig._records = {"environment": Environment}
RunSample._records = {"outputs": ResultOutput, "ignored_outputs": ResultOutput}
RunSampleDetail._records = {"outputs": ResultOutput, "ignored_outputs": ResultOutput}
RunSamplePage._records = {"data": RunSample, "pagination": Pagination}
SampleHistoryEntryPage._records = {"data": SampleHistoryEntry, "pagination": KeysetPagination, "flakiness": Flakiness}
SamplePage._records = {"data": Sample, "pagination": Pagination}
Standing._records = {"lease": Lease}
SystemHealth._records = {"dependencies": Dependency}
TagPage._records = {"data": Tag, "pagination": Pagination}
TokenPage._records = {"data": Token, "pagination": Pagination}
WebhookPage._records = {"data": Webhook, "pagination": Pagination}
