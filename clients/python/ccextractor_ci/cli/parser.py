"""The arguments of each command, and which function carries it out."""

import argparse

from ccextractor_ci import __version__

EXITS = """exit status:
  0 pass   1 fail   2 wrong usage   3 platform unreachable   4 not found   5 input refused
  6 not allowed   7 too many requests   8 conflict   9 not in time   10 canceled, error or
  incomplete   130 stopped by Ctrl-C

CI_PLATFORM_URL and CI_PLATFORM_TOKEN win over what `ci login` has kept."""
PLATFORMS = ("linux", "windows", "both")


def with_json_anywhere(arguments: list[str]) -> list[str]:
    """The arguments with `-o FORM` and `--url URL` first: they may stand behind a command, too."""
    first: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif argument in ("-o", "--output", "--url"):
            first += [argument, *[value for value in [next(left, None)] if value is not None]]
        elif argument in ("--no-colour", "--no-color") or argument.startswith(
            ("--output=", "--url=")
        ):
            first.append(argument)
        else:
            rest.append(argument)
    return first + rest


class _Commands:
    """Adds commands: each with its help and its handler, `module:function`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._added = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        self, name: str, handler: str, help: str, *, without_site: bool = False
    ) -> argparse.ArgumentParser:
        parser = self._added.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + "."
        )
        parser.set_defaults(handler=handler, without_site=without_site)
        return parser


def make_parser() -> argparse.ArgumentParser:
    """The parser of `ci`."""
    parser = argparse.ArgumentParser(
        prog="ci",
        description="Run CCExtractor's tests, see why they fail, decide on captions, submit jobs.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ci {__version__}")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="text (default) or json"
    )
    parser.add_argument("--url", help="the platform's address, with or without /api/v1")
    parser.add_argument(
        "--no-colour",
        "--no-color",
        dest="colour",
        action="store_const",
        const=False,
        help="no colours",
    )
    commands = _Commands(parser)
    _add_runs(commands)
    _add_baselines(commands)
    _add_jobs(commands)
    _add_others(commands)
    return parser


def _run_id(parser: argparse.ArgumentParser, name: str = "run") -> None:
    parser.add_argument(name, metavar=name.upper(), type=int, help="a run's number")


def _timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", metavar="S", type=float, help="wait for so many seconds at most"
    )


def _add_runs(commands: _Commands) -> None:
    run = commands.add("run", "runs:start", "ask for a run of a commit")
    run.add_argument(
        "ref", metavar="REF|SHA", help="a commit, or what git in this folder calls one"
    )
    run.add_argument("--platform", choices=PLATFORMS, default="linux")
    run.add_argument("--repository", metavar="OWNER/NAME", help="default: this folder's `origin`")
    run.add_argument("--branch", help="the branch that the commit is of")
    run.add_argument("--pr", type=int, metavar="N", help="the pull request that the commit is of")
    run.add_argument("--tests", metavar="T,T", help="only these regression tests")
    run.add_argument("--wait", action="store_true", help="follow it to its end; its exit status")
    _timeout(run)

    watch = commands.add(
        "watch", "runs:watch", "follow a run to its end: progress, and failures as they come"
    )
    _run_id(watch)
    _timeout(watch)

    why = commands.add("why", "runs:why", "tell why a run failed")
    _run_id(why)
    why.add_argument(
        "--md", dest="form", action="store_const", const="markdown", help="as Markdown"
    )
    why.add_argument("--json", dest="form", action="store_const", const="json", help="as JSON")

    log = commands.add("log", "logs:show", "print the log of a run or a job")
    log.add_argument("id", metavar="RUN|JOB")
    how_much = log.add_mutually_exclusive_group()
    how_much.add_argument("-f", "--follow", action="store_true", help="follow it to its end")
    how_much.add_argument("--tail", type=int, metavar="N", help="only the last lines")
    log.add_argument("--test", type=int, metavar="T", help="only a regression test's lines")
    log.add_argument("--contains", metavar="TEXT", help="only lines with this text")
    log.add_argument("-t", "--times", action="store_true", help="with each line's time")

    retry = commands.add("retry", "runs:retry", "run a run again")
    _run_id(retry)
    retry.add_argument("--failed", action="store_true", help="only its failed tests")
    retry.add_argument("--wait", action="store_true", help="follow the new run to its end")
    _timeout(retry)

    cancel = commands.add("cancel", "runs:cancel", "cancel a run or a job")
    cancel.add_argument("id", metavar="RUN|JOB")
    cancel.add_argument("--reason")

    compare = commands.add("compare", "runs:compare", "tell what changed from run A to run B")
    _run_id(compare, "a")
    _run_id(compare, "b")

    ls = commands.add("ls", "runs:ls", "list runs, the newest first")
    ls.add_argument("--status")
    ls.add_argument("--branch")
    ls.add_argument("--commit", metavar="SHA")
    ls.add_argument("--pr", type=int, metavar="N")
    ls.add_argument("--platform", choices=PLATFORMS[:2])
    ls.add_argument("-n", "--limit", type=int, default=20)

    commands.add("queue", "runs:queue", "list the runs that wait and run")


def _add_baselines(commands: _Commands) -> None:
    diff = commands.add("diff", "diffs:show", "show what a test's outputs differ in, cue by cue")
    _run_id(diff)
    diff.add_argument("test", metavar="TEST", type=int, help="a regression test's number")
    diff.add_argument("--lines", action="store_true", help="line by line")

    review = commands.add("review", "review:review", "go through a run's differences by keyboard")
    _run_id(review)
    review.add_argument("--reason", help="for all that is accepted")
    review.add_argument("--decide", action="store_true", help="approve at once what is accepted")

    approve = commands.add(
        "approve", "baselines:approve", "ask for a run's outputs as the new baselines"
    )
    _run_id(approve)
    approve.add_argument(
        "tests", metavar="TEST", type=int, nargs="+", help="regression tests' numbers"
    )
    approve.add_argument("--reason", required=True)
    approve.add_argument("--decide", action="store_true", help="approve them at once")

    undo = commands.add("undo", "baselines:undo", "undo an approval")
    undo.add_argument("approval", metavar="APPROVAL")
    undo.add_argument("--reason")


def _add_jobs(commands: _Commands) -> None:
    submit = commands.add("submit", "jobs:submit", "submit a project and follow its tests")
    submit.add_argument(
        "folder", metavar="DIR", nargs="?", default=".", help="what git tracks in it"
    )
    submit.add_argument("--name")
    submit.add_argument("--label", action="append", default=[], dest="labels")
    submit.add_argument("--no-wait", action="store_true", help="only submit")
    submit.add_argument(
        "command", metavar="-- COMMAND", nargs="*", help="instead of the default one"
    )

    jobs = commands.add("jobs", "jobs:ls", "list jobs, or show one")
    jobs.add_argument("job", metavar="JOB", nargs="?")
    jobs.add_argument("--state", choices=("queued", "running", "ended"))
    jobs.add_argument("-n", "--limit", type=int, default=20)


def _add_others(commands: _Commands) -> None:
    login = commands.add("login", "login:login", "keep a token for a platform", without_site=True)
    login.add_argument("--email", help="make a token with this account's password")
    login.add_argument("--name", help="the new token's name (default: ci-HOST)")
    login.add_argument("--days", type=int, default=90, help="how long the new token holds (90)")
    commands.add("logout", "login:logout", "end the kept token, and forget it")

    completion = commands.add(
        "completion", "completion:show", "print a shell's completion", without_site=True
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))

    mcp = commands.add(
        "mcp", "mcp:serve", "serve a model's tools on stdin and stdout (extra `mcp`)"
    )
    mcp.add_argument("--write", action="store_true", help="also tools that change something")
