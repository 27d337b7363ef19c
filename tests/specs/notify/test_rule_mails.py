"""The mails that triggers send: to whom, each their own, once; and the notices of agents (decision 0116)."""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from services.notify.deciding.suspended_rules import SuspendedRules
from services.notify.notices.mails import mail_of
from services.notify.policies import Policies
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.ticket import Ticket, decide, evolve, initial
from services.notify.ticket.commands import Command, GiveNotice, OnTicket, RefuseMail, RequestNotice, RequestRuleMail
from services.notify.ticket.rules import MOST_RULE_MAILS_A_DAY, follow
from services.notify.writing.mail_builder import MailBuilder
from shared.contracts.directory import Person, Queue, Template
from shared.contracts.event import Event
from shared.contracts.notify import NoticeGiven, NotificationRequested, NotificationSuppressed
from shared.contracts.parts import Address, CustomerRef, PersonRef, RuleRef
from shared.contracts.routing import RuleNotified, RuleSuspended
from shared.directory.copy import Configuration
from tests.specs.notify.test_who_has_a_notice import away
from tests.specs.notify.tickets import (
    DOMAIN,
    FIRST,
    IT,
    IT_QUEUE,
    KARI,
    KEY,
    MOMENT,
    NUMBER,
    PER,
    TICKET,
    TITLE,
    given,
    mail,
    person,
    queues,
    recorded,
    team,
)
from tests.specs.requirement import requirement

KARI_PERSON, OLA, SIV = person(1, "Kari"), person(2, "Ola"), person(3, "Siv")
RULE = RuleRef(id=UUID(int=51), name="Night watch", version=4)
TEMPLATE = Template(
    id=UUID(int=52),
    slug="known",
    name="We know",
    subject="We know of {{ ticket.number }}",
    text="Dear {{ customer.name }}, we know of {{ ticket.number }}: {{ ticket.title }}",
)
DUTY = "duty@help.example"


def notified(*to: str, **more: Any) -> RuleNotified:
    fields: dict[str, Any] = {
        "rule": RULE,
        "to": to,
        "template": "known",
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
        "customer": PER,
        "owner": KARI,
        "responsible": PersonRef(id=OLA.id, name="Ola"),
    }
    return RuleNotified.model_validate({**fields, **more})


def made(
    *people: Person,
    queue: Queue | None = None,
    proven: bool = True,
    followers: tuple[Person, ...] = (),
    template: Template = TEMPLATE,
    **ticket: Any,
) -> Policies:
    snapshot = queues(queue if queue is not None else team(KARI_PERSON, OLA, SIV))
    configuration = Configuration(templates={template.slug: template})
    policies = Policies(MailBuilder(lambda: snapshot, KEY, DOMAIN, lambda: configuration), lambda: MOMENT)
    policies.inputs.tickets[TICKET] = TicketFacts(NUMBER, TITLE, IT, KARI, customer=PER, proven=proven, **ticket)
    policies.inputs.people.update({each.id: each for each in people or (KARI_PERSON, OLA, SIV)})
    policies.inputs.followers[IT.id] = list(followers)
    return policies


def mails(policies: Policies, payload: RuleNotified) -> list[RequestNotice | RequestRuleMail]:
    commands = policies.react(recorded(payload))
    return [each for each in commands if isinstance(each, RequestNotice | RequestRuleMail)]


def told(policies: Policies, *to: str, **more: Any) -> list[str]:
    return [to.email for each in mails(policies, notified(*to, **more)) for to in each.mail.to]


def notices(policies: Policies, *to: str) -> list[GiveNotice]:
    return [each for each in policies.react(recorded(notified(*to))) if isinstance(each, GiveNotice)]


