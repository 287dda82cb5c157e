"""One attempt at a job, from its claim to its end: the stages stand at the end, top to bottom."""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

from mod_ci.runner import reports
from mod_ci.runner.attempt import describe, end_of, say_finish, trace
from mod_ci.runner.claim import JobClaim
from mod_ci.runner.client import Refused
from mod_ci.runner.engines.model import (
    ATTEMPT,
    NAMESPACE,
    RUNNER,
    Bounds,
    Box,
    End,
    Engine,
    EngineFailure,
    ImageMissing,
    Mount,
)
from mod_ci.runner.folders import remove
from mod_ci.runner.heartbeat import JobHeart
from mod_ci.runner.jobs import collect, environment, plan
from mod_ci.runner.jobs.environment import PACKAGES, PROGRAMS, PROJECT, PYTHON, InstallFailed
from mod_ci.runner.jobs.live_tests import LiveTests
from mod_ci.runner.jobs.plan import BadPlan, NoTests, Plan
from mod_ci.runner.lease import LAST_WORDS_S, Ending, Lease
from mod_ci.runner.limits import MIB
from mod_ci.runner.log_sender import LogSender
from mod_ci.runner.options import Options
from mod_ci.runner.protocol import Attempt, Finish, finish, insist, put_file, put_reports
from mod_ci.runner.reports import Reports
from mod_ci.runner.samples import SampleMissing, Samples
from mod_ci.runner.shutdown import Shutdown
from mod_ci.runner.spool import Spool

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent.parent
ARCHIVE, UNPACKER = "/job/source.zip", "/job/archives.py"
REPORT, REPORTER, PYTEST = "/job/report", "/job/reporter", "/job/pytest"
FLUSH_S = 30.0
MOST_LINES = 1_000_000
MOST_REPORTS, MOST_COVERED = 200, 4000
UNPACK_BOUNDS = Bounds(
    time_s=120,
    memory_bytes=512 * MIB,
    cpus=1,
    processes=16,
    output_bytes=MIB,
    disk_bytes=600 * MIB,
)


@dataclass(eq=False)
class JobEnded(Exception):
    """The job has come to its end in one of the protocol's words, before its command or by it."""

    outcome: str
    message: str = ""
    exit_code: int | None = None
    signal: str | None = None
    is_report_whole: bool | None = None

    def finish(self) -> Finish:
        """The end as it is reported."""
        told = {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "is_report_whole": self.is_report_whole,
        }
        return Finish(
            "completed",
            message=self.message,
            of_job={name: value for name, value in told.items() if value is not None},
        )


@dataclass
class JobWork:
    """One attempt at work. plan, packages and ended: once a stage has made them."""

    attempt: Attempt
    claim: JobClaim
    options: Options
    engine: Engine
    folder: Path
    spool: Spool
    sender: LogSender
    heart: JobHeart
    printed: "Printed"
    plan: Plan | None = None
    live: LiveTests | None = None
    packages: list[Path] = field(default_factory=list)
    ended: JobEnded | None = None

    @property
    def lease(self) -> Lease:
        """The attempt's lease."""
        return self.attempt.lease

    @property
    def project(self) -> Path:
        """The unpacked project."""
        return self.folder / "project"

    def box(self, mounts: list[Mount], **more: Any) -> Box:
        """A box of this attempt; it has one at a time."""
        job = self.claim.job
        labels = {
            NAMESPACE: job.namespace,
            RUNNER: self.options.name,
            ATTEMPT: str(self.claim.attempt_id),
        }
        name = f"{job.namespace}{job.job_id}-{self.claim.attempt}"
        return Box(name, labels, mounts=tuple(mounts), folder=PROJECT, **more)

    @property
    def stop(self) -> "Over":
        """Set when a box of the attempt is to stop."""
        return Over(self.lease, self.printed)


