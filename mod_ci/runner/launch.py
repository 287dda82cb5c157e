"""Starts one program under its limits and says how it ended.

    launch.py ADDRESS_SPACE FILE_SIZE CPU_SECONDS PROCESSES CORE_SIZE PROGRAM [ARGUMENT ...]

Runs as a process of its own, inside the sandbox where there is one, because only the
parent of a program sees whether a signal ended it: bwrap turns that into an exit code.
Limits are bytes, seconds and a number, 0 for none; a core dump of 0 bytes is none. To file
descriptor 3 it writes

    started
    exit CODE RUNTIME_MS PEAK_BYTES | signal NUMBER RUNTIME_MS PEAK_BYTES | error ERRNO

where `error` says that the program could not be executed. Only the standard library,
and as little of it as possible: this starts once per regression test.
"""

import os
import resource
import signal
import sys
import time

STATUS_FD = 3


def limit(kind: int, value: int) -> None:
    """Set one resource limit, soft and hard, never above the hard one in force."""
    if value <= 0:
        return
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def become(program: list[str], limits: list[int]) -> None:
    """Replace this process by the program, in a session of its own; OSError if that fails."""
    os.setsid()
    # Python ignores these two; what it executes would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    address_space, file_size, cpu_seconds, processes, core_size = limits
    limit(resource.RLIMIT_AS, address_space)
    limit(resource.RLIMIT_FSIZE, file_size)
    limit(resource.RLIMIT_CPU, cpu_seconds)
    limit(resource.RLIMIT_NPROC, processes)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    core_size = core_size if hard == resource.RLIM_INFINITY else min(core_size, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (core_size, core_size))
    os.execvp(program[0], program)  # noqa: S606  # executing without a shell is the point


def prefer_as_victim() -> None:
    """Ask the kernel to end this program first when the host runs out of memory."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
            score.write("1000")
    except OSError:
        return  # a kernel without it, or /proc is read-only: a preference, not a limit


def main(arguments: list[str]) -> None:
    """Run the program to its end and write the two status lines."""
    limits = [int(value) for value in arguments[:5]]
    os.set_inheritable(STATUS_FD, False)
    os.write(STATUS_FD, b"started\n")
    failed, fail = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            prefer_as_victim()
            become(arguments[5:], limits)
        except (OSError, ValueError) as error:
            os.write(fail, str(getattr(error, "errno", None) or 22).encode())
        os._exit(127)
    os.close(fail)
    # The pipe closes by itself when the program starts.
    failure = os.read(failed, 16)
    _, status = os.waitpid(child, 0)
    runtime_ms = round((time.monotonic() - started) * 1000)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if failure:
        line = f"error {failure.decode()}"
    elif os.WIFSIGNALED(status):
        line = f"signal {os.WTERMSIG(status)} {runtime_ms} {peak}"
    else:
        line = f"exit {os.WEXITSTATUS(status)} {runtime_ms} {peak}"
    os.write(STATUS_FD, f"{line}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1:])
