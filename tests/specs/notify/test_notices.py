"""Notices of expired locks, reminders, and rejections of messages to closed tickets."""

from uuid import UUID

import pytest

from services.notify.policies import Policies
from services.notify.ticket.commands import RequestNotice, RequestRejection
from services.notify.ticket.rules import MOST_REJECTIONS_A_DAY
from shared.contracts.directory import Member, Person
from shared.contracts.event import Event
from shared.contracts.notify import NotificationRequested, NotificationSuppressed
from shared.contracts.parts import Address, CustomerRef, PersonRef
from shared.rules import message_ids
from tests.specs.notify.tickets import (
    IT_QUEUE,
    KARI,
    KEY,
    NUMBER,
    PER,
    TICKET,
    TITLE,
    expired,
    given,
    knowing,
    mail,
    mails_by,
    person,
    policies,
    reached,
    recorded,
    rejected,
    team,
)
from tests.specs.requirement import requirement

NOTIFICATION = UUID(int=8)
OURS = frozenset(("it@help.example.org",))
KARI_PERSON, OLA, LIV = person(1, "Kari"), person(2, "Ola"), person(3, "Liv")
FOLLOWER = person(4, "Siv", follows=(IT_QUEUE.id,))


def notice(made: Policies, payload: Event) -> RequestNotice:
    (written,) = mails_by(made, payload)
    return written


def told(made: Policies) -> list[str]:
    """Whom a reminder reaches."""
    return [to.email for written in mails_by(made, reached()) for to in written.mail.to]


@requirement("A6.06")
def test_the_holder_of_an_expired_lock_is_told() -> None:
    command = notice(knowing(team(KARI_PERSON), people=[KARI_PERSON]), expired())
    one = command.mail
    assert command.kind == "lock_expired"
    assert one.to == (Address(email="kari@help.example", name="Kari"),)
    assert one.subject == f"[Ticket#{NUMBER}] Your lock has expired: {TITLE}"
    assert one.sender == Address(email="it@help.example.org", name="IT desk")
    assert one.auto_submitted == "auto-generated"
    assert message_ids.tickets_named(KEY, one.message_id) == [TICKET]
    for words in ("Hello Kari,", NUMBER, TITLE, "IT support", "23 November 2026, 08:30 UTC"):
        assert words in one.text
    assert "unknown" not in one.text


@pytest.mark.parametrize("because", ["released", "closed", "moved", "merged", "a word of tomorrow"])
def test_a_lock_that_did_not_expire_leads_to_no_notice(because: str) -> None:
    assert knowing(IT_QUEUE, people=[KARI_PERSON]).react(recorded(expired(because=because))) == []


def test_an_agent_who_has_left_is_not_told() -> None:
    assert knowing(team(KARI_PERSON)).react(recorded(expired())) == []
    customer = KARI_PERSON.model_copy(update={"roles": ("customer",)})
    assert knowing(team(KARI_PERSON), people=[customer]).react(recorded(expired())) == []


@requirement("A19.02")
def test_an_agent_who_may_no_longer_read_the_ticket_is_not_told() -> None:
    """They held the lock, or owned the ticket, before they lost the queue or the ticket moved to another."""
    assert knowing(team(OLA), people=[KARI_PERSON, OLA]).react(recorded(expired())) == []
    assert told(knowing(team(OLA), people=[KARI_PERSON, OLA], owner=KARI)) == ["ola@help.example"]
    assert told(knowing(team(OLA, rights=("work",)), people=[OLA])) == []
    administrator = KARI_PERSON.model_copy(update={"roles": ("admin",)})
    assert told(knowing(team(OLA), people=[administrator, OLA], owner=KARI)) == ["kari@help.example"]


def test_an_unknown_ticket_leads_to_no_notice() -> None:
    assert policies(IT_QUEUE).react(recorded(expired())) == []
    assert policies(IT_QUEUE).react(recorded(reached())) == []


@requirement("A5.05")
def test_a_reminder_reaches_the_owner() -> None:
    made = knowing(team(KARI_PERSON, OLA, FOLLOWER), people=[KARI_PERSON, OLA, FOLLOWER], owner=KARI)
    command = notice(made, reached())
    assert command.kind == "reminder"
    assert command.mail.to == (Address(email="kari@help.example", name="Kari"),)
    assert command.mail.subject == f"[Ticket#{NUMBER}] Reminder: {TITLE}"
    assert command.mail.auto_submitted == "auto-generated"
    for words in ("Hello Kari,", NUMBER, TITLE, "until 23 November 2026, 08:30 UTC", "You own it."):
        assert words in command.mail.text


