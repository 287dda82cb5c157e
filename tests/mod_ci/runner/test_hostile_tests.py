"""Regression tests that misbehave: each is a failed result, and the run goes on."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_ci.runner.limits import MIB, Limits
from mod_ci.runner.sandbox import Sandbox, choose
from tests.mod_ci.runner.standin import StandIn, offer, regression
from tests.patience import until

Execute = Callable[..., dict]


@pytest.fixture(params=["off", "bwrap"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox | None:
    """Every test here runs without a sandbox and in one, where there is one."""
    if request.param == "off":
        return None
    found = choose("auto", hidden=[tmp_path / "work", tmp_path / "token"], shown=[tmp_path / "bin"])
    if found is None:
        pytest.skip("bwrap does not work on this host")
    return found


@pytest.fixture
def execute(server: StandIn, serve_all: Callable[..., None], sandbox: Sandbox | None) -> Execute:
    """Executes one shell command as a test, and another test after it; returns its result."""

    def run(code: str, *, time_s: float = 20, **more: object) -> dict:
        limits = Limits(time_s, memory_bytes=256 * MIB, output_bytes=2 * MIB, processes=30)
        test = regression(1, "-c '" + code.replace("'", "'\\''") + "'", **more)
        server.queue.append(offer([test, regression(2, "-c 'echo fine'")], {1: b"media\n"}))
        serve_all(limits=limits, sandbox=sandbox, jobs=1)
        held = server.only()
        assert held.finishes == [{"reason": "completed"}]
        assert held.results[2]["outcome"] == "exited"
        return held.results[1]

    return run


def marked(mark: str) -> list[int]:
    """The processes with a mark in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in line and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def test_one_that_hangs_is_killed_after_its_time(execute: Execute) -> None:
    result = execute("trap : TERM INT; while :; do sleep 1; done", time_s=1)

    assert (result["outcome"], result["exit_code"]) == ("time_limit", None)
    assert "longer than 1 s" in result["message"]


def test_one_that_crashes_names_its_signal(execute: Execute) -> None:
    result = execute("echo before; kill -SEGV $$")

    assert (result["outcome"], result["signal"]) == ("signal", "SIGSEGV")
    assert result["exit_code"] is None
    assert result["tail"] == "before"


def test_an_exit_code_that_looks_like_a_signal_is_an_exit_code(execute: Execute) -> None:
    result = execute("exit 139")

    assert (result["outcome"], result["exit_code"]) == ("exited", 139)


def test_one_that_floods_its_output_is_stopped(server: StandIn, execute: Execute) -> None:
    result = execute("exec yes captions")

    assert (result["outcome"], result["outputs"]) == ("output_limit", [])
    assert len(server.only().log) < 60 * MIB


def test_a_flood_to_a_captured_output_is_stopped(execute: Execute) -> None:
    result = execute("exec yes captions", output_type="stdout")

    assert (result["outcome"], result["outputs"]) == ("output_limit", [])


def test_one_that_fills_the_disk_with_many_files_is_stopped(execute: Execute) -> None:
    code = "i=0; while :; do i=$((i+1)); head -c 100000 /dev/zero > f$i; done"

    assert execute(code)["outcome"] == "output_limit"


def test_one_huge_file_is_stopped(execute: Execute) -> None:
    assert execute("head -c 50000000 /dev/zero > big")["outcome"] == "output_limit"


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
def test_one_that_writes_to_the_temporary_folder_is_counted(execute: Execute) -> None:
    code = "for n in 1 2 3; do head -c 900000 /dev/zero > $n; done"
    code = f"cd /tmp; {code}; cd /dev/shm; {code.replace('1 2 3', '4 5 6')}"

    assert execute(code)["outcome"] == "output_limit"


def test_one_that_eats_memory_is_killed(execute: Execute) -> None:
    code = 'exec python3 -c "x = bytearray(600 << 20); import time; time.sleep(20)"'

    result = execute(code)

    assert (result["outcome"], result["exit_code"]) == ("memory_limit", None)


def test_memory_of_all_its_processes_counts(execute: Execute) -> None:
    eat = 'python3 -c "x = bytearray(120 << 20); import time; time.sleep(20)"'

    assert execute(f"{eat} & {eat} & {eat} & wait")["outcome"] == "memory_limit"


def test_one_that_forks_without_end_is_killed_with_all_its_processes(execute: Execute) -> None:
    mark = f"7{time.monotonic_ns()}"
    # Bounded, for the sake of the host that tests the test.
    code = f"i=0; while [ $i -lt 60 ]; do i=$((i+1)); setsid sleep {mark} & done; wait"

    result = execute(code)

    assert (result["outcome"], result["signal"]) == ("signal", "SIGKILL")
    assert "processes" in result["message"]
    assert marked(mark) == []


def test_what_escapes_into_the_background_does_not_outlive_the_test(execute: Execute) -> None:
    mark = f"8{time.monotonic_ns()}"

    result = execute(f"(setsid sh -c 'trap : TERM HUP; sleep {mark}' &) ; setsid sleep {mark} &")

    assert (result["outcome"], result["exit_code"]) == ("exited", 0)
    assert marked(mark) == []


