"""The files of a run: which there should be, where they are, and how to fetch them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mod_api.services.outputs.downloads import Download, FileAccess, file_url, own_url
from mod_api.services.outputs.file_names import (
    content_type_of,
    filename_of,
    hash_of,
    media_key,
    output_key,
    shortened,
)
from mod_api.services.paging import Page, page
from mod_api.services.runs.runs import get_row
from mod_sample.storage import ArtifactKind, Located, StorageStatus, artifact_key, log_key
from mod_test import artifacts
from mod_test.artifacts import ArtifactRow, ArtifactType, RunFile
from mod_test.rollup.settle import settled_reading
from mod_test.run_rows import RunRow

STORED_AS = {
    RunFile.combined_output: ArtifactKind.COMBINED_STDOUT,
    RunFile.binary: ArtifactKind.BINARY,
    RunFile.core_dump: ArtifactKind.COREDUMP,
}
NAMES = {
    RunFile.log: "log.txt",
    RunFile.combined_output: "combined_stdout.log",
    RunFile.core_dump: "coredump.bin",
}
BINARIES = {"linux": "ccextractor.bin", "windows": "ccextractorwinfull.exe"}
NOWHERE = Located(StorageStatus.MISSING, None, (), known=True, etag=None)


@dataclass(slots=True)
class Artifact:
    """A file that should be there; of a difference, the two files that it is made of."""

    artifact_id: str
    type: ArtifactType
    filename: str
    keys: tuple[str | None, ...]
    sample_id: int | None = None
    regression_id: int | None = None
    output_id: int | None = None
    sha256: str | None = None


def list_artifacts(
    run_id: int,
    *,
    type: str | None,
    limit: int,
    offset: int,
    shelf: FileAccess,
    with_logs: bool,
) -> Page[dict[str, Any]]:
    """One page of a run's files, looked up side by side within a second and a half.

    Of the run itself: what should be there, and whatever else is. `with_logs`: the caller may read
    logs, so a build log is listed with its `download_url`. Raises NotFound.
    """
    types = [ArtifactType(type)] if type else list(ArtifactType)
    with settled_reading():
        run = get_row(run_id)
        results = artifacts.results_of(run)
        files = artifacts.files_of_run(run, results)
        of_run = [file for file in RunFile if file.type in types]
        # How many files of the run come before these rows is known once the storage has answered.
        first = max(0, offset - len(of_run))
        rows, of_rows = artifacts.rows_of_run(
            results, types, limit=offset + limit - first, offset=first
        )
    candidates = [_of_run(run, file) for file in of_run]
    others = [_of_row(run, row) for row in rows]
    where = shelf.repository.locate(
        key for artifact in (*candidates, *others) for key in artifact.keys if key
    )
    found = [
        artifact
        for file, artifact in zip(of_run, candidates, strict=True)
        if file in files or any(where[key].backends for key in artifact.keys if key)
    ]
    total = len(found) + of_rows
    behind = max(0, offset - len(found)) - first
    page_of = [*found[offset:], *others[behind:]][:limit]
    shown = _shown(run_id, page_of, where, shelf)
    if not with_logs:
        for file in shown:
            if file["type"] is ArtifactType.build_log:
                file["download_url"] = None
    return page(shown, total=total, limit=limit, offset=offset)


def _shown(
    run_id: int, found: Sequence[Artifact], where: Mapping[str, Located], shelf: FileAccess
) -> list[dict[str, Any]]:
    return [
        {
            "artifact_id": artifact.artifact_id,
            "run_id": run_id,
            "sample_id": artifact.sample_id,
            "regression_id": artifact.regression_id,
            "output_id": artifact.output_id,
            "type": artifact.type,
            "filename": artifact.filename,
            "content_type": content_type_of(artifact.filename),
            "sha256": artifact.sha256,
            **_storage(artifact, [where[key] if key else NOWHERE for key in artifact.keys], shelf),
        }
        for artifact in found
    ]


def _storage(artifact: Artifact, where: Sequence[Located], shelf: FileAccess) -> dict[str, Any]:
    """Return where an artifact is; a difference is where both of its files are.

    Without an address it is missing, or nobody can tell: then it reads `degraded`.
    """
    if not all(each.backends for each in where):
        is_missing = any(each.storage_status is StorageStatus.MISSING for each in where)
        status = StorageStatus.MISSING if is_missing else StorageStatus.DEGRADED
        return {"storage_status": status.value, "size_bytes": None, "download_url": None}
    whole = all(each.storage_status is StorageStatus.OK for each in where)
    status = StorageStatus.OK if whole else StorageStatus.DEGRADED
    key, *others = artifact.keys
    if others and key:
        url: str | None = own_url(shelf, Download(key, artifact.filename, others[0]))
        return {"storage_status": status.value, "size_bytes": None, "download_url": url}
    url = file_url(shelf, key, where[0], artifact.filename)
    return {"storage_status": status.value, "size_bytes": where[0].size, "download_url": url}


def _of_run(run: RunRow, file: RunFile) -> Artifact:
    if file is RunFile.log:
        key = log_key(run.run_id)
    else:
        key = artifact_key(run.run_id, STORED_AS[file], run.platform.value)
    name = BINARIES[run.platform.value] if file is RunFile.binary else NAMES[file]
    return Artifact(f"{run.run_id}-{file.value}", file.type, f"run-{run.run_id}-{name}", (key,))


def _of_row(run: RunRow, row: ArtifactRow) -> Artifact:
    if row.type is ArtifactType.media_info:
        return Artifact(
            f"{run.run_id}-media-info-{row.sample_id}",
            row.type,
            f"sample-{row.sample_id}.xml",
            (media_key(row.sample_sha),),
            sample_id=row.sample_id,
        )
    name = filename_of(row.expected_filename, row.extension)
    expected = output_key(row.expected_hash, row.extension)
    actual = output_key(row.actual_hash, row.extension)
    keys, filename, content = {
        ArtifactType.expected_output: ((expected,), f"expected-{name}", row.expected_hash),
        ArtifactType.sample_output: ((actual,), name, row.actual_hash),
        ArtifactType.diff: ((expected, actual), f"{name}.diff", None),
    }[row.type]
    return Artifact(
        f"{run.run_id}-{row.type.value.replace('_', '-')}-{row.output_id}",
        row.type,
        shortened(filename),
        keys,
        sample_id=row.sample_id,
        regression_id=row.regression_id,
        output_id=row.output_id,
        sha256=hash_of(content),
    )
