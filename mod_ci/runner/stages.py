"""The stages of a run, from top to bottom."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner import build as builds
from mod_ci.runner import checkout
from mod_ci.runner.claim import Claim, Run
from mod_ci.runner.client import NoAnswer, Refused
from mod_ci.runner.execute import Bench
from mod_ci.runner.files import open_regular
from mod_ci.runner.git import Git
from mod_ci.runner.heartbeat import Heart
from mod_ci.runner.kept import Kept
from mod_ci.runner.lease import Lease
from mod_ci.runner.log_sender import LogSender
from mod_ci.runner.options import Options
from mod_ci.runner.protocol import Attempt, Finish, finish, insist, put_artifact
from mod_ci.runner.samples import Samples
from mod_ci.runner.spool import Spool
from mod_ci.runner.testing import Floor, test_all

# How long the end of a run waits for its log, which is the least of what it has to say.
FLUSH_S = 30.0
# Between the tries to send a file, which is worth less than the log.
PAUSES_S = (1.0, 5.0)


@dataclass
class Work:
    """One attempt at work. extractor: what to test, once a stage has made it."""

    attempt: Attempt
    claim: Claim
    options: Options
    folder: Path
    spool: Spool
    sender: LogSender
    heart: Heart
    kept: Kept
    extractor: Path | None

    @property
    def run(self) -> Run:
        """The run."""
        return self.claim.run

    @property
    def lease(self) -> Lease:
        """The attempt's lease."""
        return self.attempt.lease

    @property
    def git(self) -> Git:
        """git, in the attempt's folder."""
        return Git(self.folder, self.spool, lambda: self.lease.over)

    @property
    def mirror(self) -> Path:
        """The mirror of the run's project."""
        return checkout.mirror_of(self.run, self.options.work.mirrors)

    @property
    def checked_out(self) -> Path:
        """The folder of the commit."""
        return self.folder / "checkout"


def check_out(work: Work) -> None:
    """The run's commit, from its repository."""
    checkout.check_out(work.run, work.git, work.mirror, work.checked_out, work.lease)
    os.utime(work.mirror)


def merge(work: Work) -> None:
    """A pull request's commit, merged into its target branch."""
    checkout.merge(work.run, work.git, work.mirror, work.checked_out, work.lease)


def build(work: Work) -> None:
    """The executable."""
    options = work.options
    source = work.run.commit_sha
    if work.run.is_pull_request:
        source = checkout.tree_of(work.git, work.checked_out, work.lease)
    recipe = builds.Recipe(
        options.build or "", options.build_time_s, options.sandbox, options.build_writable
    )
    work.extractor = builds.build(
        recipe,
        builds.key_of(recipe, source),
        options.work.builds,
        work.folder,
        work.mirror,
        work.spool,
        work.lease,
    )


def test(work: Work) -> None:
    """All regression tests that have no result yet."""
    options = work.options
    if work.extractor is None:
        raise RuntimeError("no stage has made an extractor")
    folder = work.folder / "tests"
    folder.mkdir()
    bench = Bench(
        extractor=work.extractor,
        built=None if options.build is None else work.extractor.parent,
        limits=options.limits.narrowed(
            work.claim.limits.test_time_s, work.claim.limits.test_memory_bytes
        ),
        sandbox=options.sandbox,
        spool=work.spool,
        kept=work.kept,
        stopping=lambda: work.lease.over,
    )
    samples = Samples(options.work.samples, work.attempt, work.claim.samples)
    floor = Floor(work.attempt, work.claim, samples, bench, work.heart, folder, options.jobs)
    test_all(floor)


def hand_in(work: Work) -> None:
    """The end of a run that went through all stages."""
    send_files(work)
    send_log(work, FLUSH_S)
    finish(work.attempt, Finish("completed"))


def send_files(work: Work) -> None:
    """Send the binary, a core dump and all that tests printed, each as far as the server takes it.

    The results do not depend on them: what cannot be sent is noted in the log.
    """
    files = {
        "binary": work.extractor,
        "coredump": work.kept.core,
        "combined_stdout": work.kept.combined,
    }
    for kind, path in files.items():
        if path is None or work.lease.lost:
            continue
        problem = send_file(work, kind, path)
        if problem:
            work.spool.write("warning", "worker", [f"The file {kind} is not kept: {problem}"])


def send_file(work: Work, kind: str, path: Path) -> str | None:
    """Send one file if it is there and not empty; says why it could not be sent."""
    file = open_regular(path.resolve())
    if file is None:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        most = work.claim.limits.max_upload_bytes
        if most is not None and size > most:
            return f"it has {size} bytes, and the server takes {most}"
        for pause_s in (*PAUSES_S, None) if size else ():
            file.seek(0)
            try:
                put_artifact(work.attempt, kind, file)
            except Refused as refusal:
                # A server may know of no such files.
                return None if refusal.status in (401, 404) else str(refusal)
            except NoAnswer as error:
                if pause_s is None or not work.lease.patient():
                    return str(error)
                work.lease.sleep(pause_s)
            else:
                return None
    return None


def send_log(work: Work, timeout_s: float) -> None:
    """Send what is left of the log: once the attempt has finished, the server takes none of it.

    Raises as `insist`.
    """
    if not work.sender.flush(timeout_s):
        # The server may be away. Nothing can be finished before it is back, which is then the time
        # for the log, too; when it is the log alone that it cannot take, that ends here.
        insist(work.lease, work.heart.beat)
        work.sender.flush(timeout_s)


def builds_itself(work: Work) -> bool:
    """Return whether the commit is built, and not a given extractor tested."""
    return work.options.build is not None


def is_merged(work: Work) -> bool:
    """Return whether the commit is merged before it is built."""
    return builds_itself(work) and work.run.is_pull_request


def always(_work: Work) -> bool:
    """Every run has this stage."""
    return True


@dataclass(frozen=True)
class Stage:
    """A stage: its name in the protocol, whether a run has it, what it does, what it says."""

    name: str
    belongs: Callable[[Work], bool]
    act: Callable[[Work], None]
    message: str


STAGES = (
    Stage("checkout", builds_itself, check_out, "Checking out {commit} of {repository}"),
    Stage("merge", is_merged, merge, "Merging {commit} into its target branch"),
    Stage("build", builds_itself, build, "Building {commit}"),
    Stage("test", always, test, "Running {tests} regression tests"),
    Stage("finish", always, hand_in, "Handing in"),
)


def go_through(work: Work) -> None:
    """Do all stages of a run; the first that fails raises and is the last."""
    for stage in STAGES:
        if not stage.belongs(work):
            continue
        work.lease.check()
        message = stage.message.format(
            commit=work.run.commit_sha[:8],
            repository=work.run.repository,
            tests=len(work.claim.tests),
        )
        work.spool.write("info", "worker", [message])
        work.heart.enter(stage.name, message)
        stage.act(work)
