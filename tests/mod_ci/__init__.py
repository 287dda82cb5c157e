"""Tests of `mod_ci`."""
