"""Ports for servers are given once, and are not ports that outgoing connections may have."""

import socket
from pathlib import Path

import pytest

from deploy.local import ports


def test_a_port_is_not_given_twice() -> None:
    given = [port for _ in range(100) for port in ports.free_ports(4)]
    assert len(set(given)) == 400


def test_a_port_in_use_is_skipped() -> None:
    (last,) = ports.free_ports(1)
    following = ports.PORTS[(ports.PORTS.index(last) + 1) % len(ports.PORTS)]
    with socket.create_server(("127.0.0.1", following)):
        assert following not in ports.free_ports(3)


@pytest.mark.parametrize("first", [14_000, 32_768, 49_152])
def test_no_port_is_one_that_connections_are_given(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _chosen(f"{first}\t60999\n", tmp_path, monkeypatch).stop == first


def test_ports_are_found_even_if_connections_may_use_nearly_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(_chosen("1024\t65535\n", tmp_path, monkeypatch)) == ports.WIDTH


def _chosen(given_to_connections: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> range:
    file = folder / "ip_local_port_range"
    file.write_text(given_to_connections)
    monkeypatch.setattr(ports, "GIVEN_TO_CONNECTIONS", file)
    return ports._range()
