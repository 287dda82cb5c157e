"""Server-Sent Events for thousands of followers: one task each, one look at each log for all.

A view returns a `Stream` as the body of its response. Under the ASGI server the bridge takes it
over when the view is done, and no thread waits; under any other WSGI server it is iterated in
the request's own thread.
"""
