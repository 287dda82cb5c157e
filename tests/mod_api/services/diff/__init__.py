"""Tests of the line by line comparison."""
