"""A runner, and the run that it holds."""

import pytest

from tests import factories
from tests.runners import Held, Runner, runner


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "runs:write", "results:read", "system:read")


@pytest.fixture
def ours(client) -> Runner:
    return runner(client)


@pytest.fixture
def test_(site) -> factories.TestRow:
    return factories.regression_test()


@pytest.fixture
def held(ours: Runner, test_: factories.TestRow) -> Held:
    factories.run(tests=[test_])
    return ours.claim()
