"""What the routes do, one package or file per subject; nothing here knows a request."""
