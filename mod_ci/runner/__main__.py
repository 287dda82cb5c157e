"""`python -m mod_ci.runner`: the command line of the runner."""

import argparse
import logging
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import which

from mod_ci.runner import engines
from mod_ci.runner.cache import WorkDir, WorkDirTaken, taken
from mod_ci.runner.client import Refused
from mod_ci.runner.engines.model import Engine, EngineMissing
from mod_ci.runner.limits import MIB, Limits
from mod_ci.runner.loop import read_token, serve, warn_of_readers
from mod_ci.runner.options import Options
from mod_ci.runner.sandbox import Sandbox, SandboxMissing, choose, secrets_of
from mod_ci.runner.shutdown import Shutdown

logger = logging.getLogger("mod_ci.runner")

# More processes at once than any caption extractor has use for.
PROCESSES = 256
# A dump that is cut there still tells where a program has crashed.
CORE_BYTES = 64 * MIB


def parser() -> argparse.ArgumentParser:
    """The command line; every option may come from the environment as RUNNER_..."""
    found = argparse.ArgumentParser(
        prog="python -m mod_ci.runner",
        description="Takes runs and jobs from the queue, executes their tests, reports them.",
        epilog="Each option may also be given in the environment: --work-dir as RUNNER_WORK_DIR, "
        "lists separated by a colon. The command line wins.",
    )
    add = found.add_argument
    add("--server", help="URL of the server, without /api/v1")
    add("--token-file", type=Path, help="file with a token of scope runs:execute")
    add("--build", metavar="CMD", help="shell command that builds a checkout into "
        "$OUTPUT/ccextractor")  # fmt: skip
    add("--extractor", type=Path, help="test this executable, whatever the run's commit")
    add("--name", default=host_name(), help="name of this runner (default: %(default)s)")
    add("--platform", choices=("linux", "windows"), default="linux",
        help="whose runs to take (default: %(default)s)")  # fmt: skip
    add("--jobs", type=positive, default=os.cpu_count() or 1,
        help="tests executed at once (default: %(default)s)")  # fmt: skip
    add("--work-dir", type=Path, help="caches and the run of the moment; one runner only "
        "(default: below ~/.cache, by name)")  # fmt: skip
    add("--cache-limit", type=positive, default=20 * 1024, metavar="MIB",
        help="what stays in the caches between runs (default: %(default)s MiB)")  # fmt: skip
    add("--test-timeout", type=positive, default=300, metavar="S",
        help="time limit of a test (default: %(default)s s)")  # fmt: skip
    add("--build-timeout", type=positive, default=1800, metavar="S",
        help="time limit of the build (default: %(default)s s)")  # fmt: skip
    add("--memory-limit", type=positive, default=2048, metavar="MIB",
        help="memory of a test with all its processes (default: %(default)s MiB)")  # fmt: skip
    add("--output-limit", type=positive, default=256, metavar="MIB",
        help="what a test may print and write (default: %(default)s MiB)")  # fmt: skip
    add(
        "--kinds",
        type=kinds,
        default=("run",),
        metavar="KIND[,KIND]",
        help="what to take: run, job or both (default: run)",
    )
    add(
        "--images",
        type=Path,
        metavar="PATH",
        help="unpacked root folders that jobs may name as images",
    )
    add("--engine", choices=("auto", *engines.NAMES), default="auto",
        help="what makes the boxes of jobs: auto takes the first that really limits them "
        "(default: %(default)s)")  # fmt: skip
    add("--once", action="store_true", help="exit after one run or job")
    add("--drain", action="store_true", help="exit when nothing is queued")
    add("--sandbox", choices=("auto", "bwrap", "off"), default="auto",
        help="auto takes bwrap where it works, bwrap insists (default: %(default)s)")  # fmt: skip
    add("--hide", type=Path, action="append", default=[], metavar="PATH",
        help="what tests and builds must not see; may be repeated")  # fmt: skip
    add("--show", type=Path, action="append", default=[], metavar="PATH",
        help="what they must see although it lies in /tmp or /run; may be repeated")  # fmt: skip
    add("--build-writable", type=Path, action="append", default=[], metavar="PATH",
        help="where a sandboxed build may write, such as a compiler cache; may be "
        "repeated")  # fmt: skip
    return found


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def kinds(text: str) -> tuple[str, ...]:
    """The kinds of work that are taken, in the order in which they are asked for."""
    found = tuple(dict.fromkeys(text.split(",")))
    if not set(found) <= {"run", "job"}:
        raise argparse.ArgumentTypeError("must be run, job, or run,job")
    return found


