"""Why the extractor ends without captions, as the exit codes that CCExtractor uses."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    NO_INPUT_FILE = 2
    TOO_MANY_INPUT_FILES = 3
    INCOMPATIBLE_PARAMETERS = 4
    CANNOT_WRITE = 5
    MALFORMED_PARAMETER = 7
    READ_ERROR = 8
    NO_CAPTIONS = 10
    HELP = 11


class ExtractionError(Exception):
    """Ends the program with `code` after showing the message."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
