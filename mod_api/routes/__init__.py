"""One file per resource: path, scope, input, output, one call."""
