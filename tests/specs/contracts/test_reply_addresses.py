"""The tag in the reply address: it names one ticket, and cannot be forged."""

from string import ascii_lowercase
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.rules import message_ids, reply_addresses

KEY = b"a key of the desk"
QUEUE = "it@help.example.org"
LETTERS = ascii_lowercase + "234567"


def made(ticket: UUID) -> str:
    address = reply_addresses.make(KEY, ticket, QUEUE)
    assert address is not None
    return address


@given(st.uuids())
def test_an_address_of_ours_names_its_ticket_whatever_happens_to_its_case(ticket: UUID) -> None:
    address = made(ticket)
    local, _, domain = address.rpartition("@")
    assert (local[:3], domain, len(local) <= 64) == ("it+", "help.example.org", True)
    for each in (address, address.upper(), f"{local}@another.example"):
        assert reply_addresses.ticket_named(KEY, each) == ticket


@given(st.uuids(), st.integers(0, 38), st.sampled_from(LETTERS))
def test_an_address_that_was_changed_names_nothing(ticket: UUID, at: int, letter: str) -> None:
    address = made(ticket)
    changed = address[: 3 + at] + letter + address[4 + at :]
    assert reply_addresses.ticket_named(KEY, changed) == (ticket if changed == address else None)
    assert reply_addresses.ticket_named(b"another key", address) is None


@given(st.uuids(), st.uuids())
def test_one_tickets_signature_opens_no_other(one: UUID, other: UUID) -> None:
    tag, another = made(one)[3:42], made(other)[3:42]
    mixed = f"it+{tag[:26]}{another[26:]}@help.example.org"
    assert reply_addresses.ticket_named(KEY, mixed) == (one if one == other else None)


def test_the_signature_of_a_message_id_is_none_of_an_address() -> None:
    ticket = UUID(int=7)
    _, name, _, signature = message_ids.make(KEY, ticket, UUID(int=8), "h.example").partition("@")[0].split(".")
    assert reply_addresses.ticket_named(KEY, f"it+{name}{signature}@help.example.org") is None


def test_an_address_without_room_gets_no_tag() -> None:
    ticket = UUID(int=7)
    assert reply_addresses.make(KEY, ticket, f"{'a' * 24}@help.example.org") is not None
    for address in (f"{'a' * 25}@help.example.org", "it+desk@help.example.org", "nobody", '"it"@help.example.org'):
        assert reply_addresses.make(KEY, ticket, address) is None


@given(st.text(max_size=120))
def test_any_address_is_read(address: str) -> None:
    assert reply_addresses.ticket_named(KEY, address) is None
