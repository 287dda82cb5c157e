"""What the demo consists of."""

from dataclasses import dataclass
from pathlib import Path

from .catalogue import STEM


@dataclass(frozen=True)
class DemoSample:
    """A media file: `extension` has no dot, `media_info` is what MediaInfo's XML would say."""

    name: str
    path: Path
    sha256: str
    extension: str
    tags: tuple[str, ...]
    media_info: str
    notes: str


@dataclass(frozen=True)
class DemoOutput:
    """A file that a test is expected to produce, and the contents that are accepted for it.

    `suffix` stands between the stem of its name and the `extension`, which holds the dot;
    `expected` and `variants` are files with the contents.
    """

    suffix: str
    extension: str
    expected: Path
    ignore: bool
    variants: tuple[Path, ...]

    @property
    def filename(self) -> str:
        """Its name in the test's directory (of what was printed: a name to show)."""
        return f"{STEM}{self.suffix}{self.extension}"


@dataclass(frozen=True)
class DemoTest:
    """A regression test: a command on the sample named `sample`."""

    sample: str
    command: str
    description: str
    categories: tuple[str, ...]
    input_type: str
    output_type: str
    expected_exit_code: int
    outputs: tuple[DemoOutput, ...]


@dataclass(frozen=True)
class Demo:
    """The whole demo. The commits are those of 40 hex digits in the bare `repository`.

    `master` holds the good commit and after it the regressed one. The other two are branched off
    the good one, and are the heads of the pull requests numbered beside them.
    """

    repository: Path
    good_commit: str
    regressed_commit: str
    conflicting_commit: str
    merging_commit: str
    conflicting_pull: int
    merging_pull: int
    samples: tuple[DemoSample, ...]
    tests: tuple[DemoTest, ...]
