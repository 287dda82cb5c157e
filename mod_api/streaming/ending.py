"""Whether this process is to end: who waits for something else then waits no longer."""

import threading

ending = threading.Event()