@dataclass
class Printed:
    """What a job prints, to its log as it is. Lines cost more than their bytes, so they are
    counted, too."""

    spool: Spool
    lines: int = 0

    def line(self, line: bytes) -> None:
        """Write a line, unless there were too many."""
        self.lines += 1
        if not self.is_too_much:
            self.spool.write_raw(line)

    @property
    def is_too_much(self) -> bool:
        """Return whether the job is to be ended for what it prints."""
        return self.lines > MOST_LINES


@dataclass(frozen=True)
class Over:
    """What stops a box before its bounds do: the end of the lease, or a flood of lines."""

    lease: Lease
    printed: Printed

    def is_set(self) -> bool:
        """Return whether the box is to be ended."""
        return self.lease.over or self.printed.is_too_much


def carry_out_job(claim: JobClaim, options: Options, shutdown: Shutdown) -> None:
    """Do what was claimed and report it; never raises for what happens to a job."""
    lease = Lease(claim.lease_s, claim.received_at + claim.remaining_s, claim.log_interval_ms)
    attempt = Attempt(options.server, claim.attempt_id, claim.credential, lease)
    logger.info("Job %s, attempt %s", claim.job.job_id, claim.attempt)
    how: Finish | None = None
    if options.engine is None:
        say_finish(attempt, Finish("runner_shutdown"))
        return
    folder = options.work.runs / f"job-{claim.attempt_id}"
    remove_leftovers(options.engine, claim.job.namespace, options.name)
    with shutdown.tells(lambda: lease.end(Ending.SHUTDOWN)):
        try:
            remove(folder)
            folder.mkdir()
            spool = Spool(folder / "log")
            sender, heart = LogSender(attempt, spool, claim.log_offset), JobHeart(attempt)
            work = JobWork(
                attempt, claim, options, options.engine, folder, spool, sender, heart,
                Printed(spool),
            )  # fmt: skip
            heart.start()
            sender.start()
            try:
                how = end_of(lambda: go_through(work), lease)
                conclude(work, how)
            finally:
                heart.stop()
                sender.stop()
                spool.close()
                remove(folder)
        except OSError as error:
            how = Finish("resource_unavailable", "worker", str(error), trace(error))
            say_finish(attempt, how)
    logger.info("Job %s: %s", claim.job.job_id, describe(how, lease))


def remove_leftovers(engine: Engine, namespace: str, runner: str) -> None:
    """Remove the boxes that this runner's dead attempts have left: its own, nobody else's."""
    for name in engine.leftovers(namespace, runner):
        logger.info("Removing a box that was left: %s", name)
        try:
            engine.remove(name)
        except (EngineFailure, OSError) as error:
            logger.warning("A box is left: %s", error)


def go_through(work: JobWork) -> None:
    """Do all stages; whatever ends the job before its command does is told and handed in."""
    try:
        for stage in STAGES:
            work.lease.check()
            work.spool.write("info", "worker", [stage.message])
            work.heart.enter(stage.name, stage.message)
            stage.act(work)
    except JobEnded as ended:
        work.ended = ended
        hand_in(work)


def conclude(work: JobWork, how: Finish | None) -> None:
    """Say how an attempt ended that was not handed in, in its log and to the server."""
    lease = work.lease
    if lease.lost or (how is None and lease.ending is not Ending.CANCELED):
        return
    ended = lease.ending.value if lease.ending else ""
    work.spool.write("error", "worker", [(how.message if how else "") or ended])
    work.sender.flush(LAST_WORDS_S / 3 if lease.ending is Ending.SHUTDOWN else FLUSH_S)
    if how is not None:
        say_finish(work.attempt, how)


