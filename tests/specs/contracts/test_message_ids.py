from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import message_ids

KEY = b"a key of the desk"


@given(st.uuids(), st.uuids())
def test_our_message_id_names_its_ticket_whatever_happens_to_its_case(ticket: UUID, notification: UUID) -> None:
    made = message_ids.make(KEY, ticket, notification, "help.example.org")
    for header in (made, made.upper(), f"<other@example.org>\r\n {made} <x@y>"):
        assert message_ids.tickets_named(KEY, header) == [ticket]


@given(st.uuids(), st.uuids(), st.integers(0, 25), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_or_foreign_message_id_names_nothing(ticket: UUID, notification: UUID, at: int, letter: str) -> None:
    made = message_ids.make(KEY, ticket, notification, "help.example.org")
    assert message_ids.tickets_named(b"another key", made) == []
    changed = made[: 4 + at] + letter + made[5 + at :]
    assert message_ids.tickets_named(KEY, changed) in ([], [ticket])
    if UUID(int=0) not in (ticket,) and changed != made and message_ids.tickets_named(KEY, changed):
        # only the unused bits of the last base32 letter may differ
        assert at == 25


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    assert message_ids.tickets_named(KEY, header) == []
