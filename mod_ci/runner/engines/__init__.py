"""Engines that run a job's programs in boxes: bubblewrap, podman, docker.

`model` has the interface, `root` the folder that a box sees as `/`, `attended` the bounds
that all engines keep alike, `probe` the proof that an engine is fit.
"""

from pathlib import Path

from mod_ci.runner.engines.bwrap import Bubblewrap
from mod_ci.runner.engines.containers import Containers
from mod_ci.runner.engines.model import Engine, EngineMissing

NAMES = ("bwrap", "podman", "docker")


def make(name: str, work: Path, images: Path | None = None) -> Engine:
    """Make an engine by its name, fit or not."""
    if name != "bwrap":
        return Containers(name, work / "boxes", images)
    return Bubblewrap(work / "boxes", images)


def choose(name: str, work: Path, images: Path | None = None) -> Engine | None:
    """The engine for `auto`, a name, or `off`; None is no engine, thus no jobs.

    work: the runner's work folder, where boxes have their folders. images: a folder of
    unpacked root folders that boxes may name. Each candidate is proved by one real box;
    `auto` is the first that is fit. Raises EngineMissing with the reasons when none is.
    """
    if name == "off":
        return None
    problems = []
    for candidate in NAMES if name == "auto" else (name,):
        engine = make(candidate, work, images)
        problem = engine.probe()
        if problem is None:
            return engine
        problems.append(problem)
    raise EngineMissing("no engine: " + "; ".join(problems))
