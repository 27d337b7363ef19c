"""What holds after any commands in any order."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify import ticket
from services.notify.ticket.addresses import is_among
from services.notify.ticket.commands import (
    Command,
    GiveNotice,
    RecordFailed,
    RecordSent,
    RequestAgentMail,
    RequestNotice,
    RequestReceipt,
    RequestRejection,
)
from shared.contracts.event import Event
from shared.contracts.notify import (
    NoticeGiven,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.rules.rejected import Rejected
from tests.specs.notify.tickets import mail

ids = st.integers(1, 4).map(lambda n: UUID(int=n))
mails = st.sampled_from(["per@customer.example", "noreply@x.example", "it@help.example.org", "nobody"]).map(mail)
OURS = frozenset(("it@help.example.org",))
ours = st.just(OURS)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(RequestReceipt, ids, mails, ours),
    st.builds(RequestAgentMail, st.sampled_from(["answer", "forward", "bounce"]), ids, ids, mails, ours),
    st.builds(RequestNotice, ids, st.sampled_from(["lock_expired", "reminder"]), mails, ours),
    st.builds(GiveNotice, ids, st.sampled_from(["follow_up", "rule"]), st.lists(ids, max_size=3).map(tuple), ids),
    st.builds(RequestRejection, st.integers(1, 9).map(lambda n: UUID(int=n)), mails, ours),
    st.builds(RecordSent, ids, st.just("smtp"), st.integers(1, 9)),
    st.builds(RecordFailed, ids, st.just("smtp"), st.integers(1, 9), st.just("550")),
)


def carried_out(wanted: list[Command]) -> list[Event]:
    state, happened = ticket.initial(), list[Event]()
    for command in wanted:
        try:
            events = ticket.decide(command, state)
        except Rejected:
            continue
        for event in events:
            state = ticket.evolve(state, event)
            happened.append(event)
    return happened


@given(st.lists(commands, max_size=30))
def test_there_is_at_most_one_receipt_and_one_request_and_outcome_for_each_notification(wanted: list[Command]) -> None:
    happened = carried_out(wanted)
    receipts = [
        e for e in happened if isinstance(e, NotificationRequested | NotificationSuppressed) and e.kind == "receipt"
    ]
    assert len(receipts) <= 1
    requested = Counter(e.notification for e in happened if isinstance(e, NotificationRequested))
    outcomes = Counter(e.notification for e in happened if isinstance(e, NotificationSent | NotificationFailed))
    assert all(count == 1 for count in (*requested.values(), *outcomes.values()))
    assert outcomes.keys() <= requested.keys()
    given = Counter(e.notice for e in happened if isinstance(e, NoticeGiven))
    assert all(count == 1 for count in given.values())


@given(st.lists(commands, max_size=30))
def test_no_mail_goes_to_ourselves_and_rejections_are_few(wanted: list[Command]) -> None:
    requested = [e for e in carried_out(wanted) if isinstance(e, NotificationRequested)]
    assert not any(is_among(to.email, OURS) for e in requested for to in e.mail.to)
    assert all(e.mail.to for e in requested)
    assert sum(e.kind == "follow_up_rejected" for e in requested) <= 1


@given(st.lists(commands, max_size=15))
def test_the_same_commands_again_change_nothing(wanted: list[Command]) -> None:
    once = carried_out(wanted)
    requests = [c for c in wanted if not isinstance(c, RecordSent | RecordFailed)]
    assert carried_out([*wanted, *requests]) == once
