"""What became of a job, of its newest attempt: tests, coverage, files."""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select

from config import Settings
from database import ASCII_LOWER, contains_text, fetch, fetch_first
from errors import NotFound
from mod_api.services.jobs import jobs
from mod_api.services.keyset import Key, PageRequest, select_page
from mod_api.services.paging import LIMIT, OFFSET, Page, page
from mod_auth.accounts import Account
from mod_job.models import JobArtifact, JobCoverage, JobTest
from mod_sample.storage import job_artifact_key

_JOB = bindparam("job_id", type_=Integer)
_ATTEMPT = bindparam("attempt", type_=Integer)
_TESTS = select(JobTest.__table__).where(JobTest.job_id == _JOB, JobTest.attempt == _ATTEMPT)
_IN_ORDER = (Key(JobTest.number),)
CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "outcome": JobTest.outcome == bindparam("outcome"),
    "flaky": JobTest.is_flaky == bindparam("flaky"),
    "q": contains_text(JobTest.nodeid, bindparam("q")),
}
_COVERED = JobCoverage.job_id == _JOB, JobCoverage.attempt == _ATTEMPT
_COVERAGE = (
    select(JobCoverage.__table__).where(*_COVERED).order_by(JobCoverage.id).limit(LIMIT)
    .offset(OFFSET)
)  # fmt: skip
_COVERAGE_SUM = select(
    func.count(),
    func.coalesce(func.sum(JobCoverage.lines), 0),
    func.coalesce(func.sum(JobCoverage.covered_lines), 0),
).where(*_COVERED)
_FILES = (
    select(JobArtifact.__table__)
    .where(JobArtifact.job_id == _JOB, JobArtifact.attempt == _ATTEMPT)
    .order_by(JobArtifact.id)
)


def list_tests(
    job_uuid: str, by: Account, settings: Settings, *, window: PageRequest, **wanted: Any
) -> Page[Any]:
    """A page of a job's tests in the order of their ends. Raises NotFound, Invalid."""
    job = jobs.find(job_uuid, by, settings)
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if "q" in wanted:
        wanted["q"] = wanted["q"].translate(ASCII_LOWER)
    statement, counting = _composed(frozenset(wanted))
    return select_page(
        statement,
        _IN_ORDER,
        window,
        total=counting,
        kind="job_tests",
        wanted={**wanted, "job": job_uuid, "attempt": job.attempts},
        params={**wanted, **_of(job)},
    )


def get_test(job_uuid: str, number: int, by: Account, settings: Settings) -> Any:
    """A test of a job's newest attempt. Raises NotFound."""
    job = jobs.find(job_uuid, by, settings)
    row = fetch_first(_TESTS.where(JobTest.number == bindparam("n")), {**_of(job), "n": number})
    if row is None:
        raise NotFound("test", number, job_id=job_uuid)
    return row


def coverage(
    job_uuid: str, by: Account, settings: Settings, *, limit: int, offset: int
) -> Page[Any]:
    """A page of covered files, with the sums of all. Raises NotFound."""
    job = jobs.find(job_uuid, by, settings)
    count, lines, covered = fetch_first(_COVERAGE_SUM, _of(job))
    rows = fetch(_COVERAGE, {**_of(job), "page_limit": limit, "page_offset": offset})
    total = {"lines": int(lines), "covered_lines": int(covered)}
    return page(list(rows), total=count, limit=limit, offset=offset, totals=total)


def list_files(
    job_uuid: str, by: Account, settings: Settings, *, base: str
) -> list[dict[str, Any]]:
    """The files of a job's newest attempt, at most 200. Raises NotFound."""
    job = jobs.find(job_uuid, by, settings)
    return [
        {
            "name": row.name,
            "size_bytes": row.size,
            "sha256": row.sha256,
            "kind": row.kind,
            "error": row.error,
            "cut": row.cut,
            "url": f"{base}/jobs/{job_uuid}/artifacts/{row.name}",
        }
        for row in fetch(_FILES, _of(job))
    ]


def key_of_file(job_uuid: str, name: str, by: Account, settings: Settings) -> str:
    """The name in the storage of a file of a job's newest attempt. Raises NotFound."""
    job = jobs.find(job_uuid, by, settings)
    name_hash = hashlib.sha256(name.encode()).hexdigest()
    row = fetch_first(
        _FILES.where(JobArtifact.name_hash == bindparam("name_hash")),
        {**_of(job), "name_hash": name_hash},
    )
    if row is None:
        raise NotFound("artifact", name[:200], job_id=job_uuid)
    return job_artifact_key(job_uuid, row.attempt, row.sha256)


def _of(job: Any) -> dict[str, int]:
    return {"job_id": job.id, "attempt": job.attempts}


@functools.cache
def _composed(given: frozenset[str]) -> tuple[Select[Any], Select[Any]]:
    conditions = [CONDITIONS[name] for name in sorted(given)]
    counting = (
        select(func.count())
        .select_from(JobTest)
        .where(JobTest.job_id == _JOB, JobTest.attempt == _ATTEMPT, *conditions)
    )
    return _TESTS.where(*conditions), counting
