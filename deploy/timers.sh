#!/bin/sh
# What systemd's timers do elsewhere, for the compose file: each command on its schedule, for ever.
# A command that fails has said why, and is tried again the next time. The argument is the folder
# where it is kept when each last ended.
kept=$1

# every MINUTES COMMAND...: runs it unless it ended less than so long ago, which a file tells also after
# a restart.
every() {
    minutes=$1
    shift
    if [ -z "$(find "$kept" -name "$*" -mmin "-$minutes")" ]; then
        "$@"
        touch "$kept/$*"
    fi
}

# What takes long goes on by itself, one after the other; leases do not wait for it.
while true; do
    every 60 flask --app run logs keep
    every 1440 flask --app run repository sweep
    every 1440 flask --app run jobs expire
    if [ -n "$GCS_BUCKET" ]; then every 1440 flask --app run repository sync; fi
    every 10080 flask --app run rollup verify
    sleep 60
done &

# Neither waits for the other: receivers may be slow.
while true; do
    flask --app run outbox deliver
    sleep 60
done &

while true; do
    flask --app run queue expire
    # Up to the next full minute, however long that took.
    sleep $((60 - $(date +%s) % 60))
done
