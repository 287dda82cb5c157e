"""The people of a decision."""

from typing import Any

import pytest

from tests.mod_api.baselines.approvals import People


@pytest.fixture
def people(site: Any) -> People:
    return People()
