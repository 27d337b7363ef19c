"""What each event changes in a ticket's row, and its line of words in the history."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.reporting.tickets.events.fold import fold, summary
from services.reporting.tickets.events.notifications import MAILS
from services.reporting.tickets.presentation import event_data, history_entry
from services.reporting.tickets.read_model.deduplication import ARTICLE_COLUMNS
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts import intake, notify, routing
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import REGISTRY, Event, data_of
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef, TicketRef, TopicRef, Writer
from shared.contracts.topics import TICKETS
from shared.languages.translator import Translator
from shared.rules.states import MERGED, OPEN, PENDING_REMINDER
from shared.testing.samples import sample
from tests.specs.requirement import requirement

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KARI = PersonRef(id=UUID(int=1), name="Kari")
IT, HR = (QueueRef(id=UUID(int=n), slug=slug, name=slug.upper()) for n, slug in ((10, "it"), (11, "hr")))
PER, PIA = (
    CustomerRef(id=UUID(int=n), email=f"{name}@acme.example", name=name) for n, name in ((20, "per"), (21, "pia"))
)
OTHER = TicketRef(id=UUID(int=99), number="2026112310000099", title="hums too")
MAIL = Message(id=UUID(int=50), channel="email", text="It hums.", to=(Address(email="it@help.example"),))
OPENED = intake.TicketOpened(
    number="2026112310000018", title="hums", queue=IT, customer=PER, channel="email", message=MAIL
)


def row_after(*payloads: Event) -> TicketRow:
    row = None
    for n, payload in enumerate((OPENED, *payloads), start=1):
        row = fold(row, _recorded(payload, n))
    assert row is not None
    return row


def _recorded(payload: Event, n: int) -> Recorded:
    source = f"/services/{payload.OWNER}"
    return Recorded(
        UUID(int=n), payload.TYPE, source, UUID(int=42), n, NOW, NOW, UUID(int=7), None, Actor("agent"), None, payload
    )


@requirement("A4.05")
def test_priority() -> None:
    assert row_after(routing.PriorityChanged(to=5, was=3)).priority == 5


@requirement("A3.06")
def test_a_move_shows_the_new_queue() -> None:
    row = row_after(routing.TicketMoved(to=HR, was=IT))
    assert (row.queue_id, row.queue_slug, row.queue_name) == (HR.id, "hr", "HR")


@requirement("A13.06")
def test_the_newest_message_of_a_customer() -> None:
    """Its sender and subject. Without a subject, it has the title of that moment."""
    row = row_after()
    assert (row.last_message_email, row.last_message_name, row.last_message_subject) == (PER.email, PER.name, "hums")
    again = MAIL.model_copy(update={"id": UUID(int=51), "sender": Address(email="pia@acme.example", name="Pia")})
    titled = again.model_copy(update={"subject": "Re: hums"})
    row = row_after(intake.CustomerMessageReceived(number="1", customer=PIA, message=titled))
    assert (row.last_message_name, row.last_message_subject) == ("Pia", "Re: hums")
    renamed = row_after(
        routing.TicketRenamed(to="smokes", was="hums"),
        intake.CustomerMessageReceived(number="1", customer=PIA, message=again),
    )
    assert renamed.last_message_subject == "smokes"
    unproven = intake.CustomerMessageReceived(number="1", customer=PIA, message=titled, standing="unverified")
    assert row_after(unproven).last_message_name == PER.name


@requirement("A14.05")
def test_the_newest_answer_that_the_customer_can_read() -> None:
    answer = MAIL.model_copy(update={"id": UUID(int=51)})
    note = routing.NoteAdded(by=KARI, message=answer)
    reply = routing.AgentReplied(number="1", title="hums", queue=IT, customer=PER, by=KARI, message=answer)
    assert row_after().last_answer_at is None and row_after(note).last_answer_at is None
    solution = note.model_copy(update={"internal": False})
    assert row_after(solution).last_answer_at == NOW == row_after(reply).last_answer_at


@requirement("A7.33")
def test_a_new_title() -> None:
    assert row_after(routing.TicketRenamed(to="smokes", was="hums")).title == "smokes"


@requirement("A7.27")
def test_fields_are_set_and_removed() -> None:
    assert row_after(routing.FieldsChanged(values={"room": "B 2", "floor": 2})).fields == {"room": "B 2", "floor": 2}
    emptied = row_after(routing.FieldsChanged(values={"room": "B 2"}), routing.FieldsChanged(values={"room": None}))
    assert emptied.fields is None


@requirement("A7.36")
def test_tags_come_and_go() -> None:
    row = row_after(routing.TagsAdded(tags=("fan", "loud")), routing.TagsAdded(tags=("fan",)))
    assert row.tags == ["fan", "loud"]
    assert row_after(routing.TagsAdded(tags=("fan", "loud")), routing.TagsRemoved(tags=("fan",))).tags == ["loud"]


@requirement("A7.28")
def test_another_customer() -> None:
    row = row_after(routing.CustomerChanged(to=PIA, was=PER))
    assert (row.customer_id, row.customer_email, row.customer_name) == (PIA.id, PIA.email, "pia")


@requirement("A7.18")
def test_links_are_kept_by_kind_and_direction() -> None:
    related, child = (
        routing.TicketsLinked(kind="related", other=OTHER),
        routing.TicketsLinked(kind="parent", other=OTHER, outgoing=False),
    )
    row = row_after(related, child, related)
    assert [(link["kind"], link["outgoing"]) for link in row.links or ()] == [("parent", False), ("related", True)]
    assert row_after(related, routing.TicketsUnlinked(kind="related", other=OTHER)).links is None


@requirement("A7.19")
def test_a_merge_names_the_other_ticket_until_it_is_undone() -> None:
    merge = routing.TicketMerged(into=OTHER, was=OPEN, by=KARI)
    merged = row_after(merge)
    assert (merged.state_type, merged.merged_into_id, merged.merged_into_number) == ("merged", OTHER.id, OTHER.number)
    back = row_after(merge, routing.MergeUndone(into=OTHER, state=OPEN, by=KARI))
    assert (back.state_type, back.merged_into_id, back.merged_into_number) == ("open", None, None)


@requirement("A7.19")
def test_a_date_is_shown_only_with_a_state_that_waits_for_it() -> None:
    pending = routing.StateChanged(to=PENDING_REMINDER, was=OPEN, pending_until=LATER)
    merge = routing.TicketMerged(into=OTHER, was=PENDING_REMINDER, by=KARI)
    assert row_after(pending, merge).pending_until is None
    back = routing.MergeUndone(into=OTHER, state=PENDING_REMINDER, by=KARI, pending_until=LATER)
    assert (row_after(pending, merge, back).state_type, row_after(pending, merge, back).pending_until) == (
        "pending_reminder",
        LATER,
    )
    assert row_after(pending, merge, routing.MergeUndone(into=OTHER, state=OPEN, by=KARI)).pending_until is None
    assert row_after(pending, routing.TicketRemoved(because="split undone", was=PENDING_REMINDER)).pending_until is None


@requirement("A7.10", "A7.16")
@pytest.mark.parametrize(
    ("kind", "internal"), [("customer", False), ("agent", False), ("agent", True), ("system", True)]
)
def test_a_split_keeps_the_messages_writer_and_whether_it_is_internal(kind: Any, internal: bool) -> None:
    split = OPENED.model_copy(
        update={
            "opened_by": KARI,
            "split_from": OTHER,
            "internal": internal,
            "writer": Writer(kind=kind, name="Somebody"),
        }
    )
    row = fold(None, _recorded(split, 1))
    (article,) = row.articles
    assert (article.sender, article.author, article.internal) == (kind, "Somebody", internal)
    assert row.public_article_count == (not internal)


def test_a_removed_ticket_has_the_type_removed() -> None:
    assert row_after(routing.TicketRemoved(because="split undone", was=OPEN)).state_type == "removed"


@requirement("A5.05")
def test_a_reminder_is_due_until_the_state_changes() -> None:
    pending = routing.StateChanged(to=PENDING_REMINDER, was=OPEN, pending_until=LATER)
    reached = routing.ReminderReached(due_at=LATER, fired_at=LATER)
    assert not row_after(pending).reminder_due
    assert row_after(pending, reached).reminder_due
    assert not row_after(pending, reached, pending).reminder_due
    assert not row_after(pending, reached, routing.StateChanged(to=OPEN, was=PENDING_REMINDER)).reminder_due


@requirement("A6.06")
def test_a_lock_shows_when_it_ends() -> None:
    locked = routing.TicketLocked(by=KARI, expires_at=LATER)
    assert row_after(locked).lock_expires_at == LATER
    ended = row_after(locked, routing.TicketUnlocked(was=KARI, because="expired"))
    assert (ended.locked_by_id, ended.lock_expires_at) == (None, None)


@requirement("A7.13")
@requirement("A7.14")
@requirement("A7.15")
@requirement("A21.08")
def test_articles_that_agents_write_for_agents_are_internal() -> None:
    about: dict[str, Any] = {"number": OPENED.number, "title": "hums", "queue": IT}
    outside = (Address(email="maker@fans.example"),)
    own = MAIL.model_copy(update={"id": UUID(int=51)})
    row = row_after(
        routing.CallRecorded(by=KARI, message=own, direction="in"),
        routing.ArticleForwarded(by=KARI, message=own, article=MAIL.id, original=MAIL, customer=PER, **about),
        routing.ArticleBounced(by=KARI, bounce=UUID(int=52), article=MAIL.id, to=outside, original=MAIL, **about),
        routing.NoteAdded(by=KARI, message=own, kind="solution"),
    )
    assert [(a.kind, a.internal) for a in row.articles] == [
        ("message", False), ("call in", True), ("forward", True), ("bounce", True), ("solution", True)
    ]  # fmt: skip
    assert (row.article_count, row.public_article_count) == (5, 1)
    assert row.articles[3].people["to"] == [{"email": "maker@fans.example", "name": ""}]


def test_an_answer_that_was_not_sent_says_why() -> None:
    answer = MAIL.model_copy(update={"id": UUID(int=51)})
    replied = routing.AgentReplied(by=KARI, message=answer, number=OPENED.number, title="hums", queue=IT, customer=PER)
    suppressed = notify.NotificationSuppressed(
        kind="answer", article=answer.id, reason="there is no usable mail address"
    )
    row = row_after(replied, suppressed)
    assert [a.delivery for a in row.articles] == [None, "not sent: there is no usable mail address"]
    assert not row.deliveries


@pytest.mark.parametrize(("standing", "internal"), [("participant", False), ("outsider", True), ("unverified", True)])
def test_customers_see_only_messages_of_participants(standing: Any, internal: bool) -> None:
    eve = CustomerRef(id=UUID(int=31), email="eve@elsewhere.example")
    words = MAIL.model_copy(update={"id": UUID(int=51)})
    received = intake.CustomerMessageReceived(number=OPENED.number, customer=eve, message=words, standing=standing)
    row = row_after(received)
    assert (row.articles[-1].internal, row.articles[-1].kind) == (internal, standing if internal else "message")
    assert row.customer_email == PER.email


def test_an_agents_mail_is_a_note() -> None:
    row = row_after(intake.AgentMailReceived(number=OPENED.number, by=KARI, message=MAIL))
    note = row.articles[-1]
    assert (note.sender, note.author, note.internal, note.kind) == ("agent", "Kari", True, "note")


def test_a_mail_that_comes_back_is_shown_on_the_article_that_it_carried() -> None:
    answer = MAIL.model_copy(update={"id": UUID(int=51)})
    sent = notify.OutgoingMail(
        message_id="<ld.ours@help.example>", sender=Address(email="it@help.example"), to=(), subject="x", text="y"
    )
    requested = notify.NotificationRequested(notification=UUID(int=61), kind="answer", article=answer.id, mail=sent)
    failed = intake.FailedRecipient(recipient="per@acme.example", status="5.1.1", hard=True, diagnostic="User unknown")
    report = intake.AutomaticMailReceived(
        number=OPENED.number,
        kind="failure",
        about="<ld.ours@help.example>",
        recipients=(failed,),
        message=MAIL.model_copy(update={"id": UUID(int=52), "sender": Address(email="mailer-daemon@mx.example")}),
    )
    replied = routing.AgentReplied(by=KARI, message=answer, number=OPENED.number, title="hums", queue=IT, customer=PER)
    row = row_after(replied, requested, report)
    assert [(a.kind, a.internal, a.delivery) for a in row.articles] == [
        ("message", False, None),
        ("message", False, "bounced: per@acme.example: 5.1.1 User unknown"),
        ("failure", True, None),
    ]
    later = row_after(report)
    (change,) = later.deliveries
    assert (change.message_id, change.delivery) == (
        "<ld.ours@help.example>",
        "bounced: per@acme.example: 5.1.1 User unknown",
    )


def about_our_mail(kind: Any, *recipients: str) -> intake.AutomaticMailReceived:
    failed = tuple(intake.FailedRecipient(recipient=each, status="5.1.1", diagnostic="Unknown") for each in recipients)
    message = MAIL.model_copy(update={"id": UUID(int=52)})
    return intake.AutomaticMailReceived(
        number=OPENED.number, kind=kind, about="<ld.ours@help.example>", recipients=failed, message=message
    )


ANSWER = MAIL.model_copy(update={"id": UUID(int=51)})
ANSWERED = (
    routing.AgentReplied(by=KARI, message=ANSWER, number=OPENED.number, title="hums", queue=IT, customer=PER),
    notify.NotificationRequested(
        notification=UUID(int=61),
        kind="answer",
        article=ANSWER.id,
        mail=notify.OutgoingMail(
            message_id="<ld.ours@help.example>", sender=Address(email="it@help.example"), to=(), subject="x", text="y"
        ),
    ),
)
SENT = notify.NotificationSent(notification=UUID(int=61), transport="smtp")
BOUNCED_A = "bounced: a@x.example: 5.1.1 Unknown"


@pytest.mark.parametrize(
    ("later", "delivery"),
    [
        ([SENT], "sent"),
        (
            [about_our_mail("failure", "a@x.example"), SENT],
            BOUNCED_A,
        ),  # the report comes before the mail is recorded as sent
        ([SENT, about_our_mail("failure", "a@x.example")], BOUNCED_A),
        ([SENT, about_our_mail("delay", "a@x.example")], "delayed: a@x.example: 5.1.1 Unknown"),
        ([SENT, about_our_mail("delay", "a@x.example"), about_our_mail("failure", "a@x.example")], BOUNCED_A),
        ([SENT, about_our_mail("delay", "a@x.example"), about_our_mail("delivered")], "sent"),
        ([SENT, about_our_mail("failure", "a@x.example"), about_our_mail("delay", "b@x.example")], BOUNCED_A),
        (
            [SENT, about_our_mail("failure", "a@x.example"), about_our_mail("failure", "b@x.example")],
            f"{BOUNCED_A}; b@x.example: 5.1.1 Unknown",
        ),
        ([SENT, about_our_mail("auto_reply")], "sent"),
    ],
)
def test_a_bounce_stays_on_the_article_that_it_is_about(later: list[Event], delivery: str) -> None:
    assert row_after(*ANSWERED, *later).articles[1].delivery == delivery


TICKET_EVENTS = sorted(name for name, cls in REGISTRY.items() if cls.TOPIC == TICKETS)


@pytest.mark.parametrize("name", TICKET_EVENTS)
def test_every_event_of_a_ticket_has_a_line_of_words(name: str) -> None:
    short = name.removeprefix("helpdesk.").rpartition(".v")[0]
    filled = orjson.loads(orjson.dumps(sample(REGISTRY[name])))
    assert summary(name, filled) not in ("", short)
    smallest = orjson.loads(data_of(REGISTRY[name].model_validate(filled)))
    assert summary(name, smallest) not in ("", short)
    assert summary(name, {}) not in ("", short)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", TICKET_EVENTS)
def test_the_history_gives_back_what_was_recorded(name: str, full: bool) -> None:
    """It stores nothing that the article of the message holds."""
    payload = REGISTRY[name].model_validate(sample(REGISTRY[name]))
    if not full:
        payload = _with_bare_messages(payload)
    recorded = orjson.loads(data_of(payload))
    row = fold(row_after() if name != OPENED.TYPE else None, replace(_recorded(payload, 2), data=recorded))
    entry = row.history[-1]
    article = next((each for each in row.articles if each.number == entry.article), None)
    columns: Any = {each.name: getattr(entry, each.name) for each in fields(entry)}
    columns |= {f"article_{column}": getattr(article, column) if article else None for column in ARTICLE_COLUMNS}
    shown = history_entry(columns, event_data(columns), Translator(), {})
    assert shown["data"] == recorded
    if article is not None and isinstance(entry.data.get("message"), dict):
        assert set(entry.data["message"]) <= {"bcc", "text_blob", "attachments", "message_id", "mail", "raw"}


def _with_bare_messages(payload: Event) -> Event:
    bare = Message(id=UUID(int=50), channel="web", sender=Address(email="per@acme.example"), text="It hums.")
    parts = [name for name in ("message", "original") if isinstance(getattr(payload, name, None), Message)]
    return payload.model_copy(update=dict.fromkeys(parts, bare))


def test_the_line_of_a_merge_has_number_and_name() -> None:
    told = summary(
        routing.TicketMerged.TYPE, {"into": OTHER.model_dump(mode="json"), "by": {"name": "Kari"}, "was": {}}
    )
    assert told == "Merged into ticket 2026112310000099 by Kari"


def test_dates_in_the_history_are_on_the_clock_of_the_reader() -> None:
    oslo = Translator("en", ZoneInfo("Europe/Oslo"))
    waits = {"was": {"name": "open"}, "to": {"name": "pending reminder"}, "at": "2026-11-23T09:00:00Z"}
    told = summary(routing.StateChanged.TYPE, {**waits, "pending_until": "2026-11-24T09:30:00.605000Z"}, oslo)
    assert told == "State changed from open to pending reminder until Tuesday 10:30"
    due = {"due_at": "2026-11-24T09:30:00Z", "fired_at": "2026-11-24T09:30:01Z"}
    assert summary(routing.ReminderReached.TYPE, due, oslo) == "Reminder: due 10:30"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("receipt", "Receipt"),
        ("closed", "Notice of the closing"),
        ("follow_up", "Notice of the new message"),
        ("a_kind_of_tomorrow", "A kind of tomorrow"),
    ],
)
def test_the_line_of_a_mail_says_what_kind_of_mail_it_is(kind: str, words: str) -> None:
    told = summary(notify.NotificationRequested.TYPE, {"kind": kind, "mail": {"to": [{"email": "per@acme.example"}]}})
    assert told == f"{words} to be sent to per@acme.example"


def test_words_are_kept_for_known_kinds_of_mails_only() -> None:
    assert set(MAILS) <= set(get_args(notify.NotificationKind))


def test_every_event_can_be_folded_from_its_sample() -> None:
    for cls in (*vars(routing).values(), *vars(notify).values()):
        if isinstance(cls, type) and issubclass(cls, Event) and cls.__dict__.get("TYPE"):
            assert row_after(cls.model_validate(sample(cls))).event_count == 2
    assert row_after(routing.StateChanged(to=MERGED, was=OPEN)).state_type == "merged"


@requirement("A6.11", "A6.12")
def test_the_responsible_person_changes() -> None:
    row = row_after(routing.ResponsibleChanged(to=KARI))
    assert (row.responsible_id, row.responsible_name) == (KARI.id, KARI.name)
    nobody = row_after(routing.ResponsibleChanged(to=KARI), routing.ResponsibleChanged(to=None))
    assert (nobody.responsible_id, nobody.responsible_name) == (None, None)


@requirement("A1.07")
def test_the_filled_in_form_stays_as_it_was_sent() -> None:
    topic = TopicRef(id=UUID(int=30), slug="recount", name="Recalculation")
    answers = (intake.FilledField(field="period", name="Which period?", value="2026-10"),)
    opened = OPENED.model_copy(
        update={"form": intake.FilledForm(topic=topic, fields=answers), "fields": {"period": "2026-10"}}
    )
    row = fold(fold(None, _recorded(opened, 1)), _recorded(routing.FieldsChanged(values={"period": "2026-11"}), 2))
    assert row.fields == {"period": "2026-11"}
    assert row.form is not None
    assert row.form["topic"]["slug"] == "recount"
    assert row.form["fields"] == [{"field": "period", "name": "Which period?", "value": "2026-10"}]


@requirement("A2.11", "A10.03")
@pytest.mark.parametrize("kind", ["closed", "rule_to_customer"])
def test_a_mail_to_the_customer_that_nobody_wrote_is_an_article(kind: notify.NotificationKind) -> None:
    mail = notify.OutgoingMail(
        message_id="<1@help.example>",
        sender=Address(email="it@help.example", name="IT"),
        to=(Address(email=PER.email),),
        subject="Re: hums",
        text="Your request is closed.",
    )
    row = row_after(
        notify.NotificationRequested(notification=UUID(int=60), kind=kind, article=UUID(int=60), mail=mail),
        notify.NotificationSent(notification=UUID(int=60), transport="smtp"),
    )
    told = row.articles[-1]
    assert (told.sender, told.internal, told.text, told.delivery) == (
        "system", False, "Your request is closed.", "sent",
    )  # fmt: skip


@requirement("A10.05")
def test_a_notice_to_agents_is_not_an_article() -> None:
    mail = notify.OutgoingMail(
        message_id="<1@help.example>", sender=Address(email="it@help.example"), to=(), subject="x", text="x"
    )
    for kind in ("new_ticket", "follow_up", "moved", "lock_expired", "rule", "assigned", "deadline_broken"):
        requested = notify.NotificationRequested.model_validate(
            {"notification": UUID(int=60), "kind": kind, "article": UUID(int=60), "mail": mail}
        )
        assert len(row_after(requested).articles) == 1
