"""Each example of docs/rules.md does on a whole system what it says. Only times are changed: nobody waits for a week."""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from shared.clocks.working_time import WEEKDAYS, working_time
from shared.contracts.directory import Calendar
from shared.testing.progress import until
from tests.rules_guide import examples
from tests.specs.requirement import requirement
from tests.system.desk import Desk
from tests.system.harness import ADMIN_PASSWORD

QUEUES = ("service-desk", "second-line", "purchasing", "ordering", "drop-in")
RIGHTS = ["read", "create", "move_into", "note", "work"]
ALWAYS = {day: [["00:00", "24:00"]] for day in WEEKDAYS}


def never_now() -> dict[str, Any]:
    """Hours of a day that is neither today nor tomorrow, in any zone."""
    return {WEEKDAYS[(datetime.now(UTC).weekday() + 3) % 7]: [["00:00", "24:00"]]}


@dataclass
class Guide:
    """The desk of the examples."""

    desk: Desk
    kari: str
    per: str
    customer: str

    async def example(self, number: int, changes: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Saves the documents of an example. `changes`: to the document of an address."""
        for path, document in examples()[number]:
            await self.desk.saved(path, document | dict((changes or {}).get(path, {})))

    async def done(self, who: str, method: str, path: str, body: Any = None) -> Any:
        self.desk.token, before = who, self.desk.token
        try:
            return await self.desk.done(method, path, body)
        finally:
            self.desk.token = before

    async def opens(self, queue: str = "service-desk", **more: Any) -> str:
        """The id of a ticket that the administrator opens for the customer, once it takes commands."""
        customer = {"customer": {"email": self.customer}} | more
        return await self._opened(await self.desk.open(queue=queue, **customer))

    async def asks(self, **more: Any) -> str:
        """The id of a ticket that the customer opens."""
        body = {"subject": "It hums", "body": "Since this morning."} | more
        self.desk.token, before = self.per, self.desk.token
        try:
            answer = await self.desk.call("POST", "/tickets", body)
        finally:
            self.desk.token = before
        return await self._opened(answer)

    async def _opened(self, answer: Any) -> str:
        assert answer.status == 201, answer
        ticket = str(answer.body["id"])
        await until(lambda: self.desk.take_commands(ticket))
        return ticket

    async def becomes(self, ticket: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async def so() -> dict[str, Any] | None:
            answer = await self.desk.call("GET", f"/tickets/{ticket}")
            return answer.body if answer.status == 200 and holds(answer.body) else None

        found = await until(so)
        assert found is not None
        return found

    async def notes(self, ticket: str) -> list[str]:
        items = (await self.desk.done("GET", f"/tickets/{ticket}/articles?limit=200"))["items"]
        return [each["text"].strip() for each in items if each["internal"]]

    async def noted(self, ticket: str, text: str) -> None:
        await until(lambda: self._holds(ticket, text))

    async def _holds(self, ticket: str, text: str) -> bool:
        return text in await self.notes(ticket)

    async def mailed(self, to: str, words: str) -> EmailMessage:
        """The mail to somebody with these words."""

        async def found() -> list[EmailMessage]:
            return [each for each in self.desk.sent() if to in str(each["To"]) and words in _text(each)]

        return (await until(found))[0]

    async def number(self, ticket: str) -> str:
        return str((await self.desk.done("GET", f"/tickets/{ticket}"))["number"])

    @asynccontextmanager
    async def hours(self, calendar: str, hours: Mapping[str, Any]) -> AsyncIterator[None]:
        """A calendar with other hours, for so long."""
        for path, document in (saved for each in examples().values() for saved in each):
            if path == f"/calendars/{calendar}":
                await self.desk.saved(path, document | {"hours": hours, "holidays": None, "days_off": []})
                yield
                await self.desk.saved(path, document)


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return " ".join(str(body.get_content() if body is not None else "").split())


@pytest.fixture
async def guide(desk: Desk) -> Guide:
    people = {"kari": "agent", "nils": "agent", "per": "customer"}
    for login, role in people.items():
        email = f"{login}@people.example"
        person = {"login": login, "name": login.title(), "email": email, "password": ADMIN_PASSWORD, "roles": [role]}
        await desk.saved(f"/people/{login}", person)
    members = [{"person": login, "rights": RIGHTS} for login in ("kari", "nils")]
    for queue in QUEUES:
        document = {"slug": queue, "name": queue, "address": f"{queue}@help.example.org", "members": members}
        await desk.saved(f"/queues/{queue}", document)
    await desk.saved("/companies/acme", {"slug": "acme", "name": "Acme"})
    kari, per = [
        str((await desk.done("POST", "/session", {"login": login, "password": ADMIN_PASSWORD}))["token"])
        for login in ("kari", "per")
    ]
    return Guide(desk, kari, per, "per@people.example")


def clock(ticket: dict[str, Any], name: str) -> dict[str, Any]:
    return next((each for each in ticket["deadlines"] if each["clock"] == name), {"sla": None})


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@requirement("A21.14", "A4.07")
async def test_1_a_first_answer_within_four_working_hours(guide: Guide) -> None:
    await guide.example(1)
    ticket = await guide.becomes(await guide.opens(), lambda t: clock(t, "first_answer")["sla"] == "standard")
    (calendar, _) = examples()[1]
    hours = working_time(Calendar.model_validate({"id": uuid.uuid4(), **calendar.document}))
    due = hours.after(moment(ticket["created_at"]), timedelta(minutes=240))
    assert due is not None
    assert abs(moment(clock(ticket, "first_answer")["due_at"]) - due) < timedelta(seconds=1)


@requirement("A21.14")
async def test_2_a_company_with_a_promise_of_its_own(guide: Guide) -> None:
    await guide.example(1)
    await guide.example(2)
    pia = {"login": "pia", "name": "Pia", "email": "pia@people.example", "roles": ["customer"], "company": "acme"}
    await guide.desk.saved("/people/pia", pia)
    ticket = await guide.opens(customer={"email": pia["email"]})
    shown = await guide.becomes(ticket, lambda t: clock(t, "first_answer")["sla"] == "acme")
    left = moment(clock(shown, "first_answer")["due_at"]) - moment(shown["created_at"])
    assert abs(left - timedelta(minutes=30)) < timedelta(seconds=1)


@requirement("A4.07", "A9.02")
async def test_3_a_broken_deadline_raises_the_priority_and_tells_people(guide: Guide) -> None:
    await guide.example(3)
    sla = {"slug": "at-once", "name": "At once", "order": 0, "queues": ["second-line"], "first_answer_minutes": 0.05}
    await guide.desk.saved("/slas/at-once", sla | {"priorities": [4]})
    ticket = await guide.opens("second-line", priority=4)
    await guide.becomes(ticket, lambda t: t["priority"]["id"] == 5)
    await guide.noted(ticket, "A deadline was broken. The priority was raised.")
    await guide.mailed("duty@help.example.org", await guide.number(ticket))
    acts = [each for each in await guide.desk.history(ticket) if each["type"] == "helpdesk.PriorityChanged.v1"]
    assert [each["actor"]["kind"] for each in acts] == ["rule"]
    assert (await guide.desk.call("DELETE", "/slas/at-once")).status == 204


@requirement("A9.02")
async def test_4_new_tickets_go_round(guide: Guide) -> None:
    await guide.example(4)
    owners = []
    for _ in range(4):
        shown = await guide.becomes(await guide.asks(queue="service-desk"), lambda t: t["owner"] is not None)
        owners.append(shown["owner"]["name"])
    assert sorted(owners[:2]) == ["Kari", "Nils"] and owners[:2] == owners[2:]


@requirement("A1.25", "A9.02")
async def test_5_registration_for_the_drop_in_queue(guide: Guide) -> None:
    await guide.example(5)
    async with guide.hours("drop-in-hours", ALWAYS):
        ticket = await guide.asks(topic="drop-in", subject="Which course?")
        await guide.becomes(ticket, lambda t: t["tags"] == ["waiting"] and t["owner"] is not None)
        await guide.mailed(guide.customer, f"You have number {await guide.number(ticket)}")
    async with guide.hours("drop-in-hours", never_now()):
        ticket = await guide.asks(topic="drop-in", subject="Which course, again?")
        await guide.becomes(ticket, lambda t: t["state"]["slug"] == "closed-unsuccessful" and not t["tags"])
        await guide.mailed(guide.customer, "We are open on Tuesdays and Thursdays")


@requirement("A9.02")
async def test_6_one_unit_after_the_other(guide: Guide) -> None:
    await guide.example(6)
    ticket = await guide.opens("purchasing")
    await guide.done(guide.kari, "POST", f"/tickets/{ticket}/assign", {"owner": "kari"})
    await guide.done(guide.kari, "POST", f"/tickets/{ticket}/set-state", {"state": "approved"})
    shown = await guide.becomes(ticket, lambda t: t["queue"]["slug"] == "ordering" and t["state"]["slug"] == "open")
    assert shown["owner"] is None
    await guide.noted(ticket, "Approved by purchasing. Please order.")


@requirement("A9.02")
async def test_7_ask_once_then_close_what_nobody_cares_for(guide: Guide) -> None:
    soon = {"/triggers/ask-once": {"idle_minutes": 0.05}, "/triggers/close-stale": {"idle_minutes": 0.15}}
    await guide.example(7, soon)
    stale, alive = await guide.opens(), await guide.opens()
    for ticket in (stale, alive):
        await guide.done(guide.kari, "POST", f"/tickets/{ticket}/reply", {"text": "Try to restart it."})
    await guide.becomes(alive, lambda t: t["tags"] == ["answered", "asked"])
    await guide.done(guide.per, "POST", f"/tickets/{alive}/message", {"text": "It still hums."})
    await guide.becomes(alive, lambda t: t["tags"] == [])
    await guide.mailed(guide.customer, "We have not heard from you")
    await guide.becomes(stale, lambda t: t["state"]["slug"] == "closed-unsuccessful")
    assert "Nobody has answered for two weeks." in await guide.notes(stale)
    assert (await guide.becomes(alive, lambda _: True))["state"]["type"] != "closed"
    await guide.example(7)


@requirement("A9.02")
async def test_8_tags_by_words(guide: Guide) -> None:
    await guide.example(8)
    other = await guide.opens(subject="A mouse")
    by_title, by_text = await guide.opens(subject="FAKTURA 4711"), await guide.opens(body="Your Invoice is wrong.")
    for ticket in (by_title, by_text):
        await guide.becomes(ticket, lambda t: t["tags"] == ["invoice"])
    assert (await guide.becomes(other, lambda _: True))["tags"] == []


@requirement("A9.02")
async def test_9_a_note_and_a_mail_out_of_office_hours(guide: Guide) -> None:
    await guide.example(1)
    await guide.example(9)
    async with guide.hours("office-hours", ALWAYS):
        by_day = await guide.opens("second-line")
    async with guide.hours("office-hours", never_now()):
        by_night = await guide.opens("second-line")
        await guide.noted(by_night, "Came out of office hours.")
        await guide.mailed(guide.customer, f"We have received {await guide.number(by_night)}")
    assert "Came out of office hours." not in await guide.notes(by_day)


@requirement("A8.06")
async def test_10_a_macro_for_a_known_issue(guide: Guide) -> None:
    await guide.example(10)
    ticket = await guide.opens()
    await guide.done(guide.kari, "POST", f"/tickets/{ticket}/macro", {"macro": "known-issue"})
    shown = await guide.becomes(ticket, lambda t: t["state"]["slug"] == "known-issue")
    assert shown["tags"] == ["known-issue"] and shown["pending_until"] is not None
    await guide.noted(ticket, "See the list of known issues.")
    await guide.mailed(guide.customer, "We know of this and work on it")
