"""Samples, their tags and uploads, and the storage that holds every file."""
