"""Failures in one line, where the database is the cause."""

from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError


def cause_of(error: BaseException) -> str:
    """An error in one line of at most 500 characters, as the database's driver tells it."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(original).__name__}: {original}".replace("\n", " ")[:500]


def code_and_message(error: SQLAlchemyError) -> tuple[int | None, str]:
    """Return the database's error number, where it has them, and its message for a person."""
    cause = getattr(error, "orig", None) or error
    match cause.args:
        case (int(code), str(message), *_):
            return code, " ".join(message.split())
    lines = str(cause).splitlines()
    return None, lines[0] if lines else type(cause).__name__


def log_failure(log: Any, event: str, error: Exception, **facts: Any) -> None:
    """Log why something was not done. Call it while handling `error`.

    A database that is away or full is no fault of the code: its traceback would only repeat with
    each try.
    """
    if isinstance(error, SQLAlchemyError):
        log.warning(event, error=cause_of(error), **facts)
    else:
        log.exception(event, **facts)
