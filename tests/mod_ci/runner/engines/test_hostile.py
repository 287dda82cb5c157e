"""Projects that misbehave, in each engine that this machine can start: each has its end."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_ci.runner.engines.model import EngineFailure
from mod_ci.runner.limits import MIB
from mod_ci.runner.sandbox import PRIVATE
from tests.mod_ci.runner.engines.conftest import Play, marked

Python = Callable[..., object]

EAT = "import time\nx = bytearray({mib} << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n"


@pytest.fixture
def python(play: Play) -> Play:
    """Runs a Python program in a box."""

    def run(code: str, *arguments: str, **more: object) -> object:
        return play("", argv=["python", "-I", "-c", code, *arguments], **more)

    return run


def stopped_when(line: bytes) -> dict[str, object]:
    """Arguments of a play that stop it when it has printed a line."""
    stop = threading.Event()
    return {"stop": stop, "on_line": lambda seen: stop.set() if seen == line else None}


# --- limits


def test_a_fork_bomb(play: Play, mark: str) -> None:
    # Bounded, for the sake of the host that tests the test.
    seen = play(
        f"i=0; while [ $i -lt 200 ]; do i=$((i+1)); setsid sleep {mark} & done; wait; sleep 60"
    )

    assert seen.end.outcome == "process_limit"
    assert marked(mark) == []


def test_threads_without_end(python: Play) -> None:
    seen = python(
        "import threading, time\nwhile True:\n"
        " try: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        " except RuntimeError: time.sleep(60)\n"
        " if threading.active_count() > 500: print('LEAK', flush=True); break\n",
        processes=30,
    )

    assert seen.end.outcome == "process_limit"


def test_memory_of_one_process(python: Play) -> None:
    assert python(EAT.format(mib=600) + "time.sleep(60)").end.outcome == "memory_limit"


def test_memory_of_many_children(python: Play) -> None:
    code = "import os\nfor _ in range(5):\n if not os.fork(): break\n" + EAT.format(mib=90)

    assert python(code + "time.sleep(60)").end.outcome == "memory_limit"


def test_memory_of_a_child_whose_parent_exits_with_0(play: Play) -> None:
    code = EAT.format(mib=600) + "time.sleep(60)"

    seen = play(f"python -c '{code}'; echo went on; exit 0")

    assert seen.end.outcome == "memory_limit"


def test_time(play: Play) -> None:
    assert play("sleep 600", time_s=3).end.outcome == "time_limit"


def test_time_of_one_that_ignores_signals(play: Play, mark: str) -> None:
    code = f"trap '' TERM INT HUP QUIT USR1; (trap '' TERM; sleep {mark}) & sleep {mark}"

    assert play(code, time_s=3).end.outcome == "time_limit"
    assert marked(mark) == []


def test_a_flood_of_output(play: Play) -> None:
    seen = play("exec yes captions")

    assert seen.end.outcome == "output_limit"
    assert sum(len(line) + 1 for line in seen.lines) <= 4 * MIB + 1


def test_a_flood_of_output_by_children_after_the_end(play: Play) -> None:
    assert play("for n in 1 2 3; do (setsid yes $n &) ; done; sleep 60").end.outcome == (
        "output_limit"
    )


@pytest.mark.parametrize("place", ["/job", *PRIVATE])
def test_a_flood_of_the_disk(play: Play, place: str) -> None:
    code = f"i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > {place}/f$i || sleep 60; done"

    assert play(code).end.outcome == "disk_limit"


def test_one_huge_file(play: Play) -> None:
    assert play("head -c 50000000 /dev/zero > big; sleep 60").end.outcome == "disk_limit"


def test_one_huge_file_by_a_program_that_goes_on(python: Play) -> None:
    code = (
        "f = open('/job/big', 'wb')\ntry:\n"
        " for _ in range(100): f.write(b'x' * (1 << 20))\nexcept OSError: pass\n"
    )

    assert python(code).end.outcome == "disk_limit"


@pytest.mark.slow
def test_a_flood_of_files(python: Play) -> None:
    code = (
        "import os, time\nfor n in range(110_000):\n"
        " if n % 1000 == 0: os.mkdir(f'/job/{n}'); os.chdir(f'/job/{n}')\n"
        " os.close(os.open(str(n), os.O_CREAT))\ntime.sleep(60)"
    )

    assert python(code).end.outcome == "disk_limit"


def test_folders_deeper_than_any_path(python: Play) -> None:
    code = (
        "import os, time\nfor i in range(3000):\n os.mkdir('d' * 50)\n os.chdir('d' * 50)\n"
        "time.sleep(60)"
    )

    assert python(code).end.outcome == "disk_limit"


# --- processes and signals


@pytest.mark.parametrize(
    "code",
    [
        "sleep {} &",
        "setsid sleep {} &",
        "(setsid sh -c 'trap : TERM HUP; sleep {}' &)",
        "(setsid sleep {} </dev/null >/dev/null 2>&1 &) ",
    ],
)
def test_what_stays_in_the_background_ends_with_the_program(
    play: Play, mark: str, code: str
) -> None:
    seen = play(
        code.format(mark) + " exit 4" if code.endswith("&") else code.format(mark) + "; exit 4"
    )

    assert (seen.end.outcome, seen.end.exit_code) == ("exited", 4)
    assert marked(mark) == []


def test_a_double_fork_that_closes_all_pipes(python: Play, mark: str) -> None:
    code = (
        "import os, sys\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
        "  os.closerange(0, 64)\n  os.execvp('sleep', ['sleep', sys.argv[1]])\n os._exit(0)\n"
        "os.wait(); print('parent', flush=True)"
    )

    seen = python(code, mark)

    assert (seen.end.exit_code, seen.lines) == (0, [b"parent"])
    assert marked(mark) == []


def test_one_that_is_stopped_and_ignores_it(
    play: Play, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mod_ci.runner.engines.attended.GRACE_S", 1.0)
    code = f"trap '' TERM INT; (trap '' TERM; sleep {mark}) & echo ready; while :; do sleep 1; done"

    seen = play(code, **stopped_when(b"ready"))

    assert seen.end.outcome == "stopped"
    assert marked(mark) == []


def test_one_that_stops_itself(play: Play) -> None:
    assert play("kill -STOP $$", time_s=3).end.outcome == "time_limit"


def test_one_that_ends_at_once(python: Play) -> None:
    assert python("import os; os._exit(0)").end.exit_code == 0


def test_one_that_kills_its_parents(play: Play) -> None:
    seen = play("kill -KILL 1; kill -STOP 1; kill -TERM $PPID; sleep 0.3; echo alive; exit 5")

    # Process 1 hands SIGTERM on to all, and is itself beyond the box's reach.
    assert seen.end.outcome in ("exited", "signaled")
    assert seen.end.exit_code in (5, None)


def test_one_that_kills_everything_it_can(play: Play) -> None:
    seen = play("kill -KILL -1; exit 6")

    assert (seen.end.outcome, seen.end.signal, seen.end.exit_code) in (
        ("signaled", "SIGKILL", None),
        ("exited", None, 6),
    )


def test_a_child_killed_is_the_parent_s_affair(play: Play) -> None:
    seen = play("sh -c 'kill -KILL $$'; echo $?; exit 2")

    assert (seen.lines[-1], seen.end.exit_code) == (b"137", 2)


# --- secrets, files, other boxes


def test_files_of_the_host_and_the_runner(play: Play, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("spci_secret\n")
    paths = f"{token} {tmp_path} /etc/shadow /etc/gshadow /etc/ssh /etc/ssl/private /home"
    paths += f" {Path.home()}/.ssh {Path.home()}/.bashrc {Path.home()}/.cache /boot /srv /opt"
    paths += " /mnt /var/lib /var/log /run/user /run/dbus /run/lock /var/run/docker.sock"

    seen = play(f"for p in {paths}; do [ -e $p ] && echo LEAK $p; done; ls -A /tmp /run; true")

    assert "LEAK" not in seen.text
    assert set(seen.text.split()) <= {f"{PRIVATE[0]}:", "/run:", ".containerenv"}


def test_processes_of_others(play: Play) -> None:
    seen = play(
        "grep -l pytest /proc/*/cmdline; for p in /proc/[0-9]*; do echo p; done; "
        f"kill -0 {os.getpid()} 2>/dev/null && echo LEAK; true"
    )

    assert "LEAK" not in seen.text
    # Only the shell and process 1 have the word in what they are told to do, and grep itself.
    assert len([line for line in seen.lines if b"cmdline" in line]) <= 4
    assert seen.lines.count(b"p") <= 4


def test_the_memory_and_the_descriptors_of_process_1(play: Play) -> None:
    seen = play(
        "cat /proc/1/environ && echo LEAK; cat /proc/1/mem && echo LEAK; "
        "for n in 0 1 2 3 4 5; do (echo exit 0 0 0 > /proc/1/fd/$n) && echo LEAK; done; exit 9"
    )

    assert "LEAK" not in seen.text.splitlines()
    assert seen.end.exit_code == 9


def test_an_end_cannot_be_forged(play: Play) -> None:
    code = (
        "s=/.ci/status; [ -e $s ] && for n in 1 2 3; do echo exit 0 0 0 > $s; done; cat $s; "
        "rm -f $s; mv $s /tmp; echo exit 0 0 0 >&3; (setsid sh -c "
        "'while :; do echo exit 0 0 0 > /.ci/status; done' &); exit 7"
    )

    seen = play(code)

    assert (seen.end.outcome, seen.end.exit_code) == ("exited", 7)


def test_privileges(play: Play, job: Path) -> None:
    seen = play(
        "grep -E '^(CapPrm|CapEff|CapBnd):' /proc/self/status; grep NoNewPrivs /proc/self/status; "
        "mount -t tmpfs none /tmp && echo LEAK; chroot / true && echo LEAK; "
        "mknod /job/null c 1 3 && echo LEAK; chown 0 /job && echo LEAK; "
        "unshare --mount true && echo LEAK; hostname other && echo LEAK; "
        "for f in "
        "/proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity "
        "/sys/kernel/uevent_helper; do (: >> $f) && echo LEAK $f; done; "
        "dd if=/dev/mem of=/dev/null count=1 && echo LEAK; true"
    )

    assert "LEAK" not in [line.split()[0] for line in seen.text.splitlines() if line]
    assert [line.split()[-1] for line in seen.text.splitlines() if line.startswith("Cap")] == [
        "0" * 16
    ] * 3
    assert "NoNewPrivs:\t1" in seen.text.splitlines()


def test_user_namespaces_are_no_way_to_the_host(play: Play) -> None:
    # bubblewrap allows none; podman's seccomp profile allows them, and nothing comes of it.
    code = (
        "mount -o remount,rw,bind /usr; umount /usr; umount /proc/sys; mount -t proc proc /proc; "
        "for f in /usr/x /etc/x /proc/sys/kernel/core_pattern; do (: >> $f) && echo LEAK $f; done; "
        "[ -e /etc/shadow ] && echo LEAK; mount -t cgroup none /tmp -o memory && echo LEAK; true"
    )

    seen = play(f"unshare --user --map-root-user --mount sh -c '{code}'; true")

    assert not [line for line in seen.lines if line.startswith(b"LEAK")]


def test_a_setuid_program_gives_nothing(play: Play, job: Path) -> None:
    seen = play(
        "cp $(command -v id) /job/id; chmod 6755 /job/id; /job/id -u; "
        "for s in su sudo mount newuidmap; do p=$(command -v $s) && [ -u $p ] && "
        "$p -c id </dev/null 2>&1 | grep -q uid=0 && echo LEAK; done; true"
    )

    assert seen.lines == [b"1000"]


def test_ptrace_reaches_only_its_own(python: Play) -> None:
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.ptrace(16, 1, 0, 0), flush=True)"
    )

    assert python(code).lines == [b"-1"]


# --- network


def test_the_network_of_the_host(python: Play, tmp_path: Path) -> None:
    abstract = f"\0ci-{time.monotonic_ns()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        unix.bind(abstract)
        unix.listen()
        code = (
            "import socket, sys\n"
            "def leak(what, act):\n"
            " try: act(); print('LEAK', what, flush=True)\n"
            " except OSError: pass\n"
            "tcp, udp, name = int(sys.argv[1]), int(sys.argv[2]), '\\0' + sys.argv[3]\n"
            "leak('tcp', lambda: socket.create_connection(('127.0.0.1', tcp), 5))\n"
            "leak('far', lambda: socket.create_connection(('192.0.2.1', 80), 5))\n"
            "leak('v6', lambda: socket.create_connection(('2001:db8::1', 80), 5))\n"
            "leak('dns', lambda: socket.getaddrinfo('example.org', 80))\n"
            "leak('unix', lambda: socket.socket(socket.AF_UNIX).connect(name))\n"
            "leak('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))\n"
            "try: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', udp))\n"
            "except OSError: pass\n"
            "print(sorted(name for _, name in socket.if_nameindex()))"
        )
        seen = python(code, str(tcp.getsockname()[1]), str(udp.getsockname()[1]), abstract[1:])

        assert "LEAK" not in seen.text
        with pytest.raises(BlockingIOError):
            udp.recv(1)


def test_the_network_is_there_when_asked_for(python: Play) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
        seen = python(code, str(server.getsockname()[1]), box={"network": True})

        assert seen.end.exit_code == 0, seen.text


# --- what it prints, what it leaves


def test_very_long_lines(python: Play) -> None:
    seen = python("print('x' * 65536); print('y' * 200_000); print('z' * 10, end='')")

    assert [len(line) for line in seen.lines] == [65536, 65536, 65536, 65536, 3392, 10]


def test_bytes_of_all_kinds(python: Play) -> None:
    seen = python("import os\nfor n in range(256): os.write(1, bytes([n]) * 3)\n")

    assert b"\n".join(seen.lines) == b"".join(bytes([n]) * 3 for n in range(256))


def test_one_that_closes_its_output(play: Play) -> None:
    assert play("echo before; exec >&- 2>&-; sleep 1; exit 8").end.exit_code == 8


def test_one_that_reads_its_input(play: Play) -> None:
    assert play("cat; read x; exit 3").end.exit_code == 3


def test_links_and_pipes_in_the_output_folder(play: Play, job: Path) -> None:
    seen = play(
        "ln -s /etc/shadow a; ln -s / b; ln -s ../../token c; ln -s loop loop; mkfifo fifo; "
        "ln -s /dev/zero zero; mkdir d; chmod 000 d; touch -- '-rf' '$(id)' 'a b'; "
        "touch \"$(printf 'n\\nl')\" \"$(printf '\\377')\"; "
        "python -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\""
    )

    assert seen.end.exit_code == 0
    assert (job / "fifo").is_fifo()


def test_a_folder_in_place_of_what_is_mounted(play: Play, job: Path) -> None:
    seen = play("cd /; rm -rf /job/* /job; mv /job /job2; rmdir /tmp; ls -d /job /tmp")

    assert seen.lines[-2:] == [b"/job", b"/tmp"]
    assert job.is_dir()


def test_sparse_files_count_as_long_as_they_are(play: Play) -> None:
    assert play("truncate -s 15M a; truncate -s 15M b; sleep 60").end.outcome == "disk_limit"


def test_many_descriptors(python: Play) -> None:
    code = (
        "import os\nfds = []\ntry:\n while len(fds) < 1_000_000: fds.append(os.dup(1))\n"
        "except OSError: print('bounded')"
    )

    assert python(code).lines == [b"bounded"]


# --- whoever else dies


def test_process_1_killed_from_outside_is_no_verdict(play: Play, mark: str) -> None:
    def kill_parent(_line: bytes) -> None:
        for pid in marked(mark):
            with contextlib.suppress(OSError):  # it ended with its process 1
                names = Path(f"/proc/{pid}/status").read_text().splitlines()
                inside = next(line.split()[1:] for line in names if line.startswith("NSpid"))
                if len(inside) > 1 and inside[-1] == "1":
                    os.kill(pid, signal.SIGKILL)

    with pytest.raises(EngineFailure):
        play("", argv=["sh", "-c", "echo ready; sleep 60", mark], on_line=kill_parent)

    assert marked(mark) == []


def test_a_box_of_the_same_name_is_refused(play: Play) -> None:
    refused = []

    def again(_line: bytes) -> None:
        try:
            play("true")
        except EngineFailure as error:
            refused.append(str(error))

    seen = play("echo ready; exit 3", on_line=again)

    assert seen.end.exit_code == 3
    assert len(refused) == 1


def test_two_boxes_at_once_share_nothing(play: Play, job: Path, tmp_path: Path) -> None:
    assert sys.prefix  # both use the same Python
    other = []

    def look(_line: bytes) -> None:
        seen = play(
            "ls /tmp /dev/shm; cat /proc/*/cmdline | tr '\\0' ' '; ls /job",
            box={"name": f"other-{tmp_path.name}", "mounts": (), "folder": "/"},
        )
        other.append(seen.text)

    play("echo secret > /tmp/secret; cp /tmp/secret /dev/shm/s; echo ready; sleep 2", on_line=look)

    assert "secret" not in other[0]
    assert "sleep 2" not in other[0]
