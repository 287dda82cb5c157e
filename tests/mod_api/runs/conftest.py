"""Who asks, and runs of each kind."""

import pytest

from tests import factories
from tests.mod_api.runs.asking import DONE


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", "runs:read")


@pytest.fixture
def tester(site) -> dict[str, str]:
    return factories.signed_in("tester", "runs:write", "runs:read")


@pytest.fixture
def of_each_status(site) -> dict[str, int]:
    """A run of each of the seven statuses."""
    test, other = factories.regression_test(), factories.regression_test()
    made = {
        "queued": factories.run(tests=[test]),
        "running": factories.run(tests=[test], progress=["preparation", "testing"]),
        "canceled": factories.run(tests=[test], progress=["preparation", "canceled"]),
        "error": factories.run(tests=[test], progress=DONE),
        "pass": factories.run(tests=[test], progress=DONE),
        "fail": factories.run(tests=[test], progress=DONE),
        "incomplete": factories.run(tests=[test, other], progress=DONE),
    }
    factories.result(made["pass"], test)
    factories.result(made["fail"], test, exit_code=1)
    factories.result(made["incomplete"], test)
    factories.result(made["running"], test)
    return {status: run.id for status, run in made.items()}
