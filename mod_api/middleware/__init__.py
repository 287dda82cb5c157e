"""What every request passes: authentication, limits, errors, headers, one unit of work."""
