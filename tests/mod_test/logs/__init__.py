"""Tests of the log engine."""
