"""Results of regression tests in runs, and their history."""
