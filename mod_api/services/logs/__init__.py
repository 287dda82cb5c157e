"""Logs of runs: read, followed, archived."""
