"""The HTTP server between gunicorn and Flask: requests in threads, streams in the event loop.

`worker.PlatformWorker` is what gunicorn starts. The application knows nothing of this package.
"""
