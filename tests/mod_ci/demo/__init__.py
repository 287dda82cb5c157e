"""Tests of `mod_ci.demo`."""