def test_one_that_kills_its_process_group_kills_itself_only(execute: Execute) -> None:
    result = execute("kill -KILL 0")

    assert (result["outcome"], result["signal"]) == ("signal", "SIGKILL")


@pytest.mark.parametrize(
    "code",
    [
        'ln -s /etc/passwd "$out"',
        'ln -s "$input" "$out"',
        'mkfifo "$out"',
        'mkdir "$out"',
        'cd / && rm -f "$OLDPWD/$out"',
    ],
)
def test_an_output_that_is_no_regular_file_is_a_missing_output(execute: Execute, code: str) -> None:
    result = execute(code)

    assert (result["outcome"], result["outputs"]) == ("exited", [])


@pytest.mark.parametrize("name", ["../../log", "/etc/passwd", "..", "", "a/b.txt", "x\0y"])
def test_an_output_is_never_looked_up_outside_of_the_test_s_folder(
    execute: Execute, name: str
) -> None:
    output = {
        "output_id": 10,
        "filename": name,
        "extension": ".txt",
        "expected_hash": None,
        "accepted_hashes": [],
        "ignore": False,
    }

    result = execute("mkdir a; echo x > a/b.txt", outputs=[output, output | {"output_id": 11}])

    assert result["outputs"] == []


def test_a_folder_too_deep_to_be_measured_or_removed_by_its_path_is_both(
    execute: Execute, tmp_path: Path
) -> None:
    code = (
        "exec python3 -c \"import os\nfor i in range(3000):\n os.mkdir('d' * 50)\n"
        " os.chdir('d' * 50)\nimport time; time.sleep(3)\""
    )

    assert execute(code)["outcome"] == "output_limit"
    assert list((tmp_path / "work" / "runs").iterdir()) == []


def test_what_it_prints_cannot_break_the_log(server: StandIn, execute: Execute) -> None:
    code = (
        r"printf 'a\033[31mred\007\rb\377c\0d\n\342\200\250\302\205tab\tend\n';"
        " head -c 50000 /dev/zero | tr '\\0' 'x'; printf 'no end' >&2"
    )

    execute(code)

    lines = [line for line in server.only().log.split(b"\n") if b"#1 |" in line]
    assert all(len(line) < 8192 for line in lines)
    messages = [line.decode().split(" | ", 1)[1] for line in lines]
    assert messages[0] == r"a\x1b[31mred\x07"
    assert "b\ufffdc\\x00d" in messages
    assert "\\u2028\\x85tab\tend" in messages
    assert sum(message.count("x") for message in messages if set(message) == {"x"}) == 50000
    assert "no end" in messages


def test_an_extractor_that_is_no_program_is_a_failed_result(
    server: StandIn, serve_all: Callable[..., None], sandbox: Sandbox | None, extractor: Path
) -> None:
    extractor.write_bytes(b"\x7fELF nonsense")
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all(sandbox=sandbox)

    result = server.only().results[1]
    assert (result["outcome"], result["exit_code"]) == ("exited", 127)
    assert "could not be executed" in result["message"]


def test_a_test_sees_nothing_of_the_runner_s_environment(
    server: StandIn, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    monkeypatch.setenv("FFMPEG", "/opt/ffmpeg")

    execute("env")

    names = {line.split(" | ")[1].split("=")[0] for line in server.only().lines if "#1 |" in line}
    assert names <= {"PATH", "LANG", "HOME", "FFMPEG", "PWD", "OLDPWD", "_", "SHLVL"}
    assert {"PATH", "LANG", "HOME", "FFMPEG"} <= names


@pytest.mark.parametrize("sandbox", ["bwrap"], indirect=True)
def test_a_sandboxed_test_sees_neither_token_nor_caches_nor_network(
    server: StandIn, execute: Execute, tmp_path: Path
) -> None:
    code = (
        f"cat {tmp_path}/token; ls {tmp_path}/work/samples && echo LEAK; ls /run | grep . "
        '&& echo LEAK; for f in /usr/x /dev/x /run/x "$input" /proc/sys/kernel/core_pattern '
        '/proc/irq/default_smp_affinity; do true >> "$f" && echo LEAK; done; '
        'grep -v "lo:" /proc/net/dev | grep : && echo LEAK; cat "$input"'
    )

    execute(code)

    log = bytes(server.only().log)
    assert b"LEAK" not in log
    assert b"spci_" not in log and b"[token]" not in log
    assert b"#1 | media" in log


def test_a_killed_runner_leaves_no_test_behind(
    server: StandIn, runner: Callable[..., object], sandbox: Sandbox | None
) -> None:
    mark = f"9{time.monotonic_ns()}"
    server.queue.append(offer([regression(1, f"-c 'setsid sleep {mark}'")], {1: b"media\n"}))
    process = runner("--sandbox", "off" if sandbox is None else "bwrap")
    until(lambda: len(marked(mark)) > 0)

    process.send_signal(signal.SIGKILL)

    until(lambda: marked(mark) == [])
