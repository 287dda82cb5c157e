"""What tests of what is kept and remembered share."""

from collections.abc import Callable

import pytest
from flask import Flask

from mod_test.rollup.settle import settle_marks


@pytest.fixture
def settled(app: Flask) -> Callable[[], None]:
    """Settles every mark, as a process does once an answer is sent."""

    def settle() -> None:
        with app.app_context():
            settle_marks()

    return settle
