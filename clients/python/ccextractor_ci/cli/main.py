"""The command `ci`: reads its arguments and calls what does the work."""

import io
import os
import signal
import sys
from importlib import import_module

from ccextractor_ci import failures, settings
from ccextractor_ci.cli.output import Output
from ccextractor_ci.cli.parser import make_parser, with_json_anywhere
from ccextractor_ci.cli.session import Session
from ccextractor_ci.transport import Transport

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command. The exit status: 0 to 9 as docs/client.md says, 10, or 130 for Ctrl-C."""
    parser = make_parser()
    options = parser.parse_args(
        with_json_anywhere(sys.argv[1:] if arguments is None else arguments)
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    output = Output(as_json=options.output == "json", colour=options.colour)
    module, _, name = options.handler.partition(":")
    try:
        site, token = ("", None) if options.without_site else settings.find(options.url)
        transport = Transport(site or "http://localhost", token, notice=output.notice)
        session = Session(transport, output, options)
        status = getattr(import_module(f"ccextractor_ci.cli.{module}"), name)(session)
        sys.stdout.flush()
    except failures.Failure as failure:
        output.failure(failure)
        return failure.exit_status
    except KeyboardInterrupt:
        output.notice("Stopped.")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has read enough; nothing more can be written, not even at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return int(status or 0)


if __name__ == "__main__":
    sys.exit(main())
