"""The demonstration that `scripts/serve` starts: a complete site, and content for it."""
