#!/bin/sh
# What systemd's timers do elsewhere, for the compose file: each command on its schedule, for ever.
# A command that fails has said why, and is tried again the next time.
minute=0
while true; do
    flask --app run queue expire
    if [ $((minute % 60)) -eq 5 ]; then flask --app run logs keep; fi
    if [ $((minute % 1440)) -eq 10 ]; then flask --app run repository sweep; fi
    if [ $((minute % 10080)) -eq 20 ]; then flask --app run rollup verify; fi
    minute=$((minute + 1))
    sleep 60
done
