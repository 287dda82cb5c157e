"""What a run executes: its environment and its matrix of regression tests."""

from typing import Any

from mod_api.services.environments import environment
from mod_api.services.runs import get_row
from mod_test import catalogue, sets

MOST = 500


def config(run_id: int) -> dict[str, Any]:
    """The configuration of a run. Raises NotFound.

    `command_defaults` are the options that every command of the matrix has in common.
    """
    run = get_row(run_id)
    definitions = catalogue.definitions(sets.regression_ids(run))
    tests = [definitions[regression_id] for regression_id in sorted(definitions)[:MOST]]
    return {
        "run_id": run_id,
        "environment": environment(run.platform),
        "matrix": [
            {
                "regression_id": test.regression_id,
                "sample_id": test.sample_id,
                "command": test.command,
                "input_type": test.input_type,
                "output_type": test.output_type,
                "platform": run.platform,
            }
            for test in tests
        ],
        "regression_test_ids": [test.regression_id for test in tests],
        "command_defaults": _shared_options([test.command for test in tests]),
    }


def _shared_options(commands: list[str]) -> list[str]:
    if not commands:
        return []
    shared = set(commands[0].split()).intersection(*(command.split() for command in commands))
    return [option for option in dict.fromkeys(commands[0].split()) if option in shared][:50]
