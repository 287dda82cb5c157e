"""The work of the routes, one package or file per resource; nothing here knows a request."""
