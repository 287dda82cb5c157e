"""Outputs and other files of runs: found, shown, compared, downloaded."""