@requirement("A9.02")
def test_everybody_whom_a_rule_names_gets_a_mail_of_their_own() -> None:
    policies = made(followers=(SIV,))
    sent = mails(policies, notified("customer", "owner", "responsible", "followers", DUTY))
    assert [[to.email for to in each.mail.to] for each in sent] == [
        [PER.email],
        [KARI_PERSON.email],
        [OLA.email],
        [SIV.email],
        [DUTY],
    ]
    assert [each.kind for each in sent] == ["rule_to_customer", "rule", "rule", "rule", "rule"]
    assert {each.mail.auto_submitted for each in sent} == {"auto-generated"}
    assert len({each.notification for each in sent}) == len({each.mail.message_id for each in sent}) == 5
    for each in sent:
        assert f"we know of {NUMBER}: {TITLE}" in each.mail.text
        assert f"[Ticket#{NUMBER}]" in each.mail.subject
        assert "unknown" not in each.mail.text
    (notice,) = notices(policies, "customer", "owner", "responsible", "followers", DUTY)
    assert (notice.kind, notice.rule, notice.mails) == ("rule", RULE, ())
    assert notice.people == (KARI.id, OLA.id, SIV.id)


def test_each_gets_one_mail_however_often_they_are_named() -> None:
    policies = made(followers=(KARI_PERSON,))
    both = notified("owner", "responsible", "followers", str(KARI.id), KARI_PERSON.email, responsible=KARI)
    assert [to.email for each in mails(policies, both) for to in each.mail.to] == [KARI_PERSON.email]
    assert told(policies, "customer", PER.email, str(PER.id), PER.email.upper()) == [PER.email]
    assert told(policies, DUTY, DUTY.upper()) == [DUTY]


@requirement("A19.02")
def test_agents_who_may_not_read_the_ticket_get_neither_mail_nor_notice() -> None:
    policies = made(KARI_PERSON, OLA, queue=team(OLA), followers=(SIV,))
    assert told(policies, "owner", "responsible", "followers", str(KARI.id)) == [OLA.email]
    assert [each.people for each in notices(policies, "owner", "responsible", "followers")] == [(OLA.id,)]
    customer = person(30, "Lise", roles=("customer",))
    assert told(made(customer), str(customer.id)) == []
    assert told(made(KARI_PERSON), "owner", owner=None) == []


@requirement("A21.01")
def test_substitutes_of_people_who_are_away_are_told_too() -> None:
    policies = made(away(KARI_PERSON, SIV), SIV)
    assert told(policies, "owner") == [KARI_PERSON.email, SIV.email]
    (notice,) = notices(policies, "owner")
    assert (notice.people, notice.substitutes_for) == ((KARI.id, SIV.id), (KARI.id,))


def test_the_customers_mail_is_a_reply_between_salutation_and_signature() -> None:
    policies = made(message_id=FIRST, answers_to=(Address(email="per@home.example"),))
    (sent,) = mails(policies, notified("customer"))
    assert sent.mail.to == (Address(email="per@home.example"),)
    assert (sent.mail.in_reply_to, sent.mail.references) == (FIRST, (FIRST,))
    assert sent.mail.text.startswith("Hei Per Hansen,\n\nDear Per Hansen, we know")
    assert sent.mail.text.endswith("IT support\n")
    bare = made(template=TEMPLATE.model_copy(update={"subject": ""}))
    (sent,) = mails(bare, notified("customer"))
    assert sent.mail.subject == f"Re: [Ticket#{NUMBER}] {TITLE}"


def test_an_unproven_customers_mail_has_nothing_that_they_wrote() -> None:
    forged = CustomerRef(id=UUID(int=66), email="eve@forged.example", name="Win at https://shop.example")
    title = "Click https://evil.example"
    for template in (TEMPLATE, TEMPLATE.model_copy(update={"subject": ""})):
        policies = made(proven=False, template=template)
        for recipient in ("customer", DUTY):
            (sent,) = mails(policies, notified(recipient, customer=forged, title=title))
            assert "shop.example" not in sent.mail.model_dump_json()
            assert "evil.example" not in sent.mail.model_dump_json()
            assert NUMBER in sent.mail.subject


