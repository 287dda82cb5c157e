"""Tests of baselines and of what is kept of their differences."""
