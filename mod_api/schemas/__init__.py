"""Every shape that crosses the wire, written once."""
