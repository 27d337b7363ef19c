"""Notices to agents: about their own tickets always, about others in their queues if they want (A6.11, A10.05)."""

from uuid import UUID

import pytest

from services.notify.policies import Policies
from services.notify.ticket.commands import RequestNotice
from shared.contracts.directory import Person, Queue
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.parts import Address, Message, PersonRef, QueueRef
from shared.contracts.routing import TicketMoved
from tests.specs.notify.tickets import (
    IT,
    IT_QUEUE,
    KARI,
    NUMBER,
    PER,
    TITLE,
    expired,
    given_by,
    knowing,
    mails_by,
    opened,
    policies,
    team,
)
from tests.specs.notify.tickets import person as somebody
from tests.specs.requirement import requirement

KARI_PERSON, OLA = somebody(1, "Kari"), somebody(2, "Ola")
OLA_REF = PersonRef(id=OLA.id, name="Ola")
HR = QueueRef(id=UUID(int=11), slug="hr", name="HR")
ALL = ("new_ticket", "follow_up", "lock_expired", "moved")
SIV = somebody(4, "Siv", follows=(IT_QUEUE.id,), notices=ALL)


def wrote(text: str = "It hums again.", **more: object) -> CustomerMessageReceived:
    words = Message(id=UUID(int=105), channel="email", text=text)
    return CustomerMessageReceived.model_validate({"number": NUMBER, "customer": PER, "message": words, **more})


def notices(made: Policies, payload: Event, actor: str | None = None) -> list[RequestNotice]:
    return mails_by(made, payload, actor)


def told(made: Policies, payload: Event, actor: str | None = None) -> list[str]:
    return [to.name for each in notices(made, payload, actor) for to in each.mail.to]


@requirement("A6.11")
def test_the_responsible_agent_is_told_about_a_customers_message() -> None:
    made = knowing(team(KARI_PERSON, OLA), people=[KARI_PERSON, OLA], owner=KARI, responsible=OLA_REF)
    (one,) = notices(made, wrote())
    assert one.kind == "follow_up"
    assert one.mail.to == (Address(email="ola@help.example", name="Ola"),)
    assert one.mail.subject == f"[Ticket#{NUMBER}] New message: {TITLE}"
    assert one.mail.auto_submitted == "auto-generated"
    for words in ("Hello Ola,", "Per Hansen wrote", NUMBER, TITLE, "IT support", "It hums again."):
        assert words in one.mail.text
    assert "unknown" not in one.mail.text


@requirement("A6.11")
def test_without_a_responsible_agent_the_owner_is_told() -> None:
    assert told(knowing(team(KARI_PERSON), people=[KARI_PERSON], owner=KARI), wrote()) == ["Kari"]
    assert told(knowing(team(KARI_PERSON), people=[KARI_PERSON]), wrote()) == []


def test_agents_who_have_left_or_may_no_longer_read_the_ticket_are_not_told() -> None:
    assert told(knowing(team(KARI_PERSON), people=[KARI_PERSON], owner=KARI, responsible=OLA_REF), wrote()) == ["Kari"]
    others_queue = team(OLA)
    assert told(knowing(others_queue, people=[KARI_PERSON, OLA], owner=KARI), wrote()) == []
    admin = KARI_PERSON.model_copy(update={"roles": ("admin",)})
    assert told(knowing(others_queue, people=[admin], owner=KARI), wrote()) == ["Kari"]


def test_the_team_is_told_if_the_owner_and_the_responsible_agent_have_left() -> None:
    assert told(knowing(team(KARI_PERSON, OLA), people=[OLA], owner=KARI), wrote()) == ["Ola"]
    customer = KARI_PERSON.model_copy(update={"roles": ("customer",)})
    assert told(knowing(team(KARI_PERSON, OLA), people=[customer, OLA], owner=KARI), wrote()) == ["Ola"]


def test_nobody_is_told_about_their_own_actions() -> None:
    made = knowing(team(KARI_PERSON, SIV), people=[KARI_PERSON], owner=KARI, wanting=[SIV])
    assert told(made, wrote(), actor=str(KARI.id)) == ["Siv"]
    assert told(made, wrote(), actor=str(SIV.id)) == ["Kari"]


def test_an_owner_with_a_subscription_is_told_once() -> None:
    owner = PersonRef(id=SIV.id, name="Siv")
    assert told(knowing(team(SIV, OLA), people=[SIV], owner=owner, wanting=[SIV]), wrote()) == ["Siv"]


def test_a_long_message_is_cut_in_the_notice() -> None:
    (one,) = notices(knowing(team(KARI_PERSON), people=[KARI_PERSON], owner=KARI), wrote("hum " * 5_000))
    assert "[...]" in one.mail.text
    assert len(one.mail.text) < 5_000


def test_a_customers_text_is_not_rendered_as_a_template() -> None:
    (one,) = notices(knowing(team(KARI_PERSON), people=[KARI_PERSON], owner=KARI), wrote("{{ agent.name }} {% if"))
    assert "{{ agent.name }} {% if" in one.mail.text


