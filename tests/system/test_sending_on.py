"""What the gateway leads through several services: an article is sent on, resent, or becomes a ticket of its own."""

from email.message import EmailMessage
from typing import Any

from shared.testing.progress import until
from tests.specs.requirement import requirement
from tests.system.desk import Desk


async def arrived(desk: Desk, mail: EmailMessage) -> tuple[str, str]:
    """The ticket that a mail became, once it is in its queue, and the id of its article."""
    await desk.mail_in(mail.as_bytes())
    ticket = str(await until(lambda: desk.ticket_of(mail)))
    await until(lambda: desk.take_commands(ticket))

    async def shown() -> list[dict[str, Any]]:
        return [one["id"] for one in (await desk.tickets()).values() if one["id"] == ticket] and (
            await desk.done("GET", f"/tickets/{ticket}/articles")
        )["items"]

    return ticket, str((await until(shown))[0]["id"])


async def left(desk: Desk, recipient: str) -> EmailMessage:
    """The one mail that left for somebody."""

    async def found() -> list[EmailMessage]:
        return [each for each in desk.sent() if recipient in str(each["To"])]

    (mail,) = await until(found)
    return mail


@requirement("A7.04", "A7.14", "A7.15")
async def test_an_article_is_forwarded_and_bounced(desk: Desk) -> None:
    mail = desk.mail("It hums", "Since this morning.")
    ticket, article = await arrived(desk, mail)
    outsider, expert = f"workshop@{desk.queue}.example", f"expert@{desk.queue}.example"
    body = {"article": article, "to": [outsider], "text": "Can you come?"}
    await desk.done("POST", f"/tickets/{ticket}/forward", body)
    forwarded = await left(desk, outsider)
    words = forwarded.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Can you come?" in words and "Since this morning." in words and str(forwarded["Subject"]).startswith("Fwd:")
    await desk.done("POST", f"/tickets/{ticket}/bounce", {"article": article, "to": [expert]})

    async def resent() -> list[EmailMessage]:
        return [each for each in desk.sent() if expert in str(each["Resent-To"])]

    (bounced,) = await until(resent)
    assert (bounced["Message-ID"], bounced["Subject"]) == (mail["Message-ID"], "It hums")


@requirement("A1.27", "A7.04", "A7.17")
async def test_an_article_becomes_a_ticket_of_its_own(desk: Desk) -> None:
    ticket, article = await arrived(desk, desk.mail("Two things", "It hums. And the printer is empty."))
    answer = await desk.done("POST", f"/tickets/{ticket}/split", {"articles": [article], "subject": "Printer"})
    made = answer["ticket"]["id"]

    async def linked() -> Any:
        answer = await desk.call("GET", f"/tickets/{made}")
        return answer.status == 200 and answer.body["links"] and answer.body

    page = await until(linked)
    assert (page["title"], page["links"][0]["ticket"]["id"]) == ("Printer", ticket)


@requirement("A5.13", "A7.05", "A21.08")
async def test_a_solution_is_a_note_of_its_own_beside_the_closing(desk: Desk) -> None:
    ticket = await desk.opened()
    await desk.done("POST", f"/tickets/{ticket}/note", {"text": "The fan was dirty.", "kind": "solution"})
    await desk.done("POST", f"/tickets/{ticket}/close", {})

    async def closed() -> bool:
        answer = await desk.call("GET", f"/tickets/{ticket}")
        return answer.status == 200 and bool(answer.body["state"]["type"] == "closed")

    await until(closed)
    articles = (await desk.done("GET", f"/tickets/{ticket}/articles"))["items"]
    # The mail about the closing may be an article behind it already.
    assert [each["text"] for each in articles if each["kind"] == "solution"] == ["The fan was dirty."]
