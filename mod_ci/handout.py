"""What a runner is handed with a claim: the run, its tests, and the samples they need."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Integer, Select, bindparam, exists, func, select

from database import db, fetch, fetch_values, in_this_order
from mod_ci.models import Attempt
from mod_ci.queue import Claim
from mod_regression.models import (
    AcceptedVariant,
    InputType,
    OutputType,
    RegressionTest,
    RegressionTestOutput,
)
from mod_sample.models import Sample
from mod_sample.storage import Repository, UnsafeName, sample_key
from mod_test import repositories, sets
from mod_test.models import Fork, Platform, Result, Run, RunRecord

INPUT_TYPES = {kind.value for kind in InputType}
OUTPUT_TYPES = {kind.value for kind in OutputType}


def handout(claim: Claim, *, git_base_url: str, main_repository: str, api: str) -> dict[str, Any]:
    """The lease, run, tests and samples of a claim, without the samples' sizes (see `with_sizes`).

    Call it in the claim's unit of work. `api` is where the API is reached; sample addresses are
    below it.
    """
    ids = {"attempt_id": claim.attempt_id, "run_id": claim.run_id}
    (found,) = fetch(_RUN, ids)
    tests_of, outputs_of = _OF_RECORDED if claim.has_recorded_set else _OF_ACTIVE
    tests, samples = _tests_and_samples(_rows(tests_of, claim.run_id))
    _add_outputs(tests, _rows(outputs_of, claim.run_id))
    return {
        "lease_expires_at": found.lease_expires_at,
        "deadline_at": found.deadline_at,
        "run": _run(claim.run_id, found, git_base_url, main_repository),
        "tests": [tests[regression_id] for regression_id in sorted(tests)],
        "samples": [
            {
                **samples[sample_id],
                "size_bytes": None,
                "url": f"{api}/attempts/{claim.attempt_id}/samples/{sample_id}",
            }
            for sample_id in sorted(samples)
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
    sizes = repository.sizes(keys.values())
    for sample in samples:
        key = keys.get(sample["sample_id"])
        sample["size_bytes"] = sizes[key] if key else None


def key_of_sample(sample_id: int) -> str | None:
    """The name of a sample's file; None when there is no such sample, or none that can be named."""
    sample = db.session.get(Sample, sample_id)
    if sample is None:
        return None
    try:
        return sample_key(sample.sha or "", sample.extension)
    except UnsafeName:
        return None


def _rows(statement: Select[Any], run_id: int) -> list[list[Any]]:
    """The rows of a statement whose only column has each of them as a JSON array."""
    texts = fetch_values(statement, {"run_id": run_id})
    rows: list[list[Any]] = orjson.loads(f"[{','.join(texts)}]")
    return rows


def _statements(members: Any) -> tuple[Select[Any], Select[Any]]:
    """The tests in `members.c.regression_id` that have no result, with their samples; and the
    outputs of all of them, with each accepted variant.

    A row is one JSON array: a run has hundreds of tests, and reading as many columns from the
    driver cost more than everything else in a claim. They are not joined to one text: GROUP_CONCAT
    makes a temporary table each time, and has crashed MariaDB 10.11 when that failed.
    """
    run_id = bindparam("run_id", type_=Integer)
    test, output, variant = RegressionTest, RegressionTestOutput, AcceptedVariant
    tests = (
        select(
            func.json_array(
                test.id, test.command, test.input_type, test.output_type, test.expected_rc,
                Sample.id, Sample.sha, Sample.extension, Sample.original_name,
            )
        )
        .select_from(members)
        .join(test, test.id == members.c.regression_id)
        .join(Sample, Sample.id == test.sample_id)
        .where(~exists().where(Result.test_id == run_id, Result.regression_test_id == test.id))
    )  # fmt: skip
    outputs = (
        select(
            func.json_array(
                output.regression_id, output.id, output.correct, output.correct_extension,
                output.expected_filename, output.ignore, variant.file_hashes,
            )
        )
        .select_from(members)
        .join(output, output.regression_id == members.c.regression_id)
        .outerjoin(variant, variant.regression_test_output_id == output.id)
        .where(output.id > 0)
    )  # fmt: skip
    return in_this_order(tests), in_this_order(outputs)


# Composed once: building them costs more than the database needs for them.
_RUN = (
    select(
        Run.platform,
        Run.test_type,
        Run.branch,
        Run.commit,
        Run.pr_nr,
        Fork.github,
        Attempt.deadline_at,
        RunRecord.lease_expires_at,
    )
    .join(Fork, Fork.id == Run.fork_id)
    .join(RunRecord, RunRecord.test_id == Run.id)
    .join(Attempt, Attempt.test_id == Run.id)
    .where(
        Run.id == bindparam("run_id", type_=Integer),
        Attempt.id == bindparam("attempt_id", type_=Integer),
    )
)
_OF_RECORDED = _statements(sets.recorded(bindparam("run_id", type_=Integer)).subquery("members"))
_OF_ACTIVE = _statements(sets.active().subquery("members"))


def _run(run_id: int, run: Any, git_base_url: str, main_repository: str) -> dict[str, Any]:
    repository = repositories.name_of(run.github)
    platform: Platform = run.platform
    return {
        "run_id": run_id,
        "platform": platform.value,
        "test_type": run.test_type.value if run.test_type else "commit",
        "repository": repository,
        "clone_url": f"{git_base_url}/{repository}.git",
        "main_clone_url": f"{git_base_url}/{main_repository}.git",
        "branch": run.branch or None,
        "commit_sha": run.commit.lower(),
        "pull_request": run.pr_nr if run.pr_nr > 0 else None,
    }


def _tests_and_samples(
    rows: Sequence[Any],
) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]]:
    """The tests, and the samples that they need, by their ids."""
    tests: dict[int, dict[str, Any]] = {}
    samples: dict[int, dict[str, Any]] = {}
    for (
        regression_id,
        command,
        input_type,
        output_type,
        code,
        sample_id,
        sha,
        extension,
        name,
    ) in rows:
        tests[regression_id] = {
            "regression_id": regression_id,
            "sample_id": sample_id,
            "command": command,
            "input_type": input_type if input_type in INPUT_TYPES else "file",
            "output_type": output_type if output_type in OUTPUT_TYPES else "file",
            "expected_exit_code": code or 0,
            "outputs": [],
        }
        samples[sample_id] = {
            "sample_id": sample_id,
            "sha256": sha,
            "extension": extension,
            "name": name,
        }
    return tests, samples


def _add_outputs(tests: dict[int, dict[str, Any]], rows: Sequence[Any]) -> None:
    """Give the tests their outputs in order, each with all that is accepted for it."""
    outputs: dict[int, dict[str, Any]] = {}
    for regression_id, output_id, correct, extension, filename, ignore, variant in sorted(
        rows, key=lambda row: row[1]
    ):
        if regression_id not in tests:
            continue
        output = outputs.get(output_id)
        if output is None:
            output = outputs[output_id] = {
                "output_id": output_id,
                "filename": filename or f"output{extension}",
                "extension": extension,
                "expected_hash": correct or None,
                "accepted_hashes": [correct] if correct else [],
                "ignore": bool(ignore),
            }
            tests[regression_id]["outputs"].append(output)
        if variant and variant not in output["accepted_hashes"]:
            output["accepted_hashes"].append(variant)
