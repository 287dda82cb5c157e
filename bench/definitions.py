"""What runs are made of: accounts, samples, regression tests and their outputs."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import count

from bench.contents import hash_of, media
from bench.sizes import Size
from mod_auth.models import Role
from mod_auth.scopes import Scope

SAMPLES = 60
INACTIVE_TESTS = 5
FORKS = 10
BRANCHES = 200
CATEGORIES = ("Broken", "CEA-708", "DVB", "DVD", "General", "Hauppage", "Options", "Teletext")
TAGS = ("atsc", "cea-608", "cea-708", "dvb", "dvd", "hauppauge", "long", "short", "xds", "teletext")
VARIANTS = (101, 102)  # which changes of an output's captions are accepted besides its baseline
DIFFERENCES = 6  # which are not: 1 to 6
APPROVALS = 120
SENTINEL = -1
ALWAYS_FAILING = 7  # the regression test that fails in so many runs, the first of sample 7
PASSWORD = "!"  # noqa: S105  of no use: nobody signs in by password here
MADE = datetime(2026, 6, 1, tzinfo=UTC)
Row = tuple[object, ...]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Output:
    """An expected output; `correct` is the hash of its baseline."""

    id: int
    correct: str
    ignored: bool
    has_variants: bool


@dataclass(frozen=True)
class Test:
    """A regression test; `base_ms` is about what it takes, in milliseconds."""

    id: int
    sample_id: int
    expected_rc: int
    base_ms: int
    outputs: tuple[Output, ...]

    __test__ = False  # not a test class, whatever its name


@dataclass(frozen=True)
class Definitions:
    """The tests of every run, in the order of their ids."""

    size: Size

    @cached_property
    def tests(self) -> tuple[Test, ...]:
        output_ids = count(1)
        return tuple(
            Test(
                id=number,
                sample_id=(number - 1) % SAMPLES + 1,
                expected_rc=10 if number % 40 == 0 else 0,
                base_ms=200 + number * 37 % 3000,
                outputs=tuple(
                    _output(next(output_ids)) for _ in range(2 if number % 5 == 0 else 1)
                ),
            )
            for number in range(1, self.size.tests + INACTIVE_TESTS + 1)
        )

    @property
    def active(self) -> tuple[Test, ...]:
        return self.tests[: self.size.tests]


def _output(number: int) -> Output:
    return Output(number, hash_of(number), number % 20 == 0, number % 10 == 3)


def moment(of: datetime) -> str:
    """A moment as both databases read it."""
    return of.strftime("%Y-%m-%d %H:%M:%S.000000")


def token_of(role: Role) -> str:
    """The token of the benchmark's account with this role; it has every scope that the role can
    use."""
    return f"spci_{f'bench-{role.value}-'.ljust(43, '0')}"


def repository_of(fork_id: int) -> str:
    """OWNER/NAME of a fork."""
    owner = "CCExtractor" if fork_id == 1 else f"developer-{fork_id}"
    return f"{owner}/ccextractor"


def branch_name(number: int) -> str:
    """The name of a branch; number 0 is the one that most runs are of."""
    return "master" if number == 0 else f"feature-{number:03}"


def rows(definitions: Definitions) -> Rows:
    """The rows of all tables that runs refer to."""
    return {
        **_accounts(),
        **_samples(),
        **_tests(definitions),
        **_approvals(definitions),
        "fork": [(n, f"https://github.com/{repository_of(n)}.git") for n in range(1, FORKS + 1)],
        "maintenance_mode": [(1, "linux", 0), (2, "windows", 0)],
    }


def _accounts() -> Rows:
    made = moment(MADE)
    never = "2099-01-01 00:00:00.000000"
    roles = list(Role)
    accounts: list[Row] = [
        (number, f"bench-{role.value}", f"{role.value}@bench.invalid", f"b-{role.value}", PASSWORD,
         role.value)
        for number, role in enumerate(roles, 1)
    ]  # fmt: skip
    accounts += [
        (number, f"developer-{number}", f"developer-{number}@bench.invalid", f"developer-{number}",
         PASSWORD, Role.user.value)
        for number in range(len(roles) + 1, len(roles) + 11)
    ]  # fmt: skip
    tokens: list[Row] = []
    for number, role in enumerate(roles, 1):
        text = token_of(role)
        scopes = [
            scope.value for scope in Scope if role is Role.admin or scope is not Scope.RUNS_EXECUTE
        ]
        # The prefix by which tokens are found is 16 characters, which several may share.
        tokens.append(
            (number, number, "bench", hashlib.sha256(text.encode()).hexdigest(), text[:16],
             json.dumps(scopes), made, never, None)
        )  # fmt: skip
    tokens += [
        (100 + number, 1 + number % len(roles), f"old-{number}", f"{number:064}",
         f"spci_old-{number:07}", '["runs:read"]', made, made, made if number % 2 else None)
        for number in range(40)
    ]  # fmt: skip
    return {"user": accounts, "api_token": tokens}


def _samples() -> Rows:
    numbers = range(1, SAMPLES + 1)
    return {
        "sample": [
            (n, hashlib.sha256(media(n)).hexdigest(), "ts", f"recording-{n:03}.ts") for n in numbers
        ],
        "tag": [(n, name, f"Samples of kind {name}") for n, name in enumerate(TAGS, 1)],
        "sample_tag_association": [
            (n, tag) for n in numbers for tag in sorted({n % len(TAGS) + 1, n // 7 % len(TAGS) + 1})
        ],
        "ccextractor_version": [(n, f"0.9{n}", f"202{n}-01-01", f"{n:040x}") for n in range(1, 4)],
        "upload": [
            (n, n % 10 + 5, n, n % 3 + 1, "linux", "-out=srt", f"Recorded in lesson {n}")
            for n in numbers
        ],
    }


def _tests(definitions: Definitions) -> Rows:
    made: Rows = {
        "category": [(n, name, f"About {name}") for n, name in enumerate(CATEGORIES, 1)],
        "regression_test": [],
        "regression_test_category": [],
        "regression_test_output": [(SENTINEL, None, None, "", "", 0)],
        "regression_test_output_files": [],
    }
    for test in definitions.tests:
        made["regression_test"].append(
            (test.id, test.sample_id, f"-autoprogram -out=srt -latin1 -delay {test.id}", "file",
             "file", test.expected_rc, int(test.id <= definitions.size.tests),
             f"Captions of sample {test.sample_id}")
        )  # fmt: skip
        made["regression_test_category"] += [
            (test.id, category)
            for category in sorted({test.id % len(CATEGORIES) + 1, test.id // 9 % 8 + 1})
        ]
        for output in test.outputs:
            made["regression_test_output"].append(
                (output.id, test.id, output.correct, ".srt", f"out{output.id}.srt",
                 int(output.ignored))
            )  # fmt: skip
            if output.has_variants:
                made["regression_test_output_files"] += [
                    (2 * output.id + at, hash_of(output.id, change), output.id)
                    for at, change in enumerate(VARIANTS)
                ]
    return made


def _approvals(definitions: Definitions) -> Rows:
    made: Rows = {"baseline_approval": [], "baseline_decision": [], "baseline_change": []}
    at = moment(MADE)
    for number in range(1, APPROVALS + 1):
        test = definitions.active[number % definitions.size.tests]
        output = test.outputs[0]
        new = hash_of(output.id, 1)
        made["baseline_approval"].append(
            (number, number % definitions.size.runs + 1, test.sample_id, test.id, output.id, ".srt",
             "replace", 0, new, output.correct, "The new times are the right ones.", 2,
             "bench-user", "user@bench.invalid", at, None)
        )  # fmt: skip
        if number % 3:
            decision = "approved" if number % 3 == 1 else "rejected"
            made["baseline_decision"].append(
                (number, decision, 1, "bench-admin", "admin@bench.invalid", 0, None, at)
            )
        if number % 3 == 1:
            made["baseline_change"].append(
                (number, number, test.id, output.id, hash_of(output.id, 2), output.correct, None)
            )
    return made


def files(definitions: Definitions) -> Iterator[tuple[str, int, int]]:
    """Which captions are stored: the key in the repository, the output, and its change."""
    for test in definitions.tests:
        for output in test.outputs:
            changes = [0, *range(1, DIFFERENCES + 1)]
            changes += VARIANTS if output.has_variants else ()
            for change in changes:
                yield f"TestResults/{hash_of(output.id, change)}.srt", output.id, change
