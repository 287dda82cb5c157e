"""The layers of every request: authentication, limits, errors, headers, one unit of work."""
