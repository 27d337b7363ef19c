"""Where connections that administrators configure may go."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.transports.mailboxes.destinations import NOT_ALLOWED, Destinations
from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError

NOTHING_LISTED = Destinations()
INSIDE = [
    "127.0.0.1", "127.9.8.7", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.8", "192.88.99.1", "3fff::1", "192.0.2.1", "198.18.0.1", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2001:0:a00:1::1", "2001:db8::1", "fc00::1", "fd12:3456::1",
    "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "ff0e::1", "100::1", "4000::1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


def resolving(monkeypatch: pytest.MonkeyPatch, answers: Sequence[str]) -> None:
    """Makes every name resolve to these addresses."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(families[ip_address(each).version], socket.SOCK_STREAM, 6, "", (each, port)) for each in answers]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_that_are_not_on_the_internet_are_refused(address: str) -> None:
    assert not NOTHING_LISTED.permits(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_addresses_are_allowed(address: str) -> None:
    assert NOTHING_LISTED.permits(ip_address(address))


@given(st.ip_addresses())
def test_addresses_of_this_machine_a_link_or_a_private_network_are_refused(address: Any) -> None:
    if NOTHING_LISTED.permits(address):
        assert not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)
        mapped = getattr(address, "ipv4_mapped", None)
        assert not (mapped or address).is_private


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.2.3.4", "fe80::1", "::ffff:192.168.0.1"])
def test_a_name_counts_for_what_it_resolves_to(inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, [inside])
    with pytest.raises(PermanentMailboxError) as refused:
        NOTHING_LISTED.resolve("mail.example.org", 993)
    assert str(refused.value) == NOT_ALLOWED
    resolving(monkeypatch, [inside, "8.8.8.8"])
    assert [target.address for target in NOTHING_LISTED.resolve("mail.example.org", 993)] == ["8.8.8.8"]


def test_what_the_installation_lists_may_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Destinations.parsed("Mail.Inside.example, 10.1.0.0/16 127.0.0.1\nfd00::/8 ::1")
    for address in ("10.1.2.3", "127.0.0.1", "fd00::7", "::1", "::ffff:10.1.2.3"):
        assert listed.permits(ip_address(address))
    for address in ("10.2.2.3", "127.0.0.2", "fe80::1"):
        assert not listed.permits(ip_address(address))
    resolving(monkeypatch, ["192.168.7.7"])
    assert [(each.address, each.port) for each in listed.resolve("mail.inside.EXAMPLE.", 143)] == [("192.168.7.7", 143)]
    for other in ("inside.example", "x.mail.inside.example", "mail.inside.example.org"):
        with pytest.raises(PermanentMailboxError):
            listed.resolve(other, 143)


def test_names_are_looked_up_once_and_the_address_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["8.8.8.8"])
    targets = NOTHING_LISTED.resolve("rebound.example.org", 993)
    resolving(monkeypatch, ["127.0.0.1"])
    assert [target.address for target in targets] == ["8.8.8.8"]


def test_a_silent_name_server_is_temporary_and_an_invalid_name_is_permanent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(number: int) -> Any:
        def getaddrinfo(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(number, "words of the resolver")

        return getaddrinfo

    for number, kind in ((socket.EAI_AGAIN, MailboxError), (socket.EAI_NONAME, PermanentMailboxError)):
        monkeypatch.setattr(socket, "getaddrinfo", failing(number))
        with pytest.raises(OSError) as told:
            NOTHING_LISTED.resolve("mail.example.org", 993)
        assert type(told.value) is kind and str(told.value) == NOT_ALLOWED
    monkeypatch.undo()
    for odd in ("x" * 300, "a..b", "\udcff"):
        with pytest.raises(PermanentMailboxError):
            NOTHING_LISTED.resolve(odd, 993)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "1.2.3", "::g", "10.0.0.0/8/8"])
def test_an_invalid_network_is_not_a_setting(text: str) -> None:
    with pytest.raises(ValueError):
        Destinations.parsed(text)
    assert (
        Destinations.parsed("").networks == () and ip_network("127.0.0.1") in Destinations.parsed("127.0.0.1").networks
    )
