"""The command line of a regression test."""

import shlex
from pathlib import Path

from mod_ci.runner.claim import RegressionTest, Sample
from mod_ci.runner.text import UNSAFE

# Output types that are files: the program derives further names from the one that it is given.
TO_FILES = frozenset({"file", "cea708", "multiprogram"})
# By output type: what is put behind the test's own arguments, `{}` the name of the output.
FOR_OUTPUT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(sorted(TO_FILES), ("-o", "{}")),
    "stdout": ("-stdout",),
    "null": ("-out=null",),
    "report": ("-out=report",),
}
CAPTURED = frozenset({"stdout", "report"})
LONGEST_NAME = 150


class Unsupported(Exception):
    """The test cannot be put into a command line; says why."""


def arguments(test: RegressionTest, sample: Sample) -> list[str]:
    """What follows the extractor's path; all paths are relative to the test's folder.

    Relative, because a tool may print the paths it was given, and its output must be the
    same in every run. Raises Unsupported.
    """
    try:
        own = shlex.split(test.command)
    except ValueError as error:
        raise Unsupported(f"The command cannot be split into arguments: {error}") from error
    if any("\0" in argument for argument in own):
        raise Unsupported("The command contains a NUL character")
    if test.output_type not in FOR_OUTPUT:
        raise Unsupported(f"This runner has no output type {test.output_type}")
    if test.input_type not in ("file", "stdin"):
        raise Unsupported(f"This runner has no input type {test.input_type}")
    name = output_name(test) if test.output_type in TO_FILES else ""
    output = [part.replace("{}", name) for part in FOR_OUTPUT[test.output_type]]
    source = "-" if test.input_type == "stdin" else str(Path("input", sample_name(sample)))
    return [*own, *output, source]


def output_name(test: RegressionTest) -> str:
    """The name that the program is told to write to; raises Unsupported.

    It must be one file in the test's folder, and no option.
    """
    name = test.output_filename
    if name is None:
        name = f"output{test.outputs[0].extension if test.outputs else ''}"
    if name in ("", ".", "..") or not is_one(name) or name.startswith("-"):
        raise Unsupported(f"The output's name is not one: {name!r}")
    return name


def is_one(name: str) -> bool:
    """Return whether a name is that of one file in a folder."""
    return not set(name) & {"/", "\\", "\0"} and len(name.encode("utf-8", "replace")) <= 255


def sample_name(sample: Sample) -> str:
    """The sample's own name as far as a file can have it, always with its extension."""
    name = UNSAFE.sub("_", sample.name).replace("/", "_").replace("\\", "_").lstrip(".")
    ending = UNSAFE.sub("_", sample.extension).replace("/", "_")[:20]
    ending = f".{ending}" if ending else ""
    stem = name.removesuffix(ending) or "sample"
    while len(stem.encode()) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending
