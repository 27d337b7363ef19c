"""A small virus scanner on loopback that speaks clamd's INSTREAM (clamd(8)), and can fail in every way."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The EICAR test file, which every scanner reports. In two pieces, so that scanners do not report this file."""


class Scanner:
    """`answers` replaces its verdict; `hangs`: it takes everything and says nothing; `longest`: bytes of a stream that
    it takes."""

    def __init__(self) -> None:
        self.address = ""
        self.answers: bytes | None = None
        self.hangs = False
        self.longest = 1 << 20
        self.streams: list[bytes] = []
        self.going_on = threading.Event()

    def serve(self, connection: socket.socket) -> None:
        command = b""
        while not command.endswith(b"\0"):
            command += connection.recv(1)
        assert command == b"zINSTREAM\0"
        content = b""
        while length := struct.unpack(">I", _exactly(connection, 4))[0]:
            content += _exactly(connection, length)
            if len(content) > self.longest:
                connection.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.streams.append(content)
        if self.hangs:
            self.going_on.wait(60)
            return
        verdict = b"stream: Eicar-Signature FOUND\0" if EICAR in content else b"stream: OK\0"
        connection.sendall(verdict if self.answers is None else self.answers)


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = connection.recv(count, socket.MSG_WAITALL) if count else b""
    if len(found) < count:
        raise ConnectionError("the other side is gone")
    return found


@contextmanager
def scanner() -> Iterator[Scanner]:
    made = Scanner()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                made.serve(self.request)
            except ConnectionError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.going_on.set()
            server.shutdown()
