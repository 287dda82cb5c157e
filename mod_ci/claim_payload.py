"""The payload of a claim: the run, its tests, and the samples they need."""

import functools
from collections.abc import Sequence
from typing import Any

import orjson

from database import db
from mod_ci.queue import Claim
from mod_regression import output_names
from mod_regression.definitions import DefinedOutput, DefinedSample, Definition
from mod_regression.models import InputType, OutputType
from mod_sample.models import Sample
from mod_sample.storage import Repository, UnsafeName, sample_key
from mod_test import catalogue, repositories, sets
from mod_test.models import Platform


def definitions(claim: Claim) -> tuple[Definition, ...]:
    """Return the set's tests without a result, by id. A test without a sample is in no set.

    Call it in the claim's unit of work.
    """
    with catalogue.as_of(claim.definitions):
        wanted = set((sets.active() if claim.recorded is None else claim.recorded) - claim.reported)
        found = catalogue.definitions(wanted)
    return tuple(test for _, test in sorted(found.items()) if test.sample is not None)


def payload(
    claim: Claim,
    definitions: tuple[Definition, ...],
    *,
    git_base_url: str,
    main_repository: str,
    api: str,
) -> dict[str, Any]:
    """Build lease, run, tests and samples of a claim; `with_sizes` adds the samples' sizes.

    Call it once the claim is committed. `api` is where the API is reached; sample addresses are
    below it.
    """
    samples = {test.sample.sample_id: test.sample for test in definitions if test.sample}
    address = f"{api}/attempts/{claim.attempt_id}/samples"
    return {
        "lease_expires_at": claim.lease_expires_at,
        "deadline_at": claim.deadline_at,
        "run": _run(claim.run_id, claim.run, git_base_url, main_repository),
        "tests": _as_json(definitions),
        "samples": [_sample(samples[sample_id], address) for sample_id in sorted(samples)],
    }


def with_sizes(samples: Sequence[dict[str, Any]], repository: Repository) -> None:
    """Fill in each sample's size in bytes; null where no storage says that it has the file.

    A claim is not refused because a storage is silent: the download tells a file that is missing
    (404) from one that nobody can tell of (503).
    """
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


@functools.lru_cache(maxsize=8)
def _as_json(tests: tuple[Definition, ...]) -> orjson.Fragment:
    """Return the tests as JSON; cached, since most claims are for the same hundreds."""
    return orjson.Fragment(orjson.dumps([_test(test) for test in tests]))


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


def _test(test: Definition) -> dict[str, Any]:
    return {
        "regression_id": test.regression_id,
        "sample_id": test.sample_id,
        "command": test.command,
        "input_type": test.input_type or InputType.file,
        "output_type": test.output_type or OutputType.file,
        "expected_exit_code": test.expected_rc or 0,
        "output_filename": output_names.asked_for(test.outputs),
        "outputs": [_output(output) for output in test.outputs],
    }


def _output(output: DefinedOutput) -> dict[str, Any]:
    """An output with all that is accepted for it, its baseline first."""
    correct = output.correct or None
    accepted = output.variants if correct is None else (correct, *output.variants)
    return {
        "output_id": output.output_id,
        "filename": output_names.name_of(output.expected_filename, output.extension),
        "extension": output.extension,
        "expected_hash": correct,
        "accepted_hashes": list(dict.fromkeys(accepted)),
        "ignore": output.ignored,
    }


def _sample(sample: DefinedSample, address: str) -> dict[str, Any]:
    return {
        "sample_id": sample.sample_id,
        "sha256": sample.sha,
        "extension": sample.extension,
        "name": sample.name,
        "size_bytes": None,
        "url": f"{address}/{sample.sample_id}",
    }
