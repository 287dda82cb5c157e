"""Tests of samples and their storage."""
