#!/usr/bin/env python3
"""Submit as many pilots to Slurm as the queue's depth asks for. Python's standard library only.

A pilot is a runner that ends when nothing is queued (pilot.sh). A timer starts this script; two at
once on a host, a server that is away and a controller that is away do no harm.
"""

import argparse
import fcntl
import re
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

NAME = "ci-pilot"
TIMEOUT_S = 30
DEPTH = re.compile(r'^ci_queue_depth\{kind="(run|job)"\} ([0-9.e+]+)$', re.MULTILINE)
WAITING = {"PENDING", "CONFIGURING", "REQUEUED"}


def depth(metrics: str, kinds: Sequence[str]) -> int:
    """Count what waits for a runner, by the server's metrics. Raises OSError, ValueError."""
    with urllib.request.urlopen(metrics, timeout=TIMEOUT_S) as answer:  # noqa: S310  # the operator's URL
        found = {kind: int(float(value)) for kind, value in DEPTH.findall(answer.read().decode())}
    if missing := [kind for kind in kinds if kind not in found]:
        raise ValueError(f"the metrics have no ci_queue_depth of {', '.join(missing)}")
    return sum(found[kind] for kind in kinds)


def call(*argv: str) -> str:
    """Return what a command of Slurm prints. Raises OSError, SubprocessError."""
    return subprocess.run(  # noqa: S603  # no shell, fixed commands
        argv, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S
    ).stdout


def missing(queued: int, states: Sequence[str], most: int) -> int:
    """Count the pilots to submit: one for each queued run or job that no pilot waits for."""
    waiting = sum(state in WAITING for state in states)
    return max(0, min(queued - waiting, most - len(states)))


def main(argv: Sequence[str]) -> int:
    """Submit what is missing; returns the exit status, 1 when somebody did not answer."""
    parser = argparse.ArgumentParser(description="Submits pilots to Slurm by the queue's depth.")
    parser.add_argument("--metrics", required=True, help="URL of the server's /metrics")
    parser.add_argument("--kinds", default="job", help="run, job or run,job (default: job)")
    parser.add_argument("--most", type=int, default=4, help="pilots at once (default: 4)")
    parser.add_argument("--lock", type=Path, required=True, help="file that one script locks")
    parser.add_argument("pilot", help="script for sbatch")
    args = parser.parse_args(argv)
    with args.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        try:
            queued = depth(args.metrics, args.kinds.split(","))
            states = call("squeue", "--me", "--noheader", f"--name={NAME}", "--format=%T").split()
            for _ in range(missing(queued, states, args.most)):
                call("sbatch", "--parsable", f"--job-name={NAME}", args.pilot)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"pilots: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
