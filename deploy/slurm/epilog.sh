#!/bin/bash
# Slurm's Epilog, as root on the node: remove the boxes and the folder that a pilot left.
case ${SLURM_JOB_ID:-} in '' | *[!0-9]*) exit 0 ;; esac
name=slurm-$SLURM_JOB_ID
for engine in podman docker; do
    command -v "$engine" >/dev/null || continue
    # Each account has containers of its own where podman runs without root.
    for account in root ${SLURM_JOB_USER:-}; do
        boxes=$(runuser -u "$account" -- "$engine" ps --all --quiet --filter "label=ci.runner=$name") || continue
        [ -z "$boxes" ] || runuser -u "$account" -- "$engine" rm --force $boxes >/dev/null
    done
done
rm -rf --one-file-system "${CI_PILOT_WORK:-/var/tmp}/ci-pilot-$name"
# Another status would drain the node.
exit 0
