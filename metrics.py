"""What this program measures of itself, for Prometheus; docs/metrics.md describes each metric.

Where METRICS_ADDRESS is set, gunicorn lets its processes count
into files that they share (`metrics_files`); elsewhere each process counts in its own memory.
"""

import functools

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

import metrics_files

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 35)
WORK_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 60)

own = CollectorRegistry()

_requests = Counter(
    "ci_http_requests", "Requests answered.", ("method", "route", "status"), registry=own
)
_request_seconds = Histogram(
    "ci_http_request_seconds",
    "From a request's arrival at the application to the head of its answer.",
    ("method", "route"),
    buckets=REQUEST_SECONDS,
    registry=own,
)
_refusals = Counter(
    "ci_http_refusals", "Requests that the server refused by itself.", ("status",), registry=own
)
_statements = Counter("ci_database_statements", "Statements sent.", ("statement",), registry=own)
_statement_seconds = Counter(
    "ci_database_statement_seconds",
    "What statements took, from sending each to its first row.",
    ("statement",),
    registry=own,
)
_statement_failures = Counter(
    "ci_database_statement_failures",
    "Statements that the database refused or did not answer.",
    ("statement",),
    registry=own,
)
_transaction_seconds = Histogram(
    "ci_database_transaction_seconds",
    "A transaction: so long a connection is held.",
    ("outcome",),
    buckets=WORK_SECONDS,
    registry=own,
)
_storage_seconds = Histogram(
    "ci_storage_operation_seconds",
    "An operation of a storage.",
    ("storage", "operation"),
    buckets=WORK_SECONDS,
    registry=own,
)
_storage_failures = Counter(
    "ci_storage_failures",
    "Operations in which a storage did not do what it is for.",
    ("storage", "operation"),
    registry=own,
)
_caption_failures = Counter(
    "ci_caption_failures",
    "Pairs of outputs whose comparison as captions raised an exception.",
    registry=own,
)


def _of_all_processes(name: str, help: str) -> Gauge:
    """A gauge that is the sum over the processes that live."""
    return Gauge(name, help, registry=own, multiprocess_mode="livesum")


streams = _of_all_processes("ci_streams", "Streams that are followed.")
streams_limit = _of_all_processes("ci_streams_limit", "How many streams may be followed.")
waiting = _of_all_processes("ci_waiting_requests", "Requests that wait for something to happen.")
waiting_limit = _of_all_processes("ci_waiting_requests_limit", "How many requests may wait.")


# Looking a metric's labels up costs more than counting.
_requests_of = functools.cache(_requests.labels)
_request_seconds_of = functools.cache(_request_seconds.labels)
_refusals_of = functools.cache(_refusals.labels)
_statements_of = functools.cache(_statements.labels)
_statement_seconds_of = functools.cache(_statement_seconds.labels)
_statement_failures_of = functools.cache(_statement_failures.labels)
_transaction_seconds_of = functools.cache(_transaction_seconds.labels)
_storage_seconds_of = functools.cache(_storage_seconds.labels)
_storage_failures_of = functools.cache(_storage_failures.labels)


def open_files() -> None:
    """Let this process have the files that it counts into, of every kind, before it has anything to
    count: whoever reads a file that is just being made finds nothing in it that can be read."""
    _refusals_of(503)
    _transaction_seconds_of("commit")


def request_answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """A request was answered; `route` is the template that its path matched, if any."""
    known = method if method in METHODS else "other"
    where = route or "none"
    _requests_of(known, where, status).inc()
    _request_seconds_of(known, where).observe(seconds)


def request_refused(status: int) -> None:
    """The server refused a request before, or instead of, asking the application."""
    _refusals_of(status).inc()


def statements_done(statement: str, count: int, seconds: float, failures: int) -> None:
    """The database did some statements of one kind (`select`), in so many seconds together."""
    _statements_of(statement).inc(count)
    _statement_seconds_of(statement).inc(seconds)
    if failures:
        _statement_failures_of(statement).inc(failures)


def transaction_ended(seconds: float, *, committed: bool) -> None:
    """A transaction ended after so many seconds."""
    _transaction_seconds_of("commit" if committed else "rollback").observe(seconds)


def storage_done(storage: str, operation: str, seconds: float, *, failed: bool) -> None:
    """A storage did an operation, or failed at it."""
    _storage_seconds_of(storage, operation).observe(seconds)
    if failed:
        _storage_failures_of(storage, operation).inc()


def captions_not_compared() -> None:
    """Count a pair of outputs whose comparison as captions raised an exception."""
    _caption_failures.inc()


def exposition(*more: Collector) -> bytes:
    """All metrics of all processes that count together, and those of `more`, as Prometheus reads
    them."""
    if not metrics_files.are_shared():
        return generate_latest(own) + b"".join(generate_latest(_registry(one)) for one in more)
    from prometheus_client.multiprocess import MultiProcessCollector

    with metrics_files.kept_still():
        of_all = MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # the library's gap
        told = generate_latest(_registry(of_all))
    return told + b"".join(generate_latest(_registry(one)) for one in more)


def _registry(collector: Collector) -> CollectorRegistry:
    # Describing would ask the collector once more.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
