"""The event that tells whoever waits in this process that the server shuts down."""

import threading

shutting_down = threading.Event()
