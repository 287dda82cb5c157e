"""What a runner is handed with a claim: the run, its tests, and the samples they need."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from database import db
from mod_ci.queue import Claim
from mod_ci.results import without_result
from mod_regression.models import AcceptedVariant, RegressionTest, RegressionTestOutput
from mod_sample.models import Sample
from mod_sample.storage import Repository, UnsafeName, sample_key
from mod_test import run_rows, sets
from mod_test.run_rows import RunRow


def handout(claim: Claim, *, git_base_url: str, main_repository: str, api: str) -> dict[str, Any]:
    """The run, tests and samples of a claim, without the samples' sizes (see `with_sizes`).

    `api` is where the API is reached; sample addresses are below it.
    """
    run = run_rows.find(claim.run_id)
    if run is None:
        raise LookupError(f"run {claim.run_id} was claimed and is not valid")
    wanted = without_result(claim.run_id, sets.regression_ids(run))
    tests = db.session.scalars(
        select(RegressionTest).where(RegressionTest.id.in_(wanted)).order_by(RegressionTest.id)
    ).all()
    outputs = _outputs(wanted)
    samples = db.session.scalars(
        select(Sample)
        .where(Sample.id.in_({test.sample_id for test in tests if test.sample_id}))
        .order_by(Sample.id)
    ).all()
    return {
        "run": _run(run, git_base_url, main_repository),
        "tests": [_test(test, outputs.get(test.id, [])) for test in tests if test.sample_id],
        "samples": [
            {
                "sample_id": sample.id,
                "sha256": sample.sha,
                "extension": sample.extension,
                "name": sample.original_name,
                "size_bytes": None,
                "url": f"{api}/attempts/{claim.attempt_id}/samples/{sample.id}",
            }
            for sample in samples
        ],
    }


def with_sizes(samples: Sequence[dict[str, Any]], repository: Repository) -> None:
    """Fill in each sample's size in bytes; null where the file is in no storage."""
    keys = {}
    for sample in samples:
        try:
            keys[sample["sample_id"]] = sample_key(sample["sha256"] or "", sample["extension"])
        except UnsafeName:
            continue
    found = repository.locate(keys.values())
    for sample in samples:
        key = keys.get(sample["sample_id"])
        sample["size_bytes"] = found[key].size if key else None


def key_of_sample(sample_id: int) -> str | None:
    """The name of a sample's file; None when there is no such sample, or none that can be named."""
    sample = db.session.get(Sample, sample_id)
    if sample is None:
        return None
    try:
        return sample_key(sample.sha or "", sample.extension)
    except UnsafeName:
        return None


def _run(run: RunRow, git_base_url: str, main_repository: str) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "platform": run.platform,
        "test_type": run.test_type.value if run.test_type else "commit",
        "repository": run.repository,
        "clone_url": f"{git_base_url}/{run.repository}.git",
        "main_clone_url": f"{git_base_url}/{main_repository}.git",
        "branch": run.branch,
        "commit_sha": run.commit_sha,
        "pull_request": run.pull_request,
    }


def _test(test: RegressionTest, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "regression_id": test.id,
        "sample_id": test.sample_id,
        "command": test.command,
        "input_type": test.input_type.value if test.input_type else "file",
        "output_type": test.output_type.value if test.output_type else "file",
        "expected_exit_code": test.expected_rc or 0,
        "outputs": outputs,
    }


def _outputs(regression_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    variants: dict[int, list[str]] = {}
    rows = db.session.execute(
        select(AcceptedVariant.regression_test_output_id, AcceptedVariant.file_hashes)
        .join(
            RegressionTestOutput,
            RegressionTestOutput.id == AcceptedVariant.regression_test_output_id,
        )
        .where(RegressionTestOutput.regression_id.in_(regression_ids))
    ).tuples()
    for output_id, accepted in rows:
        if output_id is not None and accepted:
            variants.setdefault(output_id, []).append(accepted)
    found: dict[int, list[dict[str, Any]]] = {}
    outputs = db.session.scalars(
        select(RegressionTestOutput)
        .where(RegressionTestOutput.regression_id.in_(regression_ids), RegressionTestOutput.id > 0)
        .order_by(RegressionTestOutput.id)
    )
    for output in outputs:
        if output.regression_id is None:
            continue
        accepted_hashes = [output.correct] if output.correct else []
        found.setdefault(output.regression_id, []).append(
            {
                "output_id": output.id,
                "filename": output.expected_filename or f"output{output.correct_extension}",
                "extension": output.correct_extension,
                "expected_hash": output.correct or None,
                "accepted_hashes": accepted_hashes + variants.get(output.id, []),
                "ignore": bool(output.ignore),
            }
        )
    return found