def host_name() -> str:
    """This host's name as far as the protocol allows it."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", platform.node())[:100] or "runner"


def from_environment(found: argparse.ArgumentParser) -> list[str]:
    """The options that the environment gives, as arguments."""
    arguments = []
    for action in found._actions:  # argparse has no public list of them
        name = next((o for o in action.option_strings if o.startswith("--")), "")
        value = os.environ.get("RUNNER_" + name[2:].replace("-", "_").upper(), "")
        if not name or name == "--help" or not value:
            continue
        if action.nargs == 0:
            arguments += [name] if value.lower() in ("1", "true", "yes", "on") else []
        else:
            values = value.split(os.pathsep) if isinstance(action.default, list) else [value]
            # Joined, so that a value may begin with a dash.
            arguments += [f"{name}={one}" for one in values]
    return arguments


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, checked; a wrong one ends the program with a message that names it."""
    found = parser()
    args = found.parse_args([*from_environment(found), *argv])
    if not args.server or not re.fullmatch(r"https?://[^\s/]+(/[^\s?#]*)?", args.server):
        found.error("--server: an http or https URL is needed")
    if args.token_file is None:
        found.error("--token-file is needed")
    if "run" in args.kinds and (args.build is None) == (args.extractor is None):
        found.error("one of --build and --extractor is needed, and only one")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", args.name):
        found.error("--name: 1 to 100 characters of A-Z, a-z, 0-9, dot, underscore, hyphen")
    if args.build is not None and which("git") is None:
        found.error("--build needs git, which is not installed")
    if args.extractor is not None and not (
        args.extractor.is_file() and os.access(args.extractor, os.X_OK)
    ):
        found.error(f"--extractor: {args.extractor} is no executable file")
    return args


def sandbox_of(args: argparse.Namespace, work: WorkDir) -> Sandbox | None:
    """The sandbox for this runner; raises SandboxMissing."""
    hidden = [work.path, args.token_file, *secrets_of(Path.home()), *args.hide]
    shown = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parent, *args.show]
    shown += [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    if "FFMPEG" in os.environ:
        shown.append(Path(os.environ["FFMPEG"]).absolute().parent)
    if args.extractor is not None:
        shown += [args.extractor.absolute().parent, args.extractor.resolve().parent]
    return choose(args.sandbox, hidden=hidden, shown=shown)


def engine_of(args: argparse.Namespace, work: WorkDir) -> Engine | None:
    """The engine for jobs, where they are taken; raises EngineMissing with why there is none."""
    if "job" not in args.kinds:
        return None
    engine = engines.choose(args.engine, work.path, args.images)
    logger.info("Jobs run in boxes of %s", engine.name if engine else "nothing")
    return engine


def options_of(args: argparse.Namespace, work: WorkDir) -> Options:
    """The options; says what is worth knowing about them. Raises SandboxMissing, OSError."""
    read_token(args.token_file)
    warn_of_readers(args.token_file)
    sandbox = sandbox_of(args, work)
    if sandbox is None and "run" in args.kinds:
        logger.warning("Tests run without a sandbox: they see this host and its network")
    engine = engine_of(args, work)
    if os.geteuid() == 0:
        logger.warning("This runner is root; an account of its own is safer")
    return Options(
        server=args.server.rstrip("/"),
        token_file=args.token_file,
        name=args.name,
        platform=args.platform,
        work=work,
        limits=Limits(
            time_s=float(args.test_timeout),
            memory_bytes=args.memory_limit * MIB,
            output_bytes=args.output_limit * MIB,
            processes=PROCESSES,
            core_bytes=CORE_BYTES,
        ),
        build=args.build,
        extractor=args.extractor.absolute() if args.extractor else None,
        build_time_s=float(args.build_timeout),
        build_writable=tuple(path.absolute() for path in args.build_writable),
        jobs=args.jobs,
        cache_bytes=args.cache_limit * MIB,
        once=args.once,
        drain=args.drain,
        sandbox=sandbox,
        kinds=args.kinds,
        engine=engine,
    )


def main(argv: Sequence[str]) -> int:
    """Run until told to stop; returns the exit status."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    args = parse(argv)
    shutdown = Shutdown()
    shutdown.install()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = args.work_dir or cache / "ccextractor-ci-runner" / args.name
    try:
        with taken(folder) as work:
            options = options_of(args, work)
            logger.info("Runner %s asks %s for work", options.name, options.server)
            serve(options, shutdown)
    except (Refused, WorkDirTaken, SandboxMissing, EngineMissing, OSError) as error:
        logger.error("%s", error)  # noqa: TRY400  # a message for a person, not a traceback
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
