"""Tests of the sample repository, on a real folder and against a real storage server."""
