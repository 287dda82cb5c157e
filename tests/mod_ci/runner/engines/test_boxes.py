"""Boxes: how they end, what they see, what is left of them."""

import sys
import threading
from pathlib import Path

import pytest

from mod_ci.runner import launch
from mod_ci.runner.engines import choose, make, root
from mod_ci.runner.engines.model import (
    Box,
    End,
    Engine,
    EngineFailure,
    EngineMissing,
    ImageMissing,
    Mount,
)
from tests.mod_ci.runner.engines.conftest import BOUNDS, LABELS, Play


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("exit 0", End("exited", exit_code=0)),
        ("exit 3", End("exited", exit_code=3)),
        ("exit 137", End("exited", exit_code=137)),
        ("kill -KILL $$", End("signaled", signal="SIGKILL")),
        ("kill -SEGV $$", End("signaled", signal="SIGSEGV")),
        ("exec /nothing/here", End("exited", exit_code=127)),
    ],
)
def test_the_end_is_the_program_s_own(play: Play, code: str, end: End) -> None:
    assert play(code).end == end


def test_a_program_that_is_not_there_exits_as_in_a_shell(play: Play, job: Path) -> None:
    (job / "text").write_text("no program")

    assert play("", argv=["/nothing/here"]).end == End("exited", exit_code=127)
    assert play("", argv=["/job/text"]).end == End("exited", exit_code=126)


def test_both_outputs_come_in_the_order_of_printing(play: Play) -> None:
    seen = play("for n in 1 2 3; do echo o$n; echo e$n >&2; done; printf last")

    assert seen.lines == [b"o1", b"e1", b"o2", b"e2", b"o3", b"e3", b"last"]


def test_a_program_gets_only_its_own_variables(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not tell")

    seen = play("env", box={"environment": {"COLOR": "a=b c", "LD_PRELOAD": "/job/none.so"}})

    variables = dict(line.split("=", 1) for line in seen.text.splitlines() if "=" in line)
    assert variables["COLOR"] == "a=b c"
    assert set(variables) <= {"COLOR", "LD_PRELOAD", "PATH", "HOME", "LANG", "PWD", "OLDPWD",
                              "_", "SHLVL", "HOSTNAME", "container"}  # fmt: skip


def test_mounts_are_there_and_only_the_writable_can_be_written(
    play: Play, job: Path, tmp_path: Path
) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "file").write_text("seen\n")
    mounts = (Mount(shown, "/job-deps"), Mount(shown / "file", "/ci/one/file"))

    seen = play(
        "cat /job-deps/file /ci/one/file; echo x > /job/new; for f in /job-deps/x /x /usr/x /etc/x "
        "/ci/one/x; do (echo x > $f) 2>/dev/null && echo LEAK; done; pwd",
        mounts=mounts,
    )

    assert seen.lines == [b"seen", b"seen", b"/job"]
    assert (job / "new").read_text() == "x\n"


def test_the_default_environment_has_the_runner_s_python(play: Play) -> None:
    seen = play("python -c 'import pytest, sys; print(sys.prefix)'")

    assert seen.lines == [sys.prefix.encode()]


def test_a_stopped_box_is_asked_to_end_first(play: Play) -> None:
    stop = threading.Event()

    seen = play(
        'trap "echo asked; exit 1" TERM; echo ready; while :; do sleep 0.1; done',
        stop=stop,
        on_line=lambda line: stop.set() if line == b"ready" else None,
    )

    assert seen.end.outcome == "stopped"
    assert b"asked" in seen.lines


def test_a_box_whose_process_1_says_nothing_is_no_verdict(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "python", lambda _box: ["/usr/bin/true"])

    with pytest.raises(EngineFailure, match="did not say"):
        play("true")


def test_an_image_is_a_name_and_must_be_here(play: Play) -> None:
    for name in ("missing", "..", "/", "a/b", ""):
        with pytest.raises(ImageMissing):
            play("true", box={"image": name})


@pytest.mark.parametrize(
    "target", ["relative", "/", "/job/inside", "/proc/x", "/a/../b", "/usr/share/x"]
)
def test_a_mount_must_have_a_place_of_its_own(play: Play, tmp_path: Path, target: str) -> None:
    with pytest.raises(EngineFailure):
        play("true", mounts=(Mount(tmp_path, target),))


def test_leftovers_are_those_of_the_namespace_and_runner(engine: Engine, job: Path) -> None:
    ready, seen = threading.Event(), {}
    stop = threading.Event()

    def look(_line: bytes) -> None:
        seen["own"] = engine.leftovers("tests", "runner-1")
        ready.set()
        stop.set()

    box = Box(f"tests-{job.parent.name}", LABELS)
    engine.run(box, ["sh", "-c", "echo ready; sleep 60"], BOUNDS, line=look, stop=stop)

    assert ready.is_set()
    # What this engine runs itself is nothing left.
    assert seen["own"] == []


def test_no_engine_is_a_choice(tmp_path: Path) -> None:
    assert choose("off", tmp_path) is None


def test_an_engine_that_is_not_fit_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no engine is in there

    with pytest.raises(EngineMissing, match="bwrap is not installed"):
        choose("auto", tmp_path)


def test_an_engine_that_limits_nothing_is_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make("bwrap", tmp_path)
    monkeypatch.setattr(engine, "run", lambda *_args, **_more: End("exited", exit_code=0))

    assert engine.probe() is not None


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.events", "low 0\noom 3\noom_kill {}\n", "memory_limit"),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n", "memory_limit"),
        ("pids.events", "max {}\n", "process_limit"),
    ],
)
def test_counters_of_both_versions_of_control_groups_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, limit: str
) -> None:
    counter = tmp_path / file
    name = "max" if file.startswith("pids") else "oom_kill"
    monkeypatch.setattr(launch, "COUNTERS", ((limit, str(counter), name),))
    assert launch.newly_hit(launch.hits()) is None
    counter.write_text(text.format(2))
    before = launch.hits()

    assert launch.newly_hit(before) is None
    counter.write_text(text.format(3))
    assert launch.newly_hit(before) == limit


def test_an_image_is_a_folder_by_its_name(engine: Engine, tmp_path: Path, job: Path) -> None:
    images = tmp_path / "images"
    folder = images / "small"
    for name in ("bin", "lib", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path.readlink())
    (folder / "etc").mkdir(parents=True)
    (folder / "etc" / "mark").write_text("of the image\n")
    engine.images = images  # type: ignore[attr-defined]
    # A whole system is too much for a test: the host's own, mounted where the image has nothing.
    box = Box(
        f"tests-{job.parent.name}", LABELS, image="small", mounts=(Mount(Path("/usr"), "/usr"),)
    )
    lines: list[bytes] = []

    end = engine.run(
        box,
        ["sh", "-c", "cat /etc/mark; ls /etc; ls -d /root /home"],
        BOUNDS,
        line=lines.append,
        stop=threading.Event(),
    )

    assert end.outcome == "exited"
    assert lines[0] == b"of the image"
    assert b"passwd" not in lines or engine.name != "bwrap"
    # No mount point was made in it.
    assert [path.name for path in folder.iterdir() if not path.is_symlink()] == ["etc"]
