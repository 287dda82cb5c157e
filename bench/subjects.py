"""What is asked for: a run and its outputs that are the same at every size."""

from dataclasses import dataclass

from bench import definitions, histories
from bench.definitions import ALWAYS_FAILING, Definitions
from bench.sizes import Size

FIRST, LAST = 150, 250  # between which the run is: with runs before it, and at every size


@dataclass(frozen=True)
class Subjects:
    """Ids and values that paths and filters name. `failing_test` differs in `run`."""

    run: int
    before: int
    canceled: int
    commit: str
    pull_request: int
    failing_test: int
    failing_sample: int
    failing_output: int
    passing_test: int
    sample: int
    sample_sha: str
    repository: str
    branch: str


def subjects(size: Size) -> Subjects:
    """The subjects in a database of this size; from `small` on they are the same."""
    wanted = Definitions(size)
    known = [histories.facts(number, size) for number in range(1, min(size.runs, LAST) + 1)]
    canceled = [each.number for each in known if each.course == "build_failed"]
    for run in known[FIRST if size.runs > FIRST else 1 :]:
        if not (run.ours and run.course == "completed") or run.retries or run.lost_first:
            continue
        rows = histories.rows(run, wanted, histories.Ids())
        not_ignored = {
            output.id for test in wanted.active for output in test.outputs if not output.ignored
        }
        differing = [
            row for row in rows["test_result_file"]
            if row[4] and row[4] != "error" and row[2] in not_ignored and row[1] != ALWAYS_FAILING
        ]  # fmt: skip
        if differing:
            test = wanted.tests[int(str(differing[0][1])) - 1]
            sha = next(row[1] for row in definitions.rows(wanted)["sample"] if row[0] == 7)
            return Subjects(
                run=run.number,
                before=next(each.number for each in known if each.course == "completed"),
                canceled=canceled[0] if canceled else run.number,
                commit=str(rows["test"][0][6]),
                pull_request=next(each.pull_request for each in known if each.pull_request),
                failing_test=test.id,
                failing_sample=test.sample_id,
                failing_output=int(str(differing[0][2])),
                passing_test=1,
                sample=ALWAYS_FAILING,
                sample_sha=str(sha),
                repository=definitions.repository_of(1),
                branch="feature-007",
            )
    raise ValueError(f"{size.name} has no run with a difference")
