"""The process that sets documents, with tasks that attack it from inside."""

import os
import socket
from collections.abc import Sequence

import typst

from services.reporting.printing.typesetting import Typesetter, open_nothing_more
from shared.bounded.serving import serve


def opened(path: bytes) -> Sequence[bytes]:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return [str(error.strerror).encode()]
    return [b"opened"]


def connected(_: bytes) -> Sequence[bytes]:
    try:
        socket.socket().close()
    except OSError as error:
        return [str(error.strerror).encode()]
    return [b"connected"]


if __name__ == "__main__":
    typesetter = Typesetter()

    def attack(template: bytes) -> Sequence[bytes]:
        try:
            typesetter.pdf(b"{}", template)
        except typst.TypstError as error:
            return [f"refused: {error}".encode()]
        return [b"made"]

    open_nothing_more()
    serve({"attack": attack, "open": opened, "connect": connected})
