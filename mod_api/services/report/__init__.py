"""Why a run failed: what is gathered of it, and how that is told."""
