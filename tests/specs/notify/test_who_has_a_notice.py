"""Who has a notice in their list, and who gets it by mail: their own tickets, deadlines, substitutes (decision 0116)."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.notices.mails import MOST_TOLD, mail_of
from services.notify.notices.to_agents import BY_WORDING
from services.notify.read_models.ticket_facts import TicketFacts
from shared.contracts.directory import Absence, Member, Person
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef, SlaRef
from shared.contracts.routing import DeadlineBroken, DeadlineWarned, OwnerChanged, ResponsibleChanged, TicketMoved
from tests.specs.notify.test_what_agents_are_told import HR, wrote
from tests.specs.notify.tickets import (
    IT,
    IT_QUEUE,
    KARI,
    MOMENT,
    NUMBER,
    TICKET,
    TITLE,
    expired,
    given_by,
    knowing,
    mails_by,
    opened,
    person,
    reached,
    recorded,
    team,
)
from tests.specs.requirement import requirement

KARI_PERSON, OLA, SIV = person(1, "Kari"), person(2, "Ola"), person(3, "Siv")
OLA_REF = PersonRef(id=OLA.id, name="Ola")
BOSS = str(UUID(int=77))
GOLD = SlaRef(id=UUID(int=50), slug="gold", name="Gold", version=3)
WARNED = DeadlineWarned(clock="first_answer", due_at=MOMENT, sla=GOLD, warn_at=MOMENT, fired_at=MOMENT)
BROKEN = DeadlineBroken(clock="solution", due_at=MOMENT, sla=GOLD, fired_at=MOMENT)


def away(one: Person, substitute: Person | None, **more: Any) -> Person:
    fields = {"active": True, "first_day": MOMENT.date(), "last_day": MOMENT.date()}
    absence = Absence.model_validate({**fields, "substitute": substitute.id if substitute else None, **more})
    return one.model_copy(update={"absence": absence})


def have(made: Any, payload: Event, actor: str | None = None) -> list[UUID]:
    return [each for given in given_by(made, payload, actor) for each in given.people]


def by_mail(made: Any, payload: Event, actor: str | None = None) -> list[str]:
    return [to.name for each in mails_by(made, payload, actor) for to in each.mail.to]


@requirement("A10.01")
@pytest.mark.parametrize(
    ("payload", "words"), [(OwnerChanged(to=KARI), "You own"), (ResponsibleChanged(to=KARI), "You are responsible")]
)
def test_a_ticket_that_became_mine_by_somebody_else(payload: Event, words: str) -> None:
    made = knowing(team(KARI_PERSON, OLA), people=[KARI_PERSON, OLA])
    assert have(made, payload, BOSS) == [KARI.id]
    assert by_mail(made, payload, BOSS) == []
    wanting = KARI_PERSON.model_copy(update={"notices": ("assigned",)})
    made = knowing(team(wanting, OLA), people=[wanting, OLA])
    (mail,) = mails_by(made, payload, BOSS)
    assert words in mail.mail.text
    assert have(made, payload, str(KARI.id)) == []
    assert have(made, OwnerChanged(to=None, was=KARI), BOSS) == []


def test_a_rule_is_no_person_who_knows_what_it_did() -> None:
    made = knowing(team(KARI_PERSON), people=[KARI_PERSON])
    by_rule = replace(recorded(OwnerChanged(to=KARI)), actor=Actor("rule", f"{KARI.id}/3"))
    (given,) = made.to_agents.react(by_rule)
    assert given.people == (KARI.id,)


@pytest.mark.parametrize(("payload", "kind"), [(WARNED, "deadline_warned"), (BROKEN, "deadline_broken")])
def test_a_deadline_concerns_the_owner_else_the_responsible_agent_else_the_team(payload: Event, kind: str) -> None:
    people = [KARI_PERSON, OLA, SIV]
    assert have(knowing(team(*people), people=people, owner=KARI, responsible=OLA_REF), payload) == [KARI.id]
    assert have(knowing(team(*people), people=people, responsible=OLA_REF), payload) == [OLA.id]
    assert have(knowing(team(*people), people=people), payload) == [each.id for each in people]
    assert by_mail(knowing(team(*people), people=people), payload) == []
    wanting = SIV.model_copy(update={"notices": ("escalated",)})
    made = knowing(team(*people), people=people, owner=KARI, wanting=[wanting])
    (given,) = given_by(made, payload)
    assert (given.kind, given.people) == (kind, (KARI.id, SIV.id))
    assert by_mail(made, payload) == ["Siv"]


def test_the_mail_of_a_deadline_names_clock_time_and_agreement() -> None:
    wanting = KARI_PERSON.model_copy(update={"notices": ("escalated",), "timezone": "Europe/Oslo"})
    made = knowing(team(wanting), people=[wanting], owner=KARI)
    (warned,), (broken,) = mails_by(made, WARNED), mails_by(made, BROKEN)
    assert "The first answer is due by 23 November 2026, 09:30 CET (Gold)." in warned.mail.text
    assert "The solution was due by 23 November 2026, 09:30 CET (Gold). That time is over." in broken.mail.text
    assert warned.mail.subject == f"[Ticket#{NUMBER}] A deadline is near: {TITLE}"
    assert "unknown" not in warned.mail.text + broken.mail.text


@requirement("A21.01")
def test_the_substitute_of_who_is_away_today_has_the_notice_too() -> None:
    def asked(owner: Person, *others: Person, members: tuple[Person, ...] = (KARI_PERSON, OLA, SIV)) -> list[UUID]:
        return have(knowing(team(*members), people=[owner, *others], owner=KARI), wrote())

    assert asked(away(KARI_PERSON, OLA), OLA) == [KARI.id, OLA.id]
    assert asked(away(KARI_PERSON, None), OLA) == [KARI.id]
    assert asked(away(KARI_PERSON, OLA, active=False), OLA) == [KARI.id]
    assert asked(away(KARI_PERSON, OLA, first_day=date(2026, 11, 24), last_day=date(2026, 11, 25)), OLA) == [KARI.id]
    assert asked(away(KARI_PERSON, OLA), OLA, members=(KARI_PERSON, SIV)) == [KARI.id], "who may not read it has none"
    assert asked(away(KARI_PERSON, OLA), away(OLA, SIV), SIV) == [KARI.id, OLA.id, SIV.id]
    assert asked(away(KARI_PERSON, OLA), away(OLA, KARI_PERSON)) == [KARI.id, OLA.id]
    assert asked(away(KARI_PERSON, OLA)) == [KARI.id], "a substitute who has left has none"


@requirement("A21.01")
def test_a_substitute_gets_by_mail_what_the_absent_person_asked_for() -> None:
    subscriber = away(SIV.model_copy(update={"notices": ("new_ticket",)}), OLA)
    made = knowing(team(SIV, OLA), people=[OLA], wanting=[subscriber])
    (given,) = given_by(made, opened())
    assert (given.people, given.substitutes_for) == ((SIV.id, OLA.id), (SIV.id,))
    assert by_mail(made, opened()) == ["Siv", "Ola"]


def test_what_somebody_who_is_away_did_themselves_is_no_news_to_their_substitute() -> None:
    made = knowing(team(KARI_PERSON, OLA), people=[away(KARI_PERSON, OLA), OLA], owner=KARI)
    assert have(made, wrote(), actor=str(KARI.id)) == []
    assert have(made, wrote(), actor=str(OLA.id)) == [KARI.id]


people_strategy = st.lists(
    st.builds(
        lambda n, notices, follows, rights, substitute, roles: (
            person(n, f"P{n}", notices=tuple(notices), follows=(IT.id,) if follows else (), roles=roles),
            rights,
            substitute,
        ),
        st.integers(1, 6),
        st.sets(st.sampled_from(["new_ticket", "follow_up", "lock_expired", "moved", "assigned", "escalated"])),
        st.booleans(),
        st.sampled_from([(), ("read",), ("read", "work"), ("work",)]),
        st.none() | st.integers(1, 6),
        st.sampled_from([("agent",), ("admin",), ("customer",)]),
    ),
    unique_by=lambda each: each[0].id,
    max_size=6,
)
PAYLOADS = [
    opened(),
    wrote(),
    reached(),
    expired(),
    WARNED,
    BROKEN,
    OwnerChanged(to=KARI),
    ResponsibleChanged(to=KARI),
    TicketMoved(to=IT, was=HR, by=KARI),
]


@requirement("A10.05", "A19.02")
@given(
    known=people_strategy,
    payload=st.sampled_from(PAYLOADS),
    owner=st.none() | st.integers(1, 6),
    responsible=st.none() | st.integers(1, 6),
    actor=st.none() | st.integers(1, 6),
)
def test_nobody_has_two_notices_of_one_event_or_one_that_they_may_not_read_or_of_what_they_did(
    known: list[tuple[Person, tuple[str, ...], int | None]],
    payload: Event,
    owner: int | None,
    responsible: int | None,
    actor: int | None,
) -> None:
    everybody = [
        away(each, person(substitute, "X")) if substitute is not None else each for each, _, substitute in known
    ]
    members = tuple(Member.model_validate({"person": each.id, "rights": rights}) for each, rights, _ in known if rights)
    queue = IT_QUEUE.model_copy(update={"members": members})
    refs = [PersonRef(id=UUID(int=n), name=f"P{n}") if n is not None else None for n in (owner, responsible)]
    made = knowing(
        queue,
        people=everybody,
        wanting=[each for each in everybody if each.notices],
        owner=refs[0],
        responsible=refs[1],
    )
    by = str(UUID(int=actor)) if actor is not None else None
    given = given_by(made, payload, by)
    told = Counter(each for one in given for each in one.people)
    assert all(count == 1 for count in told.values())
    assert by not in {str(each) for each in told}
    may_read = {each.id for each in everybody if "admin" in each.roles} | {
        each.id for each, rights, _ in known if "read" in rights and "agent" in each.roles
    }
    assert told.keys() <= may_read
    for one in given:
        mailed = [held.person for held in one.mails]
        assert len(set(mailed)) == len(mailed)
        assert set(mailed) <= set(one.people)
        assert all(held.wording in BY_WORDING for held in one.mails)


def test_several_notices_of_a_ticket_are_one_mail() -> None:
    made = knowing(team(KARI_PERSON), people=[KARI_PERSON], owner=KARI)
    notices = [
        (given.notice, held.wording, held.details)
        for payload in (wrote("First."), reached(), wrote("Last."))
        for given in given_by(made, payload)
        for held in given.mails
    ]
    mail = mail_of(made.builder, TICKET, TicketFacts(NUMBER, TITLE, IT, KARI), KARI_PERSON, notices).mail
    assert mail.subject == f"[Ticket#{NUMBER}] News: {TITLE}"
    assert mail.text.index("First.") < mail.text.index("That time has come.") < mail.text.index("Last.")
    assert "You own it." in mail.text
    assert mail.text.count(NUMBER) == mail.text.count(TITLE) == mail.text.count("Hello Kari,") == 1
    many = mail_of(
        made.builder, TICKET, TicketFacts(NUMBER, TITLE, IT), KARI_PERSON, notices[:1] * (MOST_TOLD + 3)
    ).mail
    assert "There are 3 more notices." in many.text
