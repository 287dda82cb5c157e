"""Tests of what each request passes."""
