"""Tests of the HTTP server between gunicorn and Flask."""
