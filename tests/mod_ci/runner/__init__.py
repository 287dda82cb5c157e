"""Tests of the runner, against a stand-in for the server."""
