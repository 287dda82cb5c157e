"""Whose decision a cancellation was, read from messages of many years and many hands."""

import pytest

from mod_test.cancellations import infrastructure_type, is_by_a_person
from mod_test.models import ProgressCause

BY_PEOPLE = [
    "PR closed",
    "Pull request was closed",
    "PR #1234 updated, a new run follows",
    "pull request merged meanwhile",
    "Canceled by user",
    "Cancelled by admin",
    "Test canceled by Jane Doe",
    "test stopped by canihavesomecoffee",
    "Aborted on request of the maintainer",
    "Stopped at the request of thealphadollar",
    "Killed by Willem: hangs again",
    "Manually canceled",
    "Test was aborted manually.",
    "User jane cancelled this run",
    "Admin has canceled the test",
    "Cancellation requested by jane@example.org",
    "Stopped on user request",
    "Superseded by a newer commit",
    "Canceled by timothy",
    "Canceled by Aisha: the server is needed for a build",
]
BY_THE_INFRASTRUCTURE = [
    ("Commit could not be merged", "merge"),
    ("PR could not be merged", "merge"),
    ("Pull request cannot be merged with master", "merge"),
    ("Merge conflict in src/lib_ccx/ccx_decoders_608.c", "merge"),
    ("Could not checkout branch", "checkout"),
    ("git clone returned 128", "checkout"),
    ("Fetching the commit failed: object not found", "checkout"),
    ("Build failed", "build"),
    ("Compilation error, see the log", "build"),
    ("make: *** [all] Error 2", "build"),
    ("make[1]: *** No rule to make target", "build"),
    ("Error creating VM", "vm_provisioning"),
    ("provisioning of the machine failed", "vm_provisioning"),
    ("Quota 'CPUS' exceeded. Limit: 24.0 in region europe-west1", "vm_provisioning"),
    ("Canceled by the scheduler: instance was preempted", "vm_provisioning"),
    ("Artifact not found", "storage"),
    ("No space left on device", "storage"),
    ("Upload of the results to the bucket failed", "storage"),
    ("Web server answered 502", "web_server"),
    ("HTTP status 503 for /progress-reporter", "web_server"),
    ("Waited in the queue for two days", "queue"),
    ("Runtime exceeded", "worker"),
    ("Could not make a connection to the worker", "worker"),
    ("Killed by signal 9", "worker"),
    ("Killed by SIGKILL", "worker"),
    ("Test killed by the kernel", "worker"),
    ("Killed by OOM killer", "worker"),
    ("Aborted by timeout", "worker"),
    ("Canceled by system", "worker"),
    ("Stopped by watchdog", "worker"),
    ("", "worker"),
    ("Something rebuilt its gateways' digits", "worker"),
    (
        'Traceback (most recent call last):\n  File "/srv/git/build/queue.py", line 1\n'
        "ConnectionResetError: [Errno 104] reset by peer",
        "worker",
    ),
    (
        'Traceback (most recent call last):\n  File "/srv/run.py", line 1\n'
        "google.api_core.exceptions.NotFound: 404 bucket is gone",
        "storage",
    ),
]


@pytest.mark.parametrize("message", BY_PEOPLE)
def test_a_persons_cancellation_is_known_by_its_message(message: str) -> None:
    assert is_by_a_person(None, message)


@pytest.mark.parametrize(("message", "type"), BY_THE_INFRASTRUCTURE)
def test_a_failure_is_no_persons_and_typed_on_whole_words(message: str, type: str) -> None:
    assert not is_by_a_person(None, message)
    assert infrastructure_type(message) == type


@pytest.mark.parametrize("cause", [ProgressCause.worker, ProgressCause.infrastructure])
def test_what_is_known_of_our_own_events_counts_more_than_their_words(cause) -> None:
    assert not is_by_a_person(cause, "Canceled by user")
    assert is_by_a_person(ProgressCause.person, "Build failed")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pr ", False),
        ("user ", False),
        ("canceled by ", True),
        ("make ", False),
        ("pr not ", False),
    ],
)
def test_the_longest_message_is_read_in_no_time(words: str, expected: bool) -> None:
    message = (words * 30_000)[:65_535]

    assert is_by_a_person(None, message) is expected
    assert infrastructure_type(message) == "worker"
