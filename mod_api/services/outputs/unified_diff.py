"""The difference of two stored files as the text of a unified diff."""

from errors import NotFound
from mod_api.services.outputs import file_pair
from mod_sample.storage import NotStored, Repository

CONTEXT_LINES = 3
BINARY = "Binary files differ.\n"
GIVEN_UP = "The files were not compared within the limits ({why}): fetch both instead.\n"
CUT = "... (the difference is longer than what is shown)\n"


def text(repository: Repository, expected_key: str, actual_key: str) -> str:
    """Return the unified diff of two stored files, at most about 1 MiB of it.

    Raises NotFound when one of them is in no storage any more, Unavailable.
    """
    sides = file_pair.find(repository, expected_key, actual_key)
    try:
        comparison = file_pair.comparison_of(repository, *sides, context_lines=CONTEXT_LINES)
    except NotStored as error:
        raise NotFound("file", error.key, "One of the two files is stored no more.") from error
    if comparison.gave_up_because is not None:
        return GIVEN_UP.format(why=comparison.gave_up_because.value)
    if comparison.binary and not comparison.identical:
        return BINARY
    return comparison.unified + (CUT if comparison.unified_truncated else "")
