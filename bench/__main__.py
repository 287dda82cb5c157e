"""`scripts/bench COMMAND`: finds the command's module in a table and runs it."""

import argparse
import importlib
import os
import signal
import sys

from bench.options import Refused

# Each command's module has `arguments(parser)` and `main(asked) -> int`, the exit status.
COMMANDS = {
    "make": ("bench.make", "make a database of a given size"),
    "measure": ("bench.measure", "what each GET costs"),
    "throughput": ("bench.throughput", "requests a second with several clients"),
    "memory": ("bench.memory", "whether web processes grow"),
    "queue": ("bench.queue", "what a claim costs while 2,000 runs are queued"),
    "import": ("bench.results_import", "what a result costs above its INSERT"),
    "approval": ("bench.approval", "what the first read after an approval costs"),
    "run": ("bench.one_run", "what one run costs above a bare route, on SQLite"),
    "logs": ("bench.logs", "what reading a large log costs"),
    "streams": ("bench.streams", "what a thousand followers cost"),
    "metrics": ("bench.metering", "what counting and timing costs a request"),
    "set-up": ("bench.set_up", "how long a set-up takes, and how large a server's .venv is"),
    "captions": ("bench.captions", "random pairs of caption files, and what classifying costs"),
    "mariadb": ("bench.mariadb", "serve a kept MariaDB until Ctrl-C"),
}


def main() -> int:
    """Run the command that the command line names; its exit status."""
    # A developer's own settings are not what is measured.
    os.environ["FLASK_SKIP_DOTENV"] = "1"
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    for name, (module, told) in COMMANDS.items():
        command = commands.add_parser(
            name, help=told, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:  # the others stay unread: they import servers and clients
            loaded = importlib.import_module(module)
            command.description = loaded.__doc__
            loaded.arguments(command)
            command.set_defaults(main=loaded.main, refuse=command.error)
    asked = parser.parse_args()
    # Also who is told to end stops the servers it started, and undoes what it wrote.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        status: int = asked.main(asked)
    except Refused as told:
        asked.refuse(str(told))
    return status


if __name__ == "__main__":
    sys.exit(main())
