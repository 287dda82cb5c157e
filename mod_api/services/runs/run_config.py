"""The configuration of a run: its environment and its matrix of regression tests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from mod_api.services.runs.runs import get_row
from mod_api.services.system.environments import environment
from mod_test import catalogue, sets
from mod_test.models import Platform

MOST = 500


def config(run_id: int) -> dict[str, Any]:
    """The configuration of a run. Raises NotFound.

    `command_defaults` are the options that every command of the matrix has in common.
    """
    run = get_row(run_id)
    tests = sets.asked_for(run)
    matrix = catalogue.remembered(
        ("matrix", frozenset(tests), run.platform), lambda: _matrix(tests, run.platform)
    )
    return {
        "run_id": run_id,
        "environment": environment(run.platform),
        "matrix": matrix.as_json,
        "regression_test_ids": matrix.regression_ids,
        "command_defaults": matrix.shared_options,
    }


@dataclass(frozen=True, slots=True)
class Matrix:
    """The tests of a set by id, as they are sent, and the options that all their commands have."""

    as_json: orjson.Fragment
    regression_ids: tuple[int, ...]
    shared_options: tuple[str, ...]


def _matrix(regression_ids: Collection[int], platform: Platform) -> Matrix:
    definitions = catalogue.definitions(regression_ids)
    tests = [test for _, test in sorted(definitions.items())[:MOST]]
    shown = [
        {
            "regression_id": test.regression_id,
            "sample_id": test.sample_id,
            "command": test.command,
            "input_type": test.input_type,
            "output_type": test.output_type,
            "platform": platform,
        }
        for test in tests
    ]
    return Matrix(
        orjson.Fragment(orjson.dumps(shown)),
        tuple(test.regression_id for test in tests),
        _shared_options([test.command for test in tests]),
    )


def _shared_options(commands: Sequence[str]) -> tuple[str, ...]:
    if not commands:
        return ()
    shared = set(commands[0].split()).intersection(*(command.split() for command in commands))
    options = (option for option in dict.fromkeys(commands[0].split()) if option in shared)
    return tuple(islice(options, 50))
