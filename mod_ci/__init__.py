"""Queue, attempts, workers and the runner: how a run of a commit comes to its results."""
