"""What a run executes: its environment and its matrix of regression tests."""

import functools
from itertools import islice
from typing import Any

from mod_api.services.environments import environment
from mod_api.services.runs import get_row
from mod_test import catalogue, sets
from mod_test.run_rows import RunRow

MOST = 500


def config(run_id: int) -> dict[str, Any]:
    """The configuration of a run. Raises NotFound.

    `command_defaults` are the options that every command of the matrix has in common.
    """
    run = get_row(run_id)
    if sets.are_kept([run]):
        key = "matrix", run.set_id, run.platform
        matrix = catalogue.remembered(key, lambda: _matrix(run))
    else:
        matrix = _matrix(run)
    return {
        "run_id": run_id,
        "environment": environment(run.platform),
        "matrix": matrix,
        "regression_test_ids": [test["regression_id"] for test in matrix],
        "command_defaults": _shared_options(tuple(test["command"] for test in matrix)),
    }


def _matrix(run: RunRow) -> tuple[dict[str, Any], ...]:
    """What is shown of each test of the run's set, by id."""
    definitions = catalogue.definitions(sets.regression_ids(run))
    return tuple(
        {
            "regression_id": test.regression_id,
            "sample_id": test.sample_id,
            "command": test.command,
            "input_type": test.input_type,
            "output_type": test.output_type,
            "platform": run.platform,
        }
        for _, test in sorted(definitions.items())[:MOST]
    )


@functools.lru_cache(maxsize=64)
def _shared_options(commands: tuple[str, ...]) -> tuple[str, ...]:
    if not commands:
        return ()
    shared = set(commands[0].split()).intersection(*(command.split() for command in commands))
    options = (option for option in dict.fromkeys(commands[0].split()) if option in shared)
    return tuple(islice(options, 50))
