"""Runs, their progress and results, and the verdict on them."""
