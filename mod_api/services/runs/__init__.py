"""Runs: listed, started, canceled, repeated, compared, followed."""
