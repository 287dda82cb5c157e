"""One demo for all tests that only look at it, and what its commits do."""

from pathlib import Path

import pytest

from demo.content import Demo, build, changes
from demo.content.execution import Executed, executable, execute


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, made once; tests do not change it."""
    return build(tmp_path_factory.mktemp("demo") / "demo")


@pytest.fixture(scope="session")
def run_of_good_commit(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> list[Executed]:
    """What the good commit does in each test, in the order of the tests."""
    return run(demo, changes.good(), tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="session")
def run_of_regressed_commit(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> list[Executed]:
    """What the regressed commit does in each test, in the order of the tests."""
    return run(demo, changes.regressed(), tmp_path_factory.mktemp("regressed"))


def run(demo: Demo, tree: changes.Tree, folder: Path) -> list[Executed]:
    """Build the tree and execute every test, each in a directory of its own."""
    extractor = executable(tree, folder / "source")
    media = {sample.name: sample.path for sample in demo.samples}
    executed = []
    for number, test in enumerate(demo.tests):
        directory = folder / str(number)
        directory.mkdir()
        executed.append(execute(extractor, test, media[test.sample], directory))
    return executed
