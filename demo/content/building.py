"""Making the demo, whole or not at all."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import changes, manifest, repository, samples
from .catalogue import PLANS, Output, Plan
from .execution import executable, execute
from .model import Demo, DemoOutput, DemoSample, DemoTest

BASELINES = "baselines"
PARTS = frozenset({"git", "samples", BASELINES, manifest.NAME})


def build(folder: Path) -> Demo:
    """Make the demo in the folder, or read the one that is there.

    A demo that lacks a file, or has one with other contents, is made anew, in a folder beside it
    that then takes its place: nobody ever sees half of it. Raises FileExistsError when the folder
    holds something that is no part of a demo, and what `samples.make` and `repository.make` raise.
    """
    folder = folder.resolve()
    if found := manifest.read(folder):
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder.parent):
        # Whoever waited here for another builder finds what that one made.
        return manifest.read(folder) or _replace(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process builds in this folder; the lock ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(folder: Path) -> Demo:
    _refuse_foreign_files(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as workshop:
        made = Path(workshop) / "made"
        made.mkdir()
        manifest.write(made, _make(made))
        if folder.exists():
            folder.rename(Path(workshop) / "replaced")
        made.rename(folder)
    demo = manifest.read(folder)
    if demo is None:
        raise OSError(f"{folder} was changed while the demo was being made")
    return demo


def _refuse_foreign_files(folder: Path) -> None:
    if not folder.exists():
        return
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in PARTS)
    if foreign:
        raise FileExistsError(f"{folder} holds {foreign[0]}, which is no part of a demo")


def _make(folder: Path) -> Demo:
    for part in ("samples", BASELINES):
        (folder / part).mkdir()
    path = folder / "git" / repository.NAME
    path.parent.mkdir(parents=True)
    commits = repository.make(path)
    media = samples.make(folder / "samples")
    return Demo(
        repository=path,
        good_commit=commits.good,
        regressed_commit=commits.regressed,
        conflicting_commit=commits.conflicting,
        merging_commit=commits.merging,
        conflicting_pull=repository.CONFLICTING_PULL,
        merging_pull=repository.MERGING_PULL,
        samples=media,
        tests=_tests(folder, media),
    )


def _tests(folder: Path, media: tuple[DemoSample, ...]) -> tuple[DemoTest, ...]:
    """The tests, with what the good commit makes of them as their baselines."""
    files = {sample.name: sample.path for sample in media}
    with tempfile.TemporaryDirectory() as workshop:
        extractor = executable(changes.good(), Path(workshop) / "good")
        tests = []
        for number, plan in enumerate(PLANS):
            directory = Path(workshop) / str(number)
            directory.mkdir()
            tests.append(_test(plan, extractor, files[plan.sample], directory, folder / BASELINES))
    return tuple(tests)


def _test(plan: Plan, extractor: Path, media: Path, directory: Path, baselines: Path) -> DemoTest:
    """The test of a plan. Raises RuntimeError when the good commit does not do as planned."""
    done = execute(extractor, plan, media, directory)
    planned = {output.filename for output in plan.outputs if output.written}
    if (done.exit_code, set(done.outputs)) != (plan.expected_exit_code, planned):
        raise RuntimeError(
            f"{plan.command!r} on {plan.sample} ended with {done.exit_code} and {done.outputs}"
        )
    outputs = tuple(
        _output(output, done.outputs.get(output.filename, b""), baselines)
        for output in plan.outputs
    )
    return DemoTest(
        sample=plan.sample,
        command=plan.command,
        description=plan.description,
        categories=plan.categories,
        input_type=plan.input_type,
        output_type=plan.output_type,
        expected_exit_code=plan.expected_exit_code,
        outputs=outputs,
    )


def _output(output: Output, content: bytes, baselines: Path) -> DemoOutput:
    extension = output.extension
    accepted = [content.replace(b"\r\n", b"\n")] if output.any_line_ending else []
    return DemoOutput(
        suffix=output.suffix,
        extension=extension,
        expected=_kept(content, extension, baselines),
        ignore=output.ignore,
        variants=tuple(_kept(variant, extension, baselines) for variant in accepted),
    )


def _kept(content: bytes, extension: str, baselines: Path) -> Path:
    path = baselines / (hashlib.sha256(content).hexdigest() + extension)
    path.write_bytes(content)
    return path
