"""Counters of several processes, in processes of their own: the library decides when it is loaded
whether it counts together."""

import os
import subprocess
import sys
from pathlib import Path

from config import ROOT

COUNTING = """
import os, sys
import metrics_files
metrics_files.share({folder!r})
first = os.environ[metrics_files.VARIABLE]
metrics_files.share({folder!r})  # as when gunicorn reads its configuration again
assert os.environ[metrics_files.VARIABLE] == first
import metrics

def child(times):
    pid = os.fork()
    if not pid:
        for _ in range(times):
            metrics.request_answered("GET", "/x", 200, 0.1)
        metrics.streams.inc()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid

def told(name):
    for line in metrics.exposition().decode().splitlines():
        if line.startswith(name) and "_bucket" not in line:
            print(line)

ended = [child(2), child(3)]
told("ci_http_requests_total")
told("ci_streams ")
for pid in ended:
    metrics_files.bury(pid)
told("ci_http_requests_total")
told("ci_http_request_seconds_count")
told("ci_streams ")
metrics_files.bury(child(4))
told("ci_http_requests_total")
own = f"_{{os.getpid()}}.db"  # of the process that goes on
print(sorted(name for name in os.listdir(first) if "gauge" not in name and not name.endswith(own)))
metrics_files.remove()
print(os.path.exists(first))
"""


def test_what_ended_processes_have_counted_goes_on_counting_in_one_file_of_each_kind(
    tmp_path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNTING.format(folder=str(tmp_path))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    labels = '{method="GET",route="/x",status="200"}'
    assert done.stdout.splitlines() == [
        f"ci_http_requests_total{labels} 5.0",
        "ci_streams 2.0",
        f"ci_http_requests_total{labels} 5.0",
        'ci_http_request_seconds_count{method="GET",route="/x"} 5.0',
        "ci_streams 0.0",
        f"ci_http_requests_total{labels} 9.0",
        "['alive', 'counter_ended.db', 'histogram_ended.db', 'lock']",
        "False",
    ], done.stderr


UNASKED = """
import os
import metrics_files
metrics_files.count_alone()
import metrics
metrics.request_answered("GET", "/x", 200, 0.1)
assert b"ci_http_requests_total" in metrics.exposition()
metrics_files.bury(os.getpid())
metrics_files.remove()
"""


def test_the_folder_of_another_program_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"another program's")

    done = subprocess.run(
        [sys.executable, "-c", UNASKED],
        cwd=ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["counter_1.db"]
    assert (tmp_path / "counter_1.db").read_bytes() == b"another program's"


HOLDING = """
import os, sys
import metrics_files
metrics_files.share({folder!r})
print(os.environ[metrics_files.VARIABLE], flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def holding(folder: Path) -> "tuple[subprocess.Popen[str], Path]":
    """A process that counts into a folder of its own, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(folder=str(folder))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_of_a_killed_server_is_removed_by_the_next_one_and_a_live_ones_is_not(
    tmp_path: Path,
) -> None:
    killed, its_folder = holding(tmp_path)
    alive, other_folder = holding(tmp_path)
    killed.communicate()
    was_left = its_folder.exists()

    last, _ = holding(tmp_path)
    found = its_folder.exists(), other_folder.exists()
    for process in (alive, last):
        process.communicate()

    assert was_left
    assert found == (False, True)
