"""Baselines: requested, decided, undone."""
