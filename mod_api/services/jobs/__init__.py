"""Jobs: submitting them, acting on them, reading what became of them."""
