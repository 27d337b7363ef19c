"""A TCP proxy that a test can interrupt, like a restart of the server."""

import contextlib
import socket
import threading


class Cable:
    """Listens on `port` and forwards everything to `target` while it is connected."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._plug(0)

    @property
    def port(self) -> int:
        return self._port

    def _plug(self, port: int) -> None:
        listener = socket.create_server(("127.0.0.1", port))
        self._port = int(listener.getsockname()[1])
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def plug_in(self) -> None:
        self._plug(self._port)

    def cut(self) -> None:
        """Ends every connection and takes no new one."""
        assert self._listener is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
