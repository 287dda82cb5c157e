"""The server as it is run: gunicorn with our configuration, on loopback."""
