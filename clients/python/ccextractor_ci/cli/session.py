"""The arguments of each command's function."""

from argparse import Namespace
from typing import NamedTuple

from ccextractor_ci.cli.output import Output
from ccextractor_ci.transport import Transport


class Session(NamedTuple):
    """The platform, where output goes, and the arguments of one command."""

    transport: Transport
    output: Output
    options: Namespace