MOVED = TicketMoved(to=IT, was=HR, by=KARI)


@requirement("A10.01", "A10.02", "A10.05", "A10.07")
@pytest.mark.parametrize(
    ("payload", "kind", "subject", "words"),
    [
        (opened(channel="web"), "new_ticket", "New ticket", "Since this morning."),
        (opened(), "new_ticket", "New ticket", "Since this morning."),
        (wrote(), "follow_up", "New message", "It hums again."),
        (MOVED, "moved", "Moved here", "was moved to IT support"),
        (expired(), "lock_expired", "A lock has expired", "The lock of Kari"),
    ],
)
def test_subscribers_get_the_notice(payload: Event, kind: str, subject: str, words: str) -> None:
    wanting = [SIV.model_copy(update={"notices": (kind,)})]
    (one,) = notices(knowing(team(SIV), wanting=wanting), payload)
    assert (one.kind, one.mail.to) == (kind, (Address(email="siv@help.example", name="Siv"),))
    assert one.mail.subject == f"[Ticket#{NUMBER}] {subject}: {TITLE}"
    for each in (words, NUMBER, TITLE, "IT support", "Hello Siv,"):
        assert each in one.mail.text
    assert "unknown" not in one.mail.text


@requirement("A10.05")
@pytest.mark.parametrize("payload", [opened(), wrote(), MOVED, expired()])
def test_agents_without_a_subscription_get_no_notice(payload: Event) -> None:
    assert told(knowing(team(SIV), wanting=[SIV.model_copy(update={"notices": ()})]), payload) == []


@requirement("A10.06")
def test_subscribers_are_told_about_tickets_of_their_own_queues() -> None:
    elsewhere = SIV.model_copy(update={"follows": (HR.id,)})
    assert told(knowing(team(elsewhere), wanting=[elsewhere]), opened()) == []
    follows_none = SIV.model_copy(update={"follows": ()})
    assert told(knowing(team(follows_none), wanting=[follows_none]), opened()) == ["Siv"]
    assert told(knowing(IT_QUEUE, wanting=[follows_none]), opened()) == []


@requirement("A19.02")
def test_agents_who_may_not_read_the_queue_are_not_told() -> None:
    def asked(person: Person, queue: Queue) -> list[str]:
        return told(knowing(queue, wanting=[person]), opened())

    assert asked(SIV, IT_QUEUE) == []
    assert asked(SIV, team(SIV, rights=("create", "note"))) == []
    assert asked(SIV, team(SIV, rights=("read",))) == ["Siv"]
    assert asked(SIV.model_copy(update={"roles": ("admin",)}), IT_QUEUE) == ["Siv"]
    assert asked(SIV.model_copy(update={"roles": ("customer",)}), team(SIV)) == []


def test_each_subscriber_gets_their_own_mail_about_one_notice() -> None:
    crowd = [somebody(n, f"P{n}", notices=ALL) for n in range(100, 150)]
    made = knowing(team(*crowd), wanting=crowd)
    (given,) = given_by(made, opened())
    assert given.people == tuple(each.id for each in crowd)
    mails = notices(made, opened())
    assert [[to.name for to in each.mail.to] for each in mails] == [[each.name] for each in crowd]
    assert len({each.notification for each in mails}) == 50
    assert mails[0].mail.text.startswith("Hello P100,\n")
    assert "P101" not in mails[0].mail.model_dump_json()


@requirement("A6.06")
def test_the_holder_of_a_lock_and_subscribers_get_different_texts() -> None:
    made = knowing(
        team(KARI_PERSON, SIV), people=[KARI_PERSON], wanting=[KARI_PERSON.model_copy(update={"notices": ALL}), SIV]
    )
    holder, other = notices(made, expired())
    assert [to.name for to in holder.mail.to] == ["Kari"]
    assert [to.name for to in other.mail.to] == ["Siv"]
    assert holder.notification != other.notification
    assert "Your lock" in holder.mail.text
    assert "The lock of Kari" in other.mail.text


def test_nobody_is_told_about_an_unknown_ticket() -> None:
    made = policies(IT_QUEUE)
    made.inputs.subscribers.append(SIV)
    assert [*notices(made, wrote()), *notices(made, MOVED), *notices(made, expired())] == []


def test_an_unknown_queue_has_no_subscribers() -> None:
    assert told(knowing(wanting=[SIV]), opened()) == []


@requirement("A19.02")
def test_the_notice_of_a_move_does_not_name_the_previous_queue() -> None:
    wanting = [SIV.model_copy(update={"notices": ("moved",)})]
    secret = MOVED.model_copy(update={"was": MOVED.was.model_copy(update={"name": "Dismissals", "slug": "dismissals"})})
    (one,) = notices(knowing(team(SIV), wanting=wanting), secret)
    assert "dismissals" not in one.mail.model_dump_json().lower()
