"""The state of the platform: health, queue, branches, environments, metrics."""
