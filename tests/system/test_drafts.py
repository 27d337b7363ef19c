"""Drafts on a whole system: the services decide which tickets and files a draft may name, and what sends it."""

import uuid
from typing import Any

from shared.testing.progress import until
from tests.specs.requirement import requirement
from tests.system.desk import Desk
from tests.system.harness import ADMIN_PASSWORD

FORM = b'--e\r\nContent-Disposition: form-data; name="file"; filename="hum.txt"\r\n\r\nhums\r\n--e--\r\n'


async def agent(desk: Desk, *rights: str) -> str:
    """The token of a new agent with these rights on the desk's queue."""
    login = f"agent-{uuid.uuid4().hex[:8]}"
    document = {"login": login, "name": "Agent", "email": f"{login}@people.example", "roles": ["agent"]}
    await desk.saved(f"/people/{login}", {**document, "password": ADMIN_PASSWORD})
    queue = (await desk.done("GET", f"/queues/{desk.queue}")) | {"address": desk.address}
    members = [*queue["members"], {"person": login, "rights": list(rights)}]
    if rights:
        await desk.saved(f"/queues/{desk.queue}", {**queue, "members": members})
    return str((await desk.done("POST", "/session", {"login": login, "password": ADMIN_PASSWORD}))["token"])


async def uploaded(desk: Desk) -> str:
    files = await desk.done("POST", "/blobs", raw=FORM, Content_Type="multipart/form-data; boundary=e")
    return str(files["items"][0]["id"])


def pointers(body: Any) -> list[str]:
    return [error["pointer"] for error in body["errors"]]


@requirement("A10.14")
async def test_an_answer_with_a_file_is_drafted_and_sent(desk: Desk) -> None:
    ticket = await desk.opened()
    admin, worker, outsider = desk.token, await agent(desk, "read", "note", "work"), await agent(desk)
    desk.token = worker
    key, file = f"ticket:{ticket}:reply", await uploaded(desk)
    draft = {"ticket": ticket, "command": "reply", "body": {"text": "Dear"}, "attachments": [file]}

    async def shown() -> bool:
        return (await desk.call("GET", f"/tickets/{ticket}")).status == 200

    await until(shown)
    assert (await desk.call("PUT", f"/drafts/{key}", draft)).status == 201
    desk.token = outsider
    for content, wrong in ((draft, "/ticket"), ({**draft, "ticket": None}, "/attachments/0")):
        refused = await desk.call("PUT", f"/drafts/{key}", content)
        assert (refused.status, pointers(refused.body)) == (422, [wrong]), refused
    for token in (outsider, admin):
        desk.token = token
        assert (await desk.call("GET", f"/drafts/{key}")).status == 404
    desk.token = worker
    reply = {"text": "Dear Per, it is done.", "attachments": [file], "draft": key}
    refused = await desk.call("POST", f"/tickets/{ticket}/reply", {**reply, "colour": "red"})
    assert (refused.status, pointers(refused.body)) == (422, ["/colour"])
    assert (await desk.done("GET", f"/drafts/{key}"))["attachments"] == [file]
    sent = await desk.call("POST", f"/tickets/{ticket}/reply", reply, key="once")
    again = await desk.call("POST", f"/tickets/{ticket}/reply", reply, key="once")
    assert (sent.status, again.headers.get("Idempotent-Replayed"), again.body) == (200, "true", sent.body)
    assert (await desk.call("GET", f"/drafts/{key}")).status == 404


@requirement("A10.14")
async def test_commands_of_every_service_take_a_draft(desk: Desk) -> None:
    draft = {"command": "open", "body": {"subject": "x"}}

    async def gone(method: str, path: str, body: dict[str, Any]) -> Any:
        await desk.done("PUT", "/drafts/new:phone", draft)
        answer = await desk.done(method, path, {**body, "draft": "new:phone"})
        assert (await desk.call("GET", "/drafts/new:phone")).status == 404, path
        return answer

    body = {"subject": "x", "body": "y", "queue": desk.queue, "customer": {"email": "x@caller.example"}}
    ticket = str((await gone("POST", "/tickets", body))["id"])
    await until(lambda: desk.take_commands(ticket))
    await gone("POST", f"/tickets/{ticket}/message", {"text": "and", "on_behalf_of": "x@caller.example"})
    await gone("POST", f"/tickets/{ticket}/lock", {})
    await gone("POST", f"/tickets/{ticket}/note", {"text": "z" * 600_000})
    await gone("POST", "/tickets/commands", {"tickets": [ticket], "command": "note", "body": {"text": "x"}})

    async def article() -> Any:
        return (await desk.done("GET", f"/tickets/{ticket}/articles"))["items"]

    first = (await until(article))[0]["id"]
    await gone("POST", f"/tickets/{ticket}/forward", {"article": first, "to": ["x@elsewhere.example"], "text": "x"})
