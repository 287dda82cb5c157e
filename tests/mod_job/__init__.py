"""Tests of jobs: their states and the order of their queue."""
