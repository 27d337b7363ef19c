from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.rules import message_ids

KEY = b"a key of the desk"


@given(st.uuids(), st.uuids())
def test_our_message_id_names_its_ticket_whatever_happens_to_its_case(ticket: UUID, notification: UUID) -> None:
    made = message_ids.make(KEY, ticket, notification, "help.example.org")
    for header in (made, made.upper(), f"<other@example.org>\r\n {made} <x@y>"):
        assert message_ids.tickets_named(KEY, header) == [ticket]


@given(st.uuids(), st.uuids(), st.integers(0, 47), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_or_foreign_message_id_names_nothing_else(
    ticket: UUID, notification: UUID, at: int, letter: str
) -> None:
    made = message_ids.make(KEY, ticket, notification, "help.example.org")
    assert message_ids.tickets_named(b"another key", made) == []
    changed = made[: 4 + at] + letter + made[5 + at :]
    # Some bits of the last letter have no meaning; any other change must break the signature.
    assert message_ids.tickets_named(KEY, changed) == (
        [ticket] if changed == made or (at == 25 and _same(changed, ticket)) else []
    )


def _same(changed: str, ticket: UUID) -> bool:
    return message_ids.tickets_named(KEY, changed) == [ticket]


@given(st.uuids(), st.uuids())
def test_a_message_id_fits_a_line(ticket: UUID, notification: UUID) -> None:
    assert len(message_ids.make(KEY, ticket, notification, "help.example.org")) <= 76


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    assert message_ids.tickets_named(KEY, header) == []
