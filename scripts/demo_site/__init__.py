"""A site for a demonstration, as `scripts/serve` starts it."""