def unpack(work: JobWork) -> None:
    """The project from its archive, unpacked in a box that sees nothing else."""
    downloads = work.folder / "source"
    downloads.mkdir()
    source = work.claim.job.source
    try:
        archive = Samples(downloads, work.attempt, (source,)).fetch(source, lambda: work.lease.over)
    except SampleMissing as error:
        raise JobEnded("unpack_failed", str(error)) from error
    work.project.mkdir()
    said: list[bytes] = []
    box = work.box(
        [
            Mount(archive, ARCHIVE),
            Mount(HERE / "archives.py", UNPACKER),
            Mount(work.project, PROJECT, writable=True),
        ]
    )
    argv = [PYTHON, "-I", UNPACKER, ARCHIVE, PROJECT]
    end = work.engine.run(box, argv, UNPACK_BOUNDS, line=said.append, stop=work.stop)
    archive.unlink()
    work.lease.check()
    try:
        told = json.loads(b"".join(said))
    except ValueError:
        text = b" ".join(said).decode("utf-8", "replace")
        raise EngineFailure(f"the archive could not be unpacked: {end.outcome} {text}") from None
    if "rule" in told:
        raise JobEnded("unpack_failed", f"{told['entry'] or 'The archive'}: {told['message']}")
    work.spool.write("info", "worker", [f"{told['files']} files, {told['size']} bytes"])


def install(work: JobWork) -> None:
    """The packages that the project's requirement files name, and pytest."""
    try:
        work.plan = plan.read(work.project, work.claim.job)
        work.packages = [environment.tree_of("pytest", work.options.work.packages)]
        needed = environment.required(work.project) if work.plan.installs else None
        if needed is not None:
            box = work.box([])
            tree = environment.install(
                needed,
                work.engine,
                trees=work.options.work.packages,
                folder=work.folder,
                project=work.project,
                image=work.plan.image,
                name=box.name,
                labels=box.labels,
                line=work.printed.line,
                stop=work.stop,
            )
            work.packages.insert(0, tree)
    except BadPlan as error:
        raise JobEnded("unpack_failed", str(error)) from error
    except NoTests as error:
        raise JobEnded("no_tests") from error
    except ImageMissing as error:
        raise JobEnded("install_failed", f"{error}.") from error
    except InstallFailed as error:
        work.lease.check()
        raise JobEnded("install_failed", str(error)) from error


def test(work: JobWork) -> None:
    """The job's command, in its box; its tests are told as they end."""
    todo = work.plan
    if todo is None:
        raise RuntimeError("no stage has made a plan")
    report = work.folder / "report"
    report.mkdir()
    work.spool.write("info", "worker", [f"$ {plan.words(todo.command)}"])
    live = work.live = LiveTests(work.attempt, work.heart, report)
    box = work.box(mounts(work, report), image=todo.image, environment=variables(work, todo))
    live.start()
    try:
        end = work.engine.run(
            box, list(todo.command), todo.bounds, line=work.printed.line, stop=work.stop
        )
    except ImageMissing as error:
        raise JobEnded("install_failed", f"{error}.") from error
    finally:
        live.finish()
    work.lease.check()
    if work.printed.is_too_much:
        raise JobEnded("output_limit", f"It printed more than {MOST_LINES} lines.")
    work.ended = told(end, live.is_whole if todo.reports else None)


def mounts(work: JobWork, report: Path) -> list[Mount]:
    """What the job's command sees."""
    found = [
        Mount(work.project, PROJECT, writable=True),
        Mount(report, REPORT, writable=True),
        Mount(HERE / "reporter", REPORTER),
    ]
    if work.plan is not None and work.plan.image is None:
        found.append(environment.programs(work.folder))
    return found + [Mount(tree, at) for tree, at in zip(work.packages, trees(work), strict=True)]


def trees(work: JobWork) -> list[str]:
    """Where the trees of packages are, the project's own first."""
    return [PACKAGES, PYTEST] if len(work.packages) > 1 else [PYTEST]