@requirement("A5.05", "A3.14")
def test_without_an_owner_a_reminder_reaches_those_who_work_in_the_queue_and_follow_it() -> None:
    made = knowing(team(OLA, FOLLOWER), people=[OLA, FOLLOWER])
    assert told(made) == ["siv@help.example"]
    assert "Nobody owns it." in notice(made, reached()).mail.text
    gone = knowing(team(OLA), people=[OLA], owner=PersonRef(id=UUID(int=99), name="Gone"))
    assert "Gone owns it." in notice(gone, reached()).mail.text


def test_a_reminder_for_an_owner_who_has_left_reaches_the_team() -> None:
    assert told(knowing(team(OLA), people=[OLA], owner=PersonRef(id=UUID(int=99), name="Gone"))) == ["ola@help.example"]


def test_if_nobody_follows_the_queue_a_small_team_is_reminded_and_a_large_one_is_not() -> None:
    small = [person(n, f"P{n}") for n in range(10, 15)]
    assert told(knowing(team(*small), people=small)) == [f"p{n}@help.example" for n in range(10, 15)]
    large = [*small, OLA]
    assert told(knowing(team(*large), people=large)) == []


def test_followers_who_may_not_work_in_the_queue_are_not_reminded() -> None:
    assert told(knowing(team(FOLLOWER, rights=("read",)), people=[FOLLOWER])) == []
    assert told(knowing(IT_QUEUE, people=[FOLLOWER])) == []


def test_at_most_twenty_followers_are_reminded() -> None:
    crowd = [person(n, f"P{n}", follows=(IT_QUEUE.id,)) for n in range(100, 400)]
    assert len(told(knowing(team(*crowd), people=crowd))) == 20


def test_an_unknown_queue_has_no_team() -> None:
    assert told(knowing(people=[OLA])) == []
    stranger = IT_QUEUE.model_copy(update={"members": (Member(person=OLA.id, rights=("work",)),)})
    assert told(knowing(stranger)) == []


@requirement("A6.06", "A5.05")
def test_a_notice_is_requested_once() -> None:
    command = RequestNotice(NOTIFICATION, "reminder", mail(), OURS)
    requested = NotificationRequested(notification=NOTIFICATION, kind="reminder", article=NOTIFICATION, mail=mail())
    given().when(command).then(requested)
    given(requested).when(command).then()
    given(requested).when(RequestNotice(UUID(int=9), "reminder", mail(), OURS)).then(
        requested.model_copy(update={"notification": UUID(int=9), "article": UUID(int=9)})
    )


def test_a_notice_to_the_address_of_a_queue_is_suppressed() -> None:
    command = RequestNotice(NOTIFICATION, "lock_expired", mail("it@help.example.org"), OURS)
    suppressed = NotificationSuppressed(
        kind="lock_expired", article=NOTIFICATION, reason="the address is one of our own queues"
    )
    given().when(command).then(suppressed)
    given(suppressed).when(command).then()


def rejection(payload: Event) -> RequestRejection:
    (command,) = policies(IT_QUEUE).react(recorded(payload))
    assert isinstance(command, RequestRejection)
    return command


def test_a_rejected_message_that_forbids_a_reply_gets_none() -> None:
    assert policies(IT_QUEUE).react(recorded(rejected(no_answer=True))) == []


def test_the_reply_to_a_rejected_message_says_how_to_open_a_new_ticket() -> None:
    (told,) = knowing(IT_QUEUE, customer=PER, proven=True).react(recorded(rejected()))
    assert isinstance(told, RequestRejection)
    one = told.mail
    assert one.to == (Address(email=PER.email, name=PER.name),)
    assert one.subject == f"Re: [Ticket#{NUMBER}] {TITLE}"
    assert one.auto_submitted == "auto-replied"
    assert (one.in_reply_to, one.references) == ("<second@customer.example>", ("<second@customer.example>",))
    for words in ("Hello Per Hansen,", NUMBER, TITLE, "closed", "write a new mail to it@help.example.org"):
        assert words in one.text
    assert "unknown" not in one.text


