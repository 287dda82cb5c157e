"""What a job is to do: its submission first, then the project's `ci.toml`, then the defaults."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mod_ci.runner.claim import AskedJob
from mod_ci.runner.engines.model import Bounds
from mod_ci.runner.files import open_regular
from mod_ci.runner.limits import MIB

FILE = "ci.toml"
LARGEST_FILE = 64 * 1024
DEFAULT_TIME_S = 600
DEFAULT_MEMORY_MIB = 1024
PROCESSES = 256
OUTPUT_BYTES = 64 * MIB
DISK_BYTES = 2048 * MIB
CPUS = 1
DEFAULT = ("python", "-m", "pytest", "-v")
TESTS = ("test_*.py", "*_test.py")
KNOWN = {
    "command", "image", "network", "timeout_s", "memory_mib", "cpus", "artifacts", "environment",
}  # fmt: skip


class BadPlan(Exception):
    """The project's `ci.toml` cannot be used; says why."""


class NoTests(Exception):
    """The project names no command, and has no tests for the default one."""


@dataclass(frozen=True)
class Plan:
    """What is executed. `reports`: the default command, whose own report must be whole."""

    command: tuple[str, ...]
    bounds: Bounds
    installs: bool
    artifacts: tuple[str, ...]
    environment: Mapping[str, str]
    image: str | None
    reports: bool


def read(project: Path, asked: AskedJob) -> Plan:
    """The plan of an unpacked project. Raises BadPlan, NoTests."""
    told = {**_file(project), **{k: v for k, v in asked.spec.items() if v is not None}}
    command = told.get("command")
    if command is None and not has_tests(project):
        raise NoTests
    memory = min(int(told.get("memory_mib", DEFAULT_MEMORY_MIB)) * MIB, asked.memory_bytes)
    return Plan(
        command=tuple(command or DEFAULT),
        bounds=Bounds(
            time_s=min(float(told.get("timeout_s", DEFAULT_TIME_S)), asked.time_s),
            memory_bytes=memory,
            cpus=min(int(told.get("cpus", CPUS)), os.cpu_count() or 1),
            processes=PROCESSES,
            output_bytes=OUTPUT_BYTES,
            disk_bytes=DISK_BYTES,
        ),
        installs=told.get("network") != "none",
        artifacts=tuple(told.get("artifacts", ())),
        environment=told.get("environment", {}),
        image=told.get("image"),
        reports=command is None,
    )


def has_tests(project: Path) -> bool:
    """Return whether there is a file that pytest would collect, without following links."""
    for _, folders, names in os.walk(project):
        folders[:] = [one for one in folders if not one.startswith(".") and one != "node_modules"]
        if any(Path(name).match(pattern) for name in names for pattern in TESTS):
            return True
    return False


def _file(project: Path) -> dict[str, Any]:
    file = open_regular(project / FILE)
    if file is None:
        return {}
    with file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise BadPlan(f"{FILE} has more than {LARGEST_FILE} bytes.")
    try:
        told = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BadPlan(f"{FILE} cannot be read: {error}") from None
    unknown = sorted(set(told) - KNOWN)
    if unknown:
        raise BadPlan(f"{FILE} has the unknown setting {unknown[0]!r}.")
    for name, value in told.items():
        _check(name, value)
    return told


def _check(name: str, value: Any) -> None:
    is_words = isinstance(value, list) and all(isinstance(word, str) for word in value)
    good = {
        "command": is_words and bool(value),
        "artifacts": is_words and len(value) <= 20,
        "environment": isinstance(value, dict)
        and all(isinstance(one, str) for one in value.values()),
        "image": isinstance(value, str),
        "network": value in ("none", "install"),
    }
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if not good.get(name, is_number):
        raise BadPlan(f"{FILE}: {name} cannot be {value!r}.")


def words(command: Sequence[str]) -> str:
    """A command as it is shown in the log."""
    return " ".join(word if word and " " not in word else repr(word) for word in command)
