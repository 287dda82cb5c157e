#!/bin/bash
#SBATCH --requeue
#SBATCH --output=/dev/null
# A pilot: a runner that ends when nothing is queued. Requeued by Slurm, it takes what waits then.
# The runner's options are in the environment as RUNNER_... (deploy/systemd/runner.env.example), or in
# the file CI_PILOT_ENV, which every node has; RUNNER_TOKEN_FILE is readable by this account alone.
set -eu
if [ -n "${CI_PILOT_ENV:-}" ]; then
    set -a
    . "$CI_PILOT_ENV"
    set +a
fi
cd "${CI_PILOT_PROGRAM:-/srv/ci}"
# epilog.sh knows boxes and folder by this name.
name=slurm-$SLURM_JOB_ID
export RUNNER_KINDS="${RUNNER_KINDS:-job}"
exec "${CI_PILOT_PYTHON:-.venv/bin/python}" -m mod_ci.runner --drain --name "$name" \
    --work-dir "${CI_PILOT_WORK:-/var/tmp}/ci-pilot-$name"
