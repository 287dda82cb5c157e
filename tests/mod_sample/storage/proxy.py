"""A TCP proxy on loopback that can do to a storage server what networks do."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What is done to connections whose request line contains `when`.

    `reset`: closed at once. `hang`: never answered. `delay_s`: answered so much later.
    `cut_body_at`: closed after so many bytes of the body. `drip_s`: one byte of the body,
    then such a pause. `answers`: given instead of the server's, each once; then none.
    """

    when: bytes = b""
    reset: bool = False
    hang: bool = False
    delay_s: float = 0.0
    cut_body_at: int | None = None
    drip_s: float | None = None
    answers: list[bytes] = field(default_factory=list)


class Proxy:
    """Listens on a free port and passes on to `upstream_port`, obeying `fault`."""

    def __init__(self, upstream_port: int) -> None:
        self.fault: Fault | None = None
        self.requests: list[bytes] = []
        self._upstream_port = upstream_port
        self._closed = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop, and break every connection that still hangs."""
        self._closed.set()
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            with client, contextlib.suppress(OSError):
                self._exchange(client)
        finally:
            with self._lock:
                self._open.discard(client)

    def _exchange(self, client: socket.socket) -> None:
        head = client.recv(65536)
        line = head.split(b"\r\n", 1)[0]
        if not head:
            return
        self.requests.append(line)
        fault = self.fault if self.fault and self.fault.when in line else Fault()
        if fault.reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if fault.hang:
            self._closed.wait()
            return
        if fault.answers:
            client.sendall(fault.answers.pop(0))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
            return
        with socket.create_connection(("127.0.0.1", self._upstream_port)) as server:
            server.sendall(head)
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            self._answer(server, client, fault)
            # The other direction may still be read: closing alone would not end it.
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, fault: Fault) -> None:
        if self._closed.wait(fault.delay_s):
            return
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = server.recv(65536)
            if not data:
                client.sendall(answer)
                return
            answer += data
        head, body = answer.split(b"\r\n\r\n", 1)
        client.sendall(head + b"\r\n\r\n")
        left = fault.cut_body_at
        body = body or server.recv(65536)
        while body:
            if left is not None:
                client.sendall(body[:left])
                left -= len(body)
                if left <= 0:
                    return
            elif fault.drip_s is not None:
                for byte in body:
                    client.sendall(bytes([byte]))
                    if self._closed.wait(fault.drip_s):
                        return
            else:
                client.sendall(body)
            body = server.recv(65536)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
