"""Tests of what is said about changed captions."""
