"""Starts one program under its limits and says how it ended.

    launch.py LIMITS PROGRAM [ARGUMENT ...]
    launch.py --box STATUS CPUS LIMITS NUMBER [NAME=VALUE ...] PROGRAM [ARGUMENT ...]

LIMITS are five words: ADDRESS_SPACE FILE_SIZE CPU_SECONDS PROCESSES CORE_SIZE, in bytes,
seconds and a number, 0 for none; a core dump of 0 bytes is none.

Runs as a process of its own, inside the sandbox where there is one, because only the
parent of a program sees whether a signal ended it: bwrap turns that into an exit code. To
file descriptor 3 it writes

    started
    exit CODE RUNTIME_MS PEAK_BYTES | signal NUMBER RUNTIME_MS PEAK_BYTES | error ERRNO
        | memory_limit RUNTIME_MS | process_limit RUNTIME_MS

where `error` says that the program could not be executed.

With `--box` it is process 1 of a container or sandbox. STATUS is then `3` for the
descriptor, or a file that holds one line: a word that nobody else in the box gets to see,
which the last line begins with, so that it cannot be forged. CPUS are the processors to
prefer, `0,3`, or `-`. The program gets NUMBER variables as its environment, and its error
output goes where its standard output goes. SIGTERM is handed on to everything in the box.
A limit of the box's control group that was hit ends the box (the last two ends above). When
the program has ended, the rest is killed, and then the end is written.

Only the standard library, and as little of it as possible: this starts once per
regression test. Any Python from 3.9 on can run it.
"""

import os
import resource
import signal
import sys
import time

STATUS_FD = 3
PR_SET_DUMPABLE = 4
LOOK_EVERY_S = 0.1
# Counters of a control group, version 2 and 1: limit, file, the counter's name in it.
COUNTERS = (
    ("memory_limit", "/sys/fs/cgroup/memory.events", "oom_kill"),
    ("memory_limit", "/sys/fs/cgroup/memory/memory.oom_control", "oom_kill"),
    ("process_limit", "/sys/fs/cgroup/pids.events", "max"),
    ("process_limit", "/sys/fs/cgroup/pids/pids.events", "max"),
)


def limit(kind: int, value: int) -> None:
    """Set one resource limit, soft and hard, never above the hard one in force."""
    if value <= 0:
        return
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def become(program: list[str], limits: list[int], environment: "dict[str, str] | None") -> None:
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
    # Executing without a shell is the point.
    os.execvpe(program[0], program, os.environ if environment is None else environment)  # noqa: S606


def prefer_as_victim() -> None:
    """Ask the kernel to end this program first when the host runs out of memory."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
            score.write("1000")
    except OSError:
        return  # a kernel without it, or /proc is read-only: a preference, not a limit


def start(
    program: list[str], limits: list[int], environment: "dict[str, str] | None", *, is_box: bool
) -> "tuple[int, str]":
    """Start the program; returns its process and, where it could not be executed, the errno."""
    failed, fail = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if is_box:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD, signal.SIGTERM])
                os.dup2(1, 2)
            prefer_as_victim()
            become(program, limits, environment)
        except (OSError, ValueError) as error:
            os.write(fail, str(getattr(error, "errno", None) or 22).encode())
        os._exit(127)
    os.close(fail)
    # The pipe closes by itself when the program starts.
    failure = os.read(failed, 16).decode()
    os.close(failed)
    return child, failure


def describe(status: int, started: float) -> str:
    """Say how the program ended, by what the kernel says of it."""
    runtime_ms = round((time.monotonic() - started) * 1000)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)} {runtime_ms} {peak}"
    return f"exit {os.WEXITSTATUS(status)} {runtime_ms} {peak}"


def run_alone(arguments: list[str]) -> None:
    """Run the program to its end and write the two status lines."""
    os.set_inheritable(STATUS_FD, False)
    os.write(STATUS_FD, b"started\n")
    started = time.monotonic()
    child, failure = start(arguments[5:], [int(n) for n in arguments[:5]], None, is_box=False)
    _, status = os.waitpid(child, 0)
    line = f"error {failure}" if failure else describe(status, started)
    os.write(STATUS_FD, f"{line}\n".encode())


def hide() -> None:
    """Keep the memory and the descriptors of this process from others of the same user."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def open_status(place: str) -> "tuple[int, str]":
    """Open the place for the status; returns the descriptor and the word that proves us."""
    if place == str(STATUS_FD):
        os.set_inheritable(STATUS_FD, False)
        return STATUS_FD, ""
    descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
    word = os.read(descriptor, 256).decode("ascii").strip()
    os.ftruncate(descriptor, 0)
    return descriptor, word + " "


def hits() -> "dict[str, int]":
    """Read how often each limit of this control group was hit, where that can be seen."""
    found: dict[str, int] = {}
    for name, path, counter in COUNTERS:
        try:
            with open(path, encoding="ascii") as file:  # noqa: PTH123
                pairs = [line.split() for line in file]
        except OSError:
            continue
        counts = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
        found[name] = found.get(name, 0) + counts.get(counter, 0)
    return found


def newly_hit(before: "dict[str, int]") -> "str | None":
    """Name the limit of this control group that was hit since, if any."""
    now = hits()
    return next((name for name in now if now[name] > before.get(name, 0)), None)


def attend(child: int, before: "dict[str, int]") -> "tuple[int | None, str | None]":
    """Wait for the program's end or a limit; returns its status or the limit.

    Orphans come to process 1, which takes leave of them.
    """
    while True:
        got = signal.sigtimedwait([signal.SIGCHLD, signal.SIGTERM], LOOK_EVERY_S)
        if got is not None and got.si_signo == signal.SIGTERM:
            kill_others(signal.SIGTERM)
        over = newly_hit(before)
        if over is not None:
            return None, over
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                return status, None
            if pid == 0:
                break


def kill_others(number: int) -> None:
    """Signal everything in the box but this process."""
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return


def end_others() -> None:
    """Kill everything in the box but this process, and wait until it is gone."""
    kill_others(signal.SIGKILL)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def run_box(arguments: list[str]) -> None:
    """Be process 1: run the program to its end, end the rest, write the status."""
    if os.getpid() != 1:
        raise SystemExit("launch.py --box must be process 1, or it would kill strangers")
    place, cpus, *rest = arguments
    limits, number, rest = [int(n) for n in rest[:5]], int(rest[5]), rest[6:]
    environment = dict(pair.split("=", 1) for pair in rest[:number])
    hide()
    descriptor, word = open_status(place)
    if cpus != "-":
        os.sched_setaffinity(0, [int(cpu) for cpu in cpus.split(",")])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])
    before = hits()
    os.write(descriptor, f"{word}started\n".encode())
    started = time.monotonic()
    child, failure = start(rest[number:], limits, environment, is_box=True)
    status, over = attend(child, before)
    line = f"error {failure}" if failure else describe(status or 0, started)
    end_others()
    # The kernel may count a kill later than the parent hears of it.
    over = over or newly_hit(before)
    if over is not None:
        line = f"{over} {round((time.monotonic() - started) * 1000)}"
    if place != str(STATUS_FD):
        # Nobody is left who could write to it.
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, f"{word}{line}\n".encode())


if __name__ == "__main__":
    if sys.argv[1] == "--box":
        run_box(sys.argv[2:])
    else:
        run_alone(sys.argv[1:])
