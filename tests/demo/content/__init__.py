"""Tests of `demo.content`."""
