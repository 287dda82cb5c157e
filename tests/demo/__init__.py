"""Tests of the demonstration: its content, and its start."""
