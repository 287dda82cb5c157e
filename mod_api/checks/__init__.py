"""Findings about what an installation lacks, made without changing anything."""
