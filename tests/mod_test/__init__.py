"""Tests of runs, their results and their logs."""
