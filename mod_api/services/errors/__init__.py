"""Errors of runs: of their tests and of the infrastructure."""
