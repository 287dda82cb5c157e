"""Who is behind a cancellation: a person, or the infrastructure that failed.

The existing tables write `canceled` for both; only the message tells (legacy/data-model.md). For
our own events the cause is kept; for the others it is read from the message, on whole words.
"""

import re

from mod_test.models import ProgressCause

BY_A_PERSON = re.compile(
    r"\b(?:cancel(?:l?ed)?|aborted|stopped|killed)\s+(?:by|on request of|upon request of)\s+"
    r"(?!(?:the\s+)?(?:system|server|worker|scheduler|infrastructure|timeout|platform)\b)\S"
    r"|\b(?:user|admin|administrator|maintainer)\s+(?:has\s+)?cancel(?:l?ed)\b"
    r"|\b(?:cancel(?:l?ed)|closed)\s+(?:manually|pull request)\b"
    r"|\b(?:pull request|pr)\b[^.\n]{0,40}\b(?:closed|merged|updated)\b",
    re.IGNORECASE,
)

# In the order in which they are tried: the more specific first.
TYPES = (
    ("merge", r"merge[ds]?|merging|merge conflicts?|rebas(?:e|ed|ing)"),
    ("checkout", r"checkout|check(?:ed)? out|clon(?:e|ed|ing)|fetch(?:ed|ing)?|git"),
    ("build", r"builds?|building|built|compil(?:e|ed|er|ing|ation)|cmake|make|linker|msbuild"),
    ("vm_provisioning", r"vm|vms|virtual machine|instances?|provision(?:ed|ing)?|gcp|quota|zone"),
    ("storage", r"storage|buckets?|gcs|disk|upload(?:ed|ing|s)?|download(?:ed|ing|s)?|artifacts?"),
    ("web_server", r"web ?server|http|https|50[0-4]|gateway|api"),
    ("queue", r"queue[ds]?|scheduler|lease[ds]?|attempts?"),
)
WORDS = [(name, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for name, words in TYPES]


def is_by_a_person(cause: ProgressCause | None, message: str) -> bool:
    """Whether a `canceled` event was a person's decision."""
    if cause is not None:
        return cause is ProgressCause.person
    return bool(BY_A_PERSON.search(message))


def infrastructure_type(message: str) -> str:
    """What part of the infrastructure a message speaks of; `worker` when it names none."""
    return next((name for name, words in WORDS if words.search(message)), "worker")