def test_a_rule_whose_template_is_gone_sends_nothing_and_says_so() -> None:
    (refused,) = made().react(recorded(notified("owner", template="gone")))
    assert isinstance(refused, RefuseMail)
    given().when(refused).then(
        NotificationSuppressed(kind="rule", article=refused.notification, reason="there is no template gone")
    )


NOTIFICATION = UUID(int=8)
OURS = frozenset(("it@help.example.org",))


def test_a_mail_of_a_rule_is_requested_once() -> None:
    command = RequestRuleMail(NOTIFICATION, "rule_to_customer", mail(), OURS)
    requested = NotificationRequested(
        notification=NOTIFICATION, kind="rule_to_customer", article=NOTIFICATION, mail=mail()
    )
    given().when(command).then(requested)
    given(requested).when(command).then()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("noreply@shop.example", "the address belongs to a machine"),
        ("it+x@help.example.org", "the address is one of our own queues"),
        ("by phone", "the customer has no usable mail address"),
    ],
)
def test_machines_and_our_own_queues_get_no_mail_of_a_rule(address: str, reason: str) -> None:
    given().when(RequestRuleMail(NOTIFICATION, "rule", mail(address), OURS)).then(
        NotificationSuppressed(kind="rule", article=NOTIFICATION, reason=reason)
    )


def after(commands: list[Command]) -> tuple[Ticket, list[Event]]:
    state, happened = initial(), list[Event]()
    for command in commands:
        for event in decide(command, state):
            state = evolve(state, event)
            happened.append(event)
    return state, happened


def test_a_loop_with_a_machine_ends() -> None:
    commands: list[Command] = [
        RequestRuleMail(UUID(int=100 + n), "rule_to_customer", mail("loop@shop.example"), OURS) for n in range(50)
    ]
    state, happened = after(commands)
    assert Counter(type(each) for each in happened) == {
        NotificationRequested: MOST_RULE_MAILS_A_DAY,
        NotificationSuppressed: 50 - MOST_RULE_MAILS_A_DAY,
    }
    (other,) = decide(RequestRuleMail(UUID(int=99), "rule", mail("other@shop.example"), OURS), state)
    assert isinstance(other, NotificationRequested)
    tomorrow = RequestRuleMail(UUID(int=98), "rule", mail("loop@shop.example"), OURS, older_than_a_day=1)
    (again,) = decide(tomorrow, state)
    assert isinstance(again, NotificationRequested)


@requirement("A9.02")
def test_administrators_are_told_of_a_suspended_rule_on_its_ticket() -> None:
    rules = SuspendedRules(None)  # type: ignore[arg-type]
    boss = person(9, "Boss", roles=("admin",))
    rules.administrators = [boss]
    suspended = RuleSuspended(rule=RULE, reason="The queue Night is gone.", ticket=TICKET)
    (command,) = rules.react(recorded(suspended))
    assert isinstance(command, OnTicket)
    assert decide(command, initial()) == []
    assert follow(command, initial()) == (TICKET, command.command)
    assert isinstance(command.command, GiveNotice)
    (event,) = decide(command.command, initial())
    assert isinstance(event, NoticeGiven)
    assert (event.kind, event.people, event.rule) == ("rule_suspended", (boss.id,), RULE)
    (held,) = command.command.mails
    builder = MailBuilder(lambda: queues(IT_QUEUE), KEY, DOMAIN)
    written = mail_of(
        builder, TICKET, TicketFacts(NUMBER, TITLE, IT), boss, [(event.notice, held.wording, held.details)]
    )
    assert written.mail.subject == f"[Ticket#{NUMBER}] A rule was switched off: {TITLE}"
    assert 'The rule "Night watch" was switched off' in written.mail.text
    assert "The queue Night is gone." in written.mail.text
    assert rules.react(recorded(suspended.model_copy(update={"ticket": None}))) == []
