"""Keeps one program, and everything it starts, within its limits, and ends all of it.

    keeper.py CONTROL_FD REPORT_FD TIME_LIMIT_MS MEMORY_LIMIT PROCESSES PROGRAM [ARGUMENT ...]

One keeper stands between the runner and each program. It is the reaper of the program's
descendants, so nothing escapes it by a new session or a double fork, and it outlives the
runner by no more than the time it takes to kill: the control pipe closes with the runner.
A byte on that pipe asks process 1 of the sandbox that was started to end (SIGTERM).
It watches wall time, the memory of all descendants together (bytes, 0 for no limit) and
how many they are, each thread counted as the kernel does (0 for no limit). When the
program has ended, or was stopped, it kills what is left and writes one line to REPORT_FD:

    CAUSE ELAPSED_MS STATUS...

CAUSE: `ended`, `time_limit`, `memory_limit`, `process_limit`, `stopped`. STATUS is what
`launch.py` said, newlines as spaces. A process of its own and not a thread, because
forking is only safe in a process that has no threads, and because orphans go to a
process, which thus knows whose they are.
"""

import ctypes
import os
import select
import signal
import sys
import time

STATUS_FD = 3  # where launch.py writes
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
LOOK_EVERY_S = 0.05
KILL_FOR_S = 20.0


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process; the kernel's refusal is an OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def table() -> dict[int, tuple[int, int, int]]:
    """All living processes: pid to (parent, resident bytes, threads)."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  # pathlib doubles this program's start
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                # The name in parentheses may hold anything, spaces and parentheses too.
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if len(fields) > 21 and fields[0] not in (b"Z", b"X"):
            found[int(name)] = (int(fields[1]), int(fields[21]) * PAGE_BYTES, int(fields[17]))
    return found


def descendants() -> dict[int, tuple[int, int]]:
    """The living descendants of this process: pid to (resident bytes, threads)."""
    processes = table()
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in processes.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, tuple[int, int]] = {}
    waiting = [os.getpid()]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            if pid not in found:
                found[pid] = processes[pid][1:]
                waiting.append(pid)
    return found


def proportional(pid: int, resident: int) -> int:
    """The memory of a process with shared pages counted once among all who share them."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:  # noqa: PTH123
            for line in rollup:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return resident
    return resident


def too_much(memory_limit: int, processes: int) -> str | None:
    """Which limit the descendants are over, if any."""
    found = descendants()
    if processes and sum(threads for _, threads in found.values()) > processes:
        return "process_limit"
    if not memory_limit or sum(resident for resident, _ in found.values()) <= memory_limit:
        return None
    # Resident pages count shared ones once per process; only the exact sum convicts.
    exact = sum(proportional(pid, resident) for pid, (resident, _) in found.items())
    return "memory_limit" if exact > memory_limit else None


def reap() -> None:
    """Take leave of whatever has ended, so that it is not counted or kept."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def kill_all() -> None:
    """Kill every descendant, again and again until none is left."""
    until = time.monotonic() + KILL_FOR_S
    while time.monotonic() < until:
        found = descendants()
        if not found:
            break
        # Stopped first: a process that is not running does not fork past this loop.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                try:
                    os.kill(pid, number)
                except OSError:
                    continue
        reap()
        time.sleep(0.002)
    reap()


def ask(child: int) -> None:
    """Send SIGTERM to the processes below a child: bwrap's is process 1 of its sandbox."""
    for pid, (parent, *_) in table().items():
        if parent == child:
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError:
                continue


def watch(
    control: int, status: int, until: float, memory_limit: int, processes: int, child: int
) -> str:
    """Wait for the end of the program or for a reason to end it; returns the cause."""
    poll = select.poll()
    poll.register(control, select.POLLIN | select.POLLHUP)
    poll.register(status, select.POLLIN | select.POLLHUP)
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return "time_limit"
        ready = {fd for fd, _ in poll.poll(max(1, min(LOOK_EVERY_S, left) * 1000))}
        if status in ready:
            return "ended"
        if control in ready:
            if not os.read(control, 1):
                return "stopped"
            ask(child)
        reap()
        if memory_limit or processes:
            cause = too_much(memory_limit, processes)
            if cause:
                return cause


def start(program: list[str]) -> tuple[int, int]:
    """Start the program; returns its process and the pipe on which `launch.py` says how it goes."""
    status, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.dup2(write_end, STATUS_FD, inheritable=True)
            os.set_inheritable(STATUS_FD, True)
            os.execv(program[0], program)  # noqa: S606  # executing without a shell is the point
        finally:
            os._exit(127)
    os.close(write_end)
    return child, status


def read_status(pipe: int) -> bytes:
    """What `launch.py` wrote, all of it; everybody who could write more is dead."""
    os.set_blocking(pipe, False)
    said = b""
    try:
        while piece := os.read(pipe, 4096):
            said += piece
    except BlockingIOError:
        return said
    return said


def main(arguments: list[str]) -> None:
    """Run the program within its limits, kill what is left, report."""
    control, report, time_limit_ms, memory_limit, processes = (int(a) for a in arguments[:5])
    # Whoever held these could keep the runner waiting, or speak in our name.
    os.set_inheritable(control, False)
    os.set_inheritable(report, False)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    started = time.monotonic()
    child, pipe = start(arguments[5:])
    said = b""
    while True:
        until = started + time_limit_ms / 1000
        cause = watch(control, pipe, until, memory_limit, processes, child)
        if cause != "ended":
            break
        piece = os.read(pipe, 4096)
        said += piece
        # `started` alone is not the end; a closed pipe or a second line is.
        if not piece or said.count(b"\n") > 1:
            break
    elapsed_ms = round((time.monotonic() - started) * 1000)
    kill_all()
    said += read_status(pipe)
    status = b" ".join(said.split()).decode("ascii", "replace")
    os.write(report, f"{cause} {elapsed_ms} {status}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1:])
