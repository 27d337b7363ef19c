"""Ports for servers are given once, and are none that an outgoing connection may hold."""

import socket

from deploy.local import ports


def test_what_was_given_is_not_given_again() -> None:
    given = [port for _ in range(100) for port in ports.free_ports(4)]
    assert len(set(given)) == 400


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    (last,) = ports.free_ports(1)
    following = ports.PORTS[(ports.PORTS.index(last) + 1) % len(ports.PORTS)]
    with socket.create_server(("127.0.0.1", following)):
        assert following not in ports.free_ports(3)


def test_no_port_is_one_that_connections_are_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as drawn:
        assert drawn.getsockname()[1] not in ports.PORTS
