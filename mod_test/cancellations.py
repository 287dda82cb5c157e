"""Who is behind a cancellation: a person, or the infrastructure that failed.

The existing tables write `canceled` for both; only the message tells
(docs/existing-platform.md). For our own events the cause is kept; for the others it is read from
the message, on whole words.
"""

import enum
import re

from mod_test.models import ProgressCause
from mod_test.tracebacks import without_stack

CANCELED = r"(?:cancel(?:l?ed)?|abort(?:ed)?|stopp?(?:ed)?|kill(?:ed)?|terminated)"
NO_PERSON = (
    r"(?:(?:the|a|an|our|its)\s+)?(?:(?:system|server|worker|runner|scheduler|infrastructure|time-?out"
    r"|platform|kernel|oom|out of memory|signal|sig[a-z]+|watchdog|timer|cron|gcp|google|github|vm"
    r"|ci|hypervisor|host|time|memory|error|exception|failure|deadline|queue)\b|\d)"
)
BY_A_PERSON = re.compile(
    rf"\b{CANCELED}\s+(?:by|(?:on|upon|at)\s+(?:the\s+)?request\s+of)\s+(?!{NO_PERSON})\S"
    rf"|\b(?:user|admin|administrator|maintainer)\s+(?:\S+\s+)?(?:has\s+)?{CANCELED}\b"
    rf"|\b{CANCELED}\s+manually\b|\bmanually\s+{CANCELED}\b"
    r"|\bcancel(?:l?ation|l?ing)?\s+(?:was\s+)?requested\s+by\b"
    r"|\b(?:on|at|upon|by)\s+user(?:'s)?\s+request\b"
    # Somebody closed the pull request or pushed to it; one that could not be merged is none.
    r"|\b(?:pull request|pr)\b"
    r"(?:(?!\b(?:not|cannot|can't|couldn't|unable|fail\w*|error|conflict\w*)\b)[^.\n]){0,40}"
    r"\b(?:closed|merged|updated)\b"
    r"|\bclosed pull request\b|\bsuperseded\b",
    re.IGNORECASE,
)

# The whole message of a worker that has found no build of the commit.
NO_BUILD = "artifact"

# In the order in which they are tried: the more specific first.
TYPES = (
    ("merge", r"merge[ds]?|merging|merge conflicts?|mergeable|rebas(?:e|ed|ing)"),
    ("checkout", r"checkout|check(?:ed|ing)? out|clon(?:e|ed|ing)|fetch(?:ed|ing)?|git"),
    (
        "build",
        r"builds?|building|built|compil(?:e|ed|er|ing|ation)|cmake|linker|msbuild"
        r"|make(?=:|\[|\s+(?:failed|exited|returned|error))",
    ),
    ("vm_provisioning", r"vms?|virtual machines?|instances?|provision(?:ed|ing)?|gcp|quota"),
    (
        "storage",
        r"storage|buckets?|gcs|disk|no space left|upload(?:ed|ing|s)?|download(?:ed|ing|s)?"
        r"|artifacts?",
    ),
    ("web_server", r"web ?server|http|https|50[0-4]|gateway|api"),
    ("queue", r"queue[ds]?|scheduler|lease[ds]?"),
)
WORDS = [(name, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for name, words in TYPES]


class EndFailure(enum.StrEnum):
    """Of a run whose end tells of a failure of the infrastructure, who wrote that end.

    What we write ourselves repeats what the failed attempt told, where there was one.
    """

    own = "own"
    foreign = "foreign"


def end_failure(cause: ProgressCause | None, message: str) -> EndFailure | None:
    """Which failure a `canceled` event tells of; None where a person canceled."""
    if is_by_a_person(cause, message):
        return None
    return EndFailure.own if cause is ProgressCause.infrastructure else EndFailure.foreign


def is_by_a_person(cause: ProgressCause | None, message: str) -> bool:
    """Return whether a `canceled` event was a person's decision."""
    if cause is not None:
        return cause is ProgressCause.person
    return bool(BY_A_PERSON.search(message))


def infrastructure_type(message: str) -> str:
    """What part of the infrastructure a message speaks of; `worker` when it names none.

    Of a traceback only the last line counts: the others are paths.
    """
    if message.strip().lower() == NO_BUILD:
        return "build"
    told = without_stack(message)
    return next((name for name, words in WORDS if words.search(told)), "worker")