def variables(work: JobWork, todo: Plan) -> dict[str, str]:
    """The environment of the job's command; what the project names wins, but for our own."""
    paths = [PROGRAMS, *(f"{tree}/bin" for tree in trees(work))]
    found = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **todo.environment,
    }
    extra = found.get("PYTHONPATH")
    return found | {
        "CI": "true",
        "CI_REPORT": REPORT,
        "PATH": ":".join([*paths, "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONPATH": ":".join([*([extra] if extra else []), REPORTER, *trees(work)]),
        "PYTEST_ADDOPTS": f"{found.get('PYTEST_ADDOPTS', '')} -p ci_reporter".strip(),
    }


def told(end: End, is_report_whole: bool | None) -> JobEnded:
    """The end of the command in the protocol's words."""
    return JobEnded(
        end.outcome,
        exit_code=end.exit_code,
        signal=end.signal,
        is_report_whole=is_report_whole if end.outcome == "exited" else None,
    )


def gather(work: JobWork) -> None:
    """The files that the plan names, and the reports of other tools than pytest."""
    if work.plan is None:
        return
    told = reports.read(
        work.project,
        work.live.known if work.live else (),
        len(work.live.known) + 1 if work.live else 1,
    )
    # Only by their names here: they are opened as all files of the job are.
    names = tuple(escape(report.name) for report in told.reports)
    for left in collect.left_behind(work.project, (*work.plan.artifacts, *names)):
        send_file(work, left)
    if work.live is not None and told.tests:
        work.live.take(told.tests)
        insist(work.lease, work.live.send)
    if told.reports or told.coverage:
        insist(work.lease, lambda: put_reports(work.attempt, shown(told)))
    for report in told.reports:
        if report.error or report.cut:
            problem = f"The report {report.name!r}: {report.error or report.cut}"
            work.spool.write("warning", "worker", [problem])


def shown(told: Reports) -> dict[str, Any]:
    """Reports and coverage in the protocol's shape, as much as one call takes."""
    return {
        "reports": [
            {
                "name": report.name,
                "kind": report.kind,
                "error": report.error and report.error[:1000],
                "cut": report.cut and report.cut[:1000],
            }
            for report in told.reports[:MOST_REPORTS]
        ],
        "coverage": [asdict(file) for file in told.coverage[:MOST_COVERED]],
    }


def send_file(work: JobWork, left: collect.Left) -> None:
    """Send a file as far as the server takes it; what is not kept is said in the log."""
    if left.file is None:
        work.spool.write("warning", "worker", [f"{left.name!r} is not kept: {left.problem}"])
        return
    with left.file:
        try:
            insist(work.lease, lambda: again(work, left))
        except Refused as refusal:
            work.spool.write("warning", "worker", [f"{left.name!r} is not kept: {refusal}"])


def again(work: JobWork, left: collect.Left) -> None:
    """Send a file once more, from its beginning."""
    if left.file is not None:
        left.file.seek(0)
        put_file(work.attempt, left.name, left.file)


def hand_in(work: JobWork) -> None:
    """The end of the job: its log first, since nothing is taken after it."""
    if work.ended is None:
        raise RuntimeError("no stage has ended the job")
    work.spool.write("info", "worker", [re.sub("_", " ", f"Ended: {words_of(work.ended)}")])
    if not work.sender.flush(FLUSH_S):
        insist(work.lease, work.heart.beat)
        work.sender.flush(FLUSH_S)
    finish(work.attempt, work.ended.finish())


def words_of(ended: JobEnded) -> str:
    """The end of a job in a few words."""
    if ended.outcome == "exited":
        return f"exit code {ended.exit_code}"
    return " ".join(filter(None, (ended.outcome, ended.signal, ended.message)))


@dataclass(frozen=True)
class JobStage:
    """A stage: its name in the protocol, what it does, what it says."""

    name: str
    act: Callable[[JobWork], None]
    message: str


STAGES = (
    JobStage("unpack", unpack, "Unpacking the project"),
    JobStage("install", install, "Installing what it needs"),
    JobStage("test", test, "Running its command"),
    JobStage("collect", gather, "Collecting what it left behind"),
    JobStage("finish", hand_in, "Handing in"),
)
