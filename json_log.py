"""The log of the program: one JSON object a line on standard error, whoever has something to say.

What our own code says through structlog, what libraries say through the standard library's logging,
Python's warnings and gunicorn's own messages all have `event`, `level` and `timestamp` (UTC), and
the `request_id` of the request that they belong to.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import Processor


def _text(event: Any, default: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, which only the standard library writes
        return json.dumps(event, default=default)


COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
AT_LAST: tuple[Processor, ...] = (
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(_text),
)


def formatter() -> logging.Formatter:
    """Makes JSON of what comes through the standard library's logging, with its logger's name."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *AT_LAST],
        foreign_pre_chain=[*COMMON, structlog.stdlib.add_logger_name],
    )


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def install() -> None:
    """Let everything in this process that logs do so in JSON; libraries from WARNING on.

    Doing it again changes nothing.
    """
    structlog.configure(
        processors=[*COMMON, *AT_LAST],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_to_standard_error,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, _ToStandardError) for handler in root.handlers):
        root.addHandler(_ToStandardError())
        root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def _to_standard_error(*_: Any) -> structlog.WriteLogger:
    """Writes to what standard error is at that moment: it is asked for with each line."""
    return structlog.WriteLogger(sys.stderr)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is SystemExit:  # it has ended itself
        return
    name = failure.thread.name if failure.thread else None
    cause = failure.exc_value or failure.exc_type
    structlog.get_logger("threads").error("thread_failed", thread=name, exc_info=cause)
