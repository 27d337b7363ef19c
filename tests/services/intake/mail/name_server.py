"""A small DNS server on loopback: it answers over UDP and TCP with the records of a test, or not at all."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class NameServer:
    """`records` by lower-case name and type; `silent` names, or everything when `all_silent`, get no answer; `broken`
    ones SERVFAIL."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.all_silent = False
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def txt(self, name: str, text: str) -> None:
        pieces = [text[at : at + 250] for at in range(0, len(text), 250)]
        self.records.setdefault((name, "TXT"), []).append(" ".join(f'"{piece}"' for piece in pieces))

    def put(self, name: str, kind: str, *values: str) -> None:
        self.records[name, kind] = list(values)

    def answer(self, wire: bytes, *, longest: int) -> bytes | None:
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if self.all_silent or name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in self.records:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *self.records[name, kind]))
        elif not any(known == name for known, _ in self.records) and name != ".":
            response.set_rcode(dns.rcode.NXDOMAIN)
        made = response.to_wire(max_size=65_535)
        if len(made) > longest:
            response.answer.clear()
            response.flags |= dns.flags.TC
            made = response.to_wire()
        return made


@contextmanager
def name_server() -> Iterator[NameServer]:
    names = NameServer()

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, reply = self.request
            answer = names.answer(wire, longest=512)
            if answer is not None:
                reply.sendto(answer, self.client_address)

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            (length,) = struct.unpack(">H", connection.recv(2, socket.MSG_WAITALL))
            answer = names.answer(connection.recv(length, socket.MSG_WAITALL), longest=65_535)
            if answer is not None:
                connection.sendall(struct.pack(">H", len(answer)) + answer)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    for _ in range(20):  # one port must be free for both
        udp: Any = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)
        try:
            tcp: Any = socketserver.ThreadingTCPServer(udp.server_address, Tcp)
        except OSError:
            udp.server_close()
            continue
        break
    names.address = f"127.0.0.1:{udp.server_address[1]}"
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in (udp, tcp)]
    for thread in threads:
        thread.start()
    try:
        yield names
    finally:
        for server in (udp, tcp):
            server.shutdown()
            server.server_close()