def test_the_reply_to_an_unproven_sender_contains_nothing_they_wrote() -> None:
    stranger = CustomerRef(id=UUID(int=66), email="eve@forged.example", name="Win at https://shop.example")
    for known in (
        policies(IT_QUEUE),
        knowing(IT_QUEUE, customer=PER),
        knowing(IT_QUEUE, customer=PER.model_copy(update={"email": "per@other.example"}), proven=True),
    ):
        (told,) = known.react(recorded(rejected(customer=stranger)))
        assert isinstance(told, RequestRejection)
        assert told.mail.to == (Address(email=stranger.email),)
        assert told.mail.subject == f"[Ticket#{NUMBER}] Your request is closed"
        assert TITLE not in told.mail.text
        assert "shop.example" not in told.mail.model_dump_json()
        assert f"your request {NUMBER} is closed and takes no more messages.\n\nIf you need" in told.mail.text


def test_the_reply_to_a_rejected_message_uses_the_customers_current_address() -> None:
    record = Person(id=UUID(int=71), login="per", name="Per Dahl", email="per@new.example", roles=("customer",))
    made = knowing(IT_QUEUE, customer=PER, proven=True)
    made.inputs.people.update({PER.id: record, record.id: record})  # he asked before he had a record
    (told,) = made.react(recorded(rejected(customer=CustomerRef(id=record.id, email=record.email, name=record.name))))
    assert isinstance(told, RequestRejection)
    assert told.mail.to == (Address(email="per@new.example", name="Per Dahl"),)
    assert TITLE in told.mail.subject


def test_another_person_with_the_customers_address_is_told_nothing_about_the_ticket() -> None:
    other = CustomerRef(id=UUID(int=67), email=PER.email, name="Somebody Else")
    (told,) = knowing(IT_QUEUE, customer=PER, proven=True).react(recorded(rejected(customer=other)))
    assert isinstance(told, RequestRejection)
    assert (told.mail.to, TITLE in told.mail.model_dump_json()) == ((Address(email=PER.email),), False)


def test_a_rejected_message_that_was_no_mail_gets_a_reply() -> None:
    one = rejection(rejected(message_id=None)).mail
    assert (one.in_reply_to, one.references) == (None, ())


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("noreply@shop.example", "the address belongs to a machine"),
        ("MAILER-DAEMON@mx.example", "the address belongs to a machine"),
        ("it+x@help.example.org", "the address is one of our own queues"),
        ("by phone", "the customer has no usable mail address"),
    ],
)
def test_machines_and_our_own_queues_get_no_rejection(address: str, reason: str) -> None:
    given().when(RequestRejection(NOTIFICATION, mail(address), OURS)).then(
        NotificationSuppressed(kind="follow_up_rejected", article=NOTIFICATION, reason=reason)
    )


def told_before(times: int) -> list[NotificationRequested]:
    return [
        NotificationRequested(notification=UUID(int=n), kind="follow_up_rejected", article=UUID(int=n), mail=mail())
        for n in range(20, 20 + times)
    ]


def not_told(reason: str) -> NotificationSuppressed:
    return NotificationSuppressed(kind="follow_up_rejected", article=NOTIFICATION, reason=reason)


def test_a_rejection_is_sent_at_most_once_in_ten_minutes() -> None:
    reason = "the customer was told within the last ten minutes"
    command = RequestRejection(NOTIFICATION, mail(), older_than_ten_minutes=1, older_than_a_day=0)
    (one,) = given(*told_before(1)).when(command).events
    assert isinstance(one, NotificationRequested)
    given(*told_before(2)).when(command).then(not_told(reason))
    given(*told_before(2), not_told(reason)).when(command).then()
    given(*told_before(1)).when(RequestRejection(UUID(int=20), mail())).then()


def test_at_most_three_rejections_a_day_are_sent() -> None:
    command = RequestRejection(NOTIFICATION, mail(), older_than_ten_minutes=MOST_REJECTIONS_A_DAY, older_than_a_day=0)
    given(*told_before(MOST_REJECTIONS_A_DAY)).when(command).then(
        not_told("the customer was told 3 times within 24 hours")
    )
    tomorrow = RequestRejection(NOTIFICATION, mail(), older_than_ten_minutes=3, older_than_a_day=1)
    (one,) = given(*told_before(MOST_REJECTIONS_A_DAY)).when(tomorrow).events
    assert isinstance(one, NotificationRequested)
