"""The verdict on a job, from how its command ended and whether its report is whole."""

import enum

from mod_job.models import Conclusion


class CommandOutcome(enum.StrEnum):
    """How a job's command ended, as process 1 of its box told; or why it was never begun."""

    exited = "exited"
    signaled = "signaled"
    time_limit = "time_limit"
    memory_limit = "memory_limit"
    process_limit = "process_limit"
    output_limit = "output_limit"
    disk_limit = "disk_limit"
    unpack_failed = "unpack_failed"
    install_failed = "install_failed"
    no_tests = "no_tests"


SENTENCES = {
    CommandOutcome.time_limit: "The job took longer than its time limit.",
    CommandOutcome.memory_limit: "The job needed more memory than its limit.",
    CommandOutcome.process_limit: "The job started more processes than its limit.",
    CommandOutcome.output_limit: "The job printed more than its limit.",
    CommandOutcome.disk_limit: "The job wrote more files than its limit.",
    CommandOutcome.unpack_failed: "The archive could not be unpacked.",
    CommandOutcome.install_failed: "The requirements could not be installed.",
    CommandOutcome.no_tests: "There are no tests, and no command was named.",
}
SPECIAL = {
    CommandOutcome.time_limit: Conclusion.timed_out,
    CommandOutcome.memory_limit: Conclusion.out_of_memory,
}


def decide(
    outcome: CommandOutcome,
    *,
    exit_code: int | None,
    signal: str | None,
    is_report_whole: bool | None,
    message: str | None,
) -> tuple[Conclusion, str]:
    """Return how the job ended, and why in a sentence.

    Success is exit code 0 and, where a report was expected, a whole one: a test that ends its
    process with 0 proves nothing. `is_report_whole` None: no report was expected.
    """
    if outcome is CommandOutcome.exited:
        if exit_code == 0 and is_report_whole is not False:
            return Conclusion.success, message or "The command ended with exit code 0."
        if exit_code == 0:
            return Conclusion.failure, "The command ended with exit code 0 before its tests did."
        return Conclusion.failure, message or f"The command ended with exit code {exit_code}."
    if outcome is CommandOutcome.signaled:
        return Conclusion.failure, message or f"The command was ended by {signal or 'a signal'}."
    conclusion = SPECIAL.get(outcome, Conclusion.failure)
    sentence = SENTENCES[outcome]
    return conclusion, f"{sentence} {message}" if message else sentence
