"""What a run executes: its environment and its matrix of regression tests."""

from typing import Any

from sqlalchemy import Select, SelectBase, bindparam, select

from database import fetch
from mod_api.services.environments import environment
from mod_api.services.runs import get_row
from mod_regression.models import RegressionTest
from mod_test import sets

MOST = 500


def _matrix(members: SelectBase) -> Select[Any]:
    of_set = members.subquery("members")
    return (
        select(
            RegressionTest.id,
            RegressionTest.sample_id,
            RegressionTest.command,
            RegressionTest.input_type,
            RegressionTest.output_type,
        )
        .join(of_set, of_set.c.regression_id == RegressionTest.id)
        .order_by(RegressionTest.id)
        .limit(MOST)
    )


# Composed once: composing them costs more than the database needs for them.
IDS: Any = bindparam("ids", expanding=True)
KEPT = _matrix(sets.kept_members_of(IDS))
DERIVED = _matrix(sets.members_of(IDS, bindparam("live", expanding=True)))


def config(run_id: int) -> dict[str, Any]:
    """The configuration of a run. Raises NotFound.

    `command_defaults` are the options that every command of the matrix has in common.
    """
    run = get_row(run_id)
    tests = fetch(KEPT if sets.are_kept([run]) else DERIVED, sets.ids_of([run]))
    return {
        "run_id": run_id,
        "environment": environment(run.platform),
        "matrix": [
            {
                "regression_id": regression_id,
                "sample_id": sample_id,
                "command": command,
                "input_type": input_type,
                "output_type": output_type,
                "platform": run.platform,
            }
            for regression_id, sample_id, command, input_type, output_type in tests
        ],
        "regression_test_ids": [test.id for test in tests],
        "command_defaults": _shared_options([test.command for test in tests]),
    }


def _shared_options(commands: list[str]) -> list[str]:
    if not commands:
        return []
    shared = set(commands[0].split()).intersection(*(command.split() for command in commands))
    return [option for option in dict.fromkeys(commands[0].split()) if option in shared][:50]
