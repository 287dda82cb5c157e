"""Tests of what the routes do."""
