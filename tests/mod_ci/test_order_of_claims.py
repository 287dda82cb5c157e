"""Whatever others do to runs, a claim takes the run that the whole condition names as the oldest.

A claim looks at records and at marks of what was undone (`OLDEST_CANDIDATES`); what waits is
decided by progress and leases (`oldest_waiting`). Random histories hold the two against each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from database import reading
from mod_ci import open_runs, queue
from mod_test.models import Platform
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.conftest import Site
from tests.raw import Raw
from tests.runners import Held, Runner, lose_lease, runner

pytestmark = pytest.mark.slow


@dataclass
class World:
    """The runs of an example, and the runners that hold some of them."""

    site: Site
    raw: Raw
    ours: Runner
    runs: list[int] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)

    def run(self, number: int) -> int:
        return self.runs[number % len(self.runs)]

    def undo(self, statement: str, number: int) -> None:
        """Something that another program does to a run; NEWEST is the id of its last progress."""
        # MariaDB reads what it changes by way of a derived table only.
        newest = "(SELECT * FROM (SELECT max(id) FROM test_progress WHERE test_id = ?) AS newest)"
        self.raw.execute(statement.replace("NEWEST", newest), [self.run(number)])


def come(world: World, number: int) -> None:
    world.runs.append(factories.run().id)


def take(world: World, number: int) -> None:
    """The claim that everything is about."""
    with world.site.app.app_context(), reading():
        expected = open_runs.oldest_waiting(Platform.linux, most=1)
    response = world.ours.ask()
    if not expected:
        assert response.status_code == 204
        return
    # A run that has lost its third attempt is ended instead, and the claim goes on to the next.
    ended = world.raw.execute(
        "SELECT 1 FROM test_progress WHERE test_id = ? AND message LIKE 'The runner stopped%'",
        expected,
    )
    if ended and response.status_code == 204:
        return
    claim = Held(world.ours.client, response.json)
    assert (claim.run_id == expected[0]) is not bool(ended)
    world.held.append(claim)


def answered(response: TestResponse) -> None:
    """The call was taken, or refused since its run has ended or its lease was lost."""
    assert response.status_code in (200, 409), response.data


def finish(world: World, number: int) -> None:
    if world.held:
        answered(world.held[number % len(world.held)].finish())


def give_back(world: World, number: int) -> None:
    if world.held:
        answered(world.held[number % len(world.held)].finish("runner_shutdown"))


def go_on(world: World, number: int) -> None:
    if world.held:
        answered(world.held[number % len(world.held)].heartbeat(stage="test"))


def lose(world: World, number: int) -> None:
    lose_lease(world.raw, world.run(number))


def tidy(world: World, number: int) -> None:
    with world.site.app.app_context():
        queue.expire()


def settle(world: World, number: int) -> None:
    with world.site.app.app_context():
        settle_marks()


def foreign(statement: str) -> Callable[[World, int], None]:
    def does(world: World, number: int) -> None:
        world.undo(statement, number)

    does.__name__ = statement
    return does


STEPS = [
    come,
    take,
    take,
    finish,
    give_back,
    go_on,
    lose,
    tidy,
    settle,
    foreign("DELETE FROM test_progress WHERE test_id = ?"),
    foreign("DELETE FROM test_progress WHERE id = NEWEST"),
    foreign("UPDATE test_progress SET status = 'testing' WHERE id = NEWEST"),
    foreign("UPDATE test_progress SET status = 'completed' WHERE id = NEWEST"),
    foreign(
        "INSERT INTO test_progress (test_id, status, timestamp, message) "
        "SELECT id, 'testing', '2020-01-01', '' FROM test WHERE id = ?"
    ),
    foreign(
        "INSERT INTO gcp_instance (name, test_id, timestamp) SELECT 'vm', id, '2020-01-01' "
        "FROM test WHERE id = ? AND NOT EXISTS (SELECT 1 FROM gcp_instance)"
    ),
    foreign("DELETE FROM gcp_instance WHERE test_id = ?"),
    foreign("UPDATE test SET `commit` = 'none' WHERE id = ?"),
    foreign(f"UPDATE test SET `commit` = '{'a' * 40}' WHERE id = ?"),
]


def example(site: Site, raw: Raw, steps: list[tuple[Callable[[World, int], None], int]]) -> None:
    site.empty()
    world = World(site, raw, runner(site.app.test_client()))
    for _ in range(3):
        come(world, 0)
    for step, number in steps:
        step(world, number)
    take(world, 0)
    settle(world, 0)
    take(world, 0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(min_value=0, max_value=3)), max_size=14
    )
)
def test_a_claim_takes_what_the_whole_condition_names(app, site, raw, steps) -> None:
    example(site, raw, steps)
