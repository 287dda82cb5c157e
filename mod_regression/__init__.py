"""Regression tests: categories, commands on samples, baselines and their variants."""
