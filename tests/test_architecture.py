"""Who may import whom, where import-linter cannot look: single files, and names of Flask."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {path.name for path in ROOT.glob("mod_*")} | {"bench", "database", "demo", "server"}
MAY_IMPORT = {
    "errors.py": set(),
    "config.py": set(),
    "database": {"database", "metrics"},
    "metrics.py": {"metrics_files"},
    "metrics_files.py": set(),
    "json_log.py": set(),
}
OF_A_REQUEST = {"request", "g", "session", "after_this_request"}
KNOW_NO_REQUEST = (
    "mod_api/services", "mod_ci", "mod_outbox", "mod_test", "mod_regression", "mod_sample",
)  # fmt: skip


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Every (module, name) that a file imports, wherever in it; `import x` is (x, "")."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_the_foundation_imports_nothing_above_it(name: str) -> None:
    ours = MODULES | {path.stem for path in ROOT.glob("*.py")}

    place = ROOT / name
    files = list(place.rglob("*.py")) if place.is_dir() else [place]

    found = {module.partition(".")[0] for file in files for module, _ in imports(file)} & ours

    assert files
    assert found <= MAY_IMPORT[name]


@pytest.mark.parametrize("folder", KNOW_NO_REQUEST)
def test_services_and_models_know_no_request(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    found = [
        (str(file.relative_to(ROOT)), module, name)
        for file in files
        for module, name in imports(file)
        if (module == "flask" and name in ({""} | OF_A_REQUEST)) or module == "flask.globals"
    ]

    assert files
    assert found == []


# Time is the subject of these. Everything else observes what it waits for (tests/patience.py): a
# test that waits for a number of seconds fails on a machine that has much else to do.
MAY_LOOK_AT_THE_CLOCK = {
    "tests/patience.py": "waits for what can be observed, with an end",
    "tests/mod_api/test_limits.py": "a client waits as long as `Retry-After` tells it",
    "tests/mod_api/streaming/test_cut_off.py": "a log grows while it is followed",
    "tests/mod_test/rollup/foreign.py": "a program holds its transaction open for a while",
    "tests/mod_test/rollup/test_freshness.py": "goes on for as long as FRESHNESS_SECONDS says",
    "tests/mod_api/test_metrics.py": "a question that must not be asked cannot be waited for",
    "tests/mod_sample/storage/test_gcs.py": "a clock that has moved on",
}
CLOCKS = {"sleep", "monotonic", "perf_counter", "process_time"}


def test_tests_neither_sleep_nor_measure_seconds() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    looking = {
        str(file.relative_to(ROOT))
        for file in files
        for module, name in uses(file)
        if module in ("time", "asyncio") and name in CLOCKS
    }

    assert looking == set(MAY_LOOK_AT_THE_CLOCK)


def uses(file: Path) -> Iterator[tuple[str, str]]:
    """Every `from module import name` and `module.name` of a file."""
    yield from imports(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr
