"""The smaller documents, the records of customers, and what agents choose for themselves."""

from typing import Any

import pytest

from tests.services.gateway.conftest import PASSWORD, Gateway
from tests.specs.requirement import requirement

IT = {"slug": "it", "name": "IT", "members": []}
DONE = {"slug": "done", "name": "done, awaiting auto-close", "type": "pending_auto_close", "close_after_hours": 24.0}


@requirement("A5.01", "A4.02")
async def test_an_installation_begins_with_the_standard_states_and_priorities(gateway: Gateway) -> None:
    admin = await gateway.admin()
    states = (await admin.get("/states")).body["items"]
    assert {state["slug"]: state["type"] for state in states} == {
        "closed-successful": "closed",
        "closed-unsuccessful": "closed",
        "merged": "merged",
        "new": "new",
        "open": "open",
        "pending-auto-close": "pending_auto_close",
        "pending-reminder": "pending_reminder",
    }
    priorities = (await admin.get("/priorities")).body["items"]
    assert [(p["number"], p["name"], p["offered_to_customers"]) for p in priorities] == [
        (1, "1 very low", False),
        (2, "2 low", True),
        (3, "3 normal", True),
        (4, "4 high", True),
        (5, "5 immediate", True),
    ]


async def test_an_administrator_adds_a_state(gateway: Gateway) -> None:
    admin = await gateway.admin()
    assert (await admin.put("/states/done", DONE)).status == 201
    queue = await admin.put("/queues/it", {**IT, "next_state_after_reply": "done"})
    assert queue.status == 201 and queue.body["next_state_after_reply"] == "done"
    used = await admin.delete("/states/done")
    assert used.status == 409 and "it" in used.body["detail"]
    await admin.put("/queues/it", IT)
    assert (await admin.delete("/states/done")).status == 204
    again = await admin.put("/queues/it", {**IT, "next_state_after_reply": "done"})
    assert again.status == 422 and again.body["errors"][0]["pointer"] == "/next_state_after_reply"
    history = (await admin.get("/states/done/history")).body["items"]
    assert [event["type"] for event in history] == ["helpdesk.StateSaved.v1", "helpdesk.StateRetired.v1"]


@requirement("A8.03", "A8.04")
@pytest.mark.parametrize("kind", ["salutation", "signature"])
async def test_a_salutation_or_signature_in_use_cannot_be_retired(gateway: Gateway, kind: str) -> None:
    admin = await gateway.admin()
    await admin.put(f"/{kind}s/polite", {"slug": "polite", "name": "polite", "text": "With kind regards"})
    assert (await admin.put("/queues/it", {**IT, kind: "polite"})).status == 201
    used = await admin.delete(f"/{kind}s/polite")
    assert used.status == 409 and "it" in used.body["detail"]
    await admin.put("/queues/it", IT)
    assert (await admin.delete(f"/{kind}s/polite")).status == 204


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/states/done", {**DONE, "type": "closed"}, "/close_after_hours"),
        ("/states/mine", {"slug": "mine", "name": "x", "type": "merged"}, "/type"),
        ("/states/open", {"slug": "open", "name": "x", "type": "closed"}, "/type"),
        ("/states/open", {"slug": "opened", "name": "x", "type": "open"}, "/slug"),
        ("/priorities/6", {"slug": "6", "name": "x", "number": 6}, "/number"),
        ("/priorities/4", {"slug": "4", "name": "x", "number": 5}, "/slug"),
        ("/templates/a", {"slug": "a", "name": "x", "text": "{% for x in y %}{% endfor %}"}, "/text"),
        ("/templates/a", {"slug": "a", "name": "x", "text": "{{ ticket.number"}, "/text"),
        ("/templates/a", {"slug": "a", "name": "x", "text": "ok", "queues": ["it", "nowhere"]}, "/queues/0"),
        ("/signatures/a", {"slug": "a", "name": "x", "text": "{{ ticket.close() }}"}, "/text"),
        ("/fields/room", {"slug": "room", "name": "Room", "kind": "choice"}, "/choices"),
        ("/fields/room", {"slug": "room", "name": "Room", "kind": "text", "choices": ["a"]}, "/choices"),
        ("/fields/room", {"slug": "room", "name": "Room", "kind": "colour"}, "/kind"),
        ("/queues/it", {**IT, "follow_up": "reject", "follow_up_days": 3}, "/follow_up_days"),
        ("/queues/it", {**IT, "next_state_after_reply": "new"}, "/next_state_after_reply"),
    ],
)
async def test_the_error_of_a_document_names_the_field(
    gateway: Gateway, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await (await gateway.admin()).put(path, body)
    assert answer.status == 422, answer
    assert pointer in {error["pointer"] for error in answer.body["errors"]}


async def test_documents_that_the_rules_need_cannot_be_retired(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for path in ("/states/open", "/states/merged", "/priorities/3"):
        assert (await admin.delete(path)).status == 409
    renamed = await admin.put("/states/new", {"slug": "new", "name": "ny", "type": "new"})
    assert renamed.status == 200 and renamed.body["name"] == "ny"


@requirement("A8.01", "A8.03", "A8.04", "A8.09")
async def test_who_may_read_what(gateway: Gateway) -> None:
    admin, kari, per = (
        await gateway.admin(),
        await gateway.person("kari", "agent"),
        await gateway.person("per", "customer"),
    )
    await admin.put("/queues/it", IT)
    texts = {"slug": "hello", "name": "Hello", "text": "Hello {{ customer.name }}"}
    for kind in ("templates", "salutations", "signatures"):
        assert (await admin.put(f"/{kind}/hello", texts)).status == 201
        assert (await kari.get(f"/{kind}/hello")).body["text"] == texts["text"]
        assert (await per.get(f"/{kind}/hello")).status == 404
        assert (await per.get(f"/{kind}")).body["items"] == []
        assert (await kari.put(f"/{kind}/hello", texts)).status == 403
        assert (await kari.get(f"/{kind}/hello/history")).status == 403
    field = {"slug": "room", "name": "Room", "kind": "choice", "choices": ["A", "B"], "required_in": ["it"]}
    assert (await admin.put("/fields/room", field)).status == 201
    for who in (kari, per):
        assert (await who.get("/fields/room")).body["choices"] == ["A", "B"]
    assert [p["number"] for p in (await per.get("/priorities")).body["items"]] == [2, 3, 4, 5]
    assert (await per.get("/priorities/1")).status == 404
    assert [role["slug"] for role in (await kari.get("/roles")).body["items"]] == ["admin", "agent", "customer"]
    assert (await kari.get("/roles/admin")).status == 200 and (await kari.get("/roles/king")).status == 404


@requirement("A21.11", "A21.12", "A7.07")
async def test_agents_change_the_records_of_customers(gateway: Gateway) -> None:
    admin, kari, per = (
        await gateway.admin(),
        await gateway.person("kari", "agent"),
        await gateway.person("per", "customer"),
    )
    await admin.put("/companies/acme", {"slug": "acme", "name": "Acme"})
    lise = {"login": "lise", "name": "Lise 100% Berg", "email": "Lise@Acme.example"}
    made = await kari.put("/customers/lise", lise)
    assert made.status == 201 and made.body["roles"] == ["customer"] and made.body["email"] == "lise@acme.example"
    lise["company"] = "acme"
    made = await admin.put("/customers/lise", lise)
    assert made.status == 200 and made.body["company"] == "acme"
    for query, logins in (
        ("", ["lise", "per"]), ("?q=LISE", ["lise"]), ("?q=berg", ["lise"]), ("?q=100%25", ["lise"]),
        ("?q=%25", ["lise"]), ("?q=_", []), ("?company=acme", ["lise"]), ("?q=nobody", []),
    ):  # fmt: skip
        found = await kari.get(f"/customers{query}")
        assert [each["login"] for each in found.body["items"]] == logins, query
    changed = await kari.put("/customers/lise", {**lise, "name": "Lise"}, headers={"If-Match": made.headers["ETag"]})
    assert changed.status == 200 and changed.body["name"] == "Lise"
    late = await kari.put("/customers/lise", {**lise, "name": "L"}, headers={"If-Match": made.headers["ETag"]})
    assert late.status == 412
    # Only administrators change roles.
    assert (await kari.put("/customers/admin", {**lise, "login": "admin"})).status == 403
    assert (await kari.put("/customers/kari", {**lise, "login": "kari"})).status == 403
    assert (await kari.put("/customers/lise", {**lise, "roles": ["admin"]})).status == 422
    assert (await kari.put("/customers/lise", {**lise, "password": PASSWORD})).status == 422
    assert (await kari.get("/customers/admin")).status == 404
    for path in ("/customers", "/customers/lise"):
        assert (await per.get(path)).status == 403
    assert (await per.put("/customers/per", {**lise, "login": "per"})).status == 403
    await admin.delete("/people/lise")
    assert (await kari.get("/customers/lise")).status == 404
    assert (await kari.put("/customers/lise", lise)).status == 403


@requirement("A3.14")
async def test_an_agent_chooses_the_queues_to_follow(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    for slug in ("it", "hr"):
        members = [{"person": "kari", "rights": ["read"]}] if slug == "it" else []
        await admin.put(f"/queues/{slug}", {**IT, "slug": slug, "members": members})
    assert (await kari.get("/session/queues")).body == {"queues": []}
    chosen = await kari.put("/session/queues", {"queues": ["it", "it"]})
    assert chosen.status == 200 and [queue["slug"] for queue in chosen.body["queues"]] == ["it"]
    hidden = await kari.put("/session/queues", {"queues": ["it", "hr"]})
    assert hidden.status == 422 and hidden.body["errors"][0]["pointer"] == "/queues/1"
    # A later change by an administrator keeps the choice.
    read = (await admin.get("/people/kari")).body
    await admin.put("/people/kari", {**read, "name": "Kari N."})
    assert [queue["slug"] for queue in (await kari.get("/session/queues")).body["queues"]] == ["it"]
    per = await gateway.person("per", "customer")
    assert (await per.get("/session/queues")).status == 403


MAILBOX = {
    "slug": "support",
    "name": "Support",
    "protocol": "imap",
    "host": "mail.example.org",
    "port": 993,
    "user": "support@example.org",
    "credential": {"kind": "password", "secret": "support-mailbox"},  # pragma: allowlist secret
}
TOKENS = {
    "kind": "oauth2",
    "client_id": "desk",
    "token_endpoint": "https://login.example.org/token",
    "refresh_token": "support-refresh",
}


@requirement("A1.01")
async def test_only_administrators_see_mailboxes(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    saved = await admin.put("/mailboxes/support", MAILBOX)
    assert saved.status == 201, saved
    shown = (await admin.get("/mailboxes/support")).body
    assert (shown["tls"], shown["folder"], shown["afterwards"], shown["trusted"]) == (
        "implicit",
        "INBOX",
        "flag",
        False,
    )
    assert shown["credential"] == MAILBOX["credential"]
    assert (await admin.put("/mailboxes/support", {**MAILBOX, "credential": TOKENS})).status == 200
    assert [each["slug"] for each in (await admin.get("/mailboxes")).body["items"]] == ["support"]
    assert (await kari.get("/mailboxes")).status == 403
    assert (await kari.get("/mailboxes/support")).status == 404
    assert (await kari.get("/mailboxes/support/history")).status == 403
    assert (await kari.put("/mailboxes/support", MAILBOX)).status == 403
    assert (await admin.delete("/mailboxes/support")).status == 204
    history = (await admin.get("/mailboxes/support/history")).body["items"]
    assert [event["type"] for event in history] == [
        "helpdesk.MailboxSaved.v1",
        "helpdesk.MailboxSaved.v1",
        "helpdesk.MailboxRetired.v1",
    ]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"host": "mail example"}, "/host"),
        ({"host": "a/b"}, "/host"),
        ({"port": 0}, "/port"),
        ({"tls": "none"}, "/tls"),
        ({"protocol": "pop3"}, "/afterwards"),
        ({"protocol": "pop3", "afterwards": "delete", "folder": "Desk"}, "/folder"),
        ({"afterwards": "move"}, "/move_to"),
        ({"move_to": "Done"}, "/move_to"),
        ({"afterwards": "move", "move_to": "inbox"}, "/move_to"),
        ({"credential": {"kind": "password", "secret": "../etc/passwd"}}, "/credential/secret"),
        ({"credential": {"kind": "password", "secret": "x", "password": "open"}}, "/credential/password"),
        ({"credential": {**TOKENS, "token_endpoint": "http://login.example.org/"}}, "/credential/token_endpoint"),
        ({"credential": {**TOKENS, "token_endpoint": "https://a:b@login.example.org/"}}, "/credential/token_endpoint"),
        ({"recipient": "support"}, "/recipient"),
        ({"user": "a\r\nb"}, "/user"),
    ],
)
async def test_the_error_of_a_mailbox_names_the_field(gateway: Gateway, wrong: dict[str, Any], pointer: str) -> None:
    answer = await (await gateway.admin()).put("/mailboxes/wrong", {**MAILBOX, "slug": "wrong", **wrong})
    assert answer.status == 422, answer
    assert pointer in {error["pointer"] for error in answer.body["errors"]}


async def test_a_mailbox_on_this_machine_needs_no_encryption(gateway: Gateway) -> None:
    admin = await gateway.admin()
    local = {**MAILBOX, "slug": "local", "tls": "none"}
    for host in ("127.0.0.1", "::1", "localhost"):
        assert (await admin.put("/mailboxes/local", {**local, "host": host})).status in (200, 201)


@requirement("A10.05", "A10.06", "A10.09")
async def test_an_agent_chooses_which_mails_to_get(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    none = dict.fromkeys(("new_ticket", "follow_up", "lock_expired", "moved", "assigned", "escalated"), False)
    assert (await kari.get("/session/notices")).body == none
    chosen = await kari.put("/session/notices", {"moved": True, "new_ticket": True, "escalated": True})
    assert (chosen.status, chosen.body) == (200, none | {"moved": True, "new_ticket": True, "escalated": True})
    read = (await admin.get("/people/kari")).body
    assert read["notices"] == ["new_ticket", "moved", "escalated"]
    await admin.put("/people/kari", {**read, "name": "Kari N."})
    await kari.put("/session/queues", {"queues": []})
    assert (await kari.get("/session/notices")).body == chosen.body
    assert (await kari.put("/session/notices", {})).body == none
    for body, pointer in (({"moved": "yes"}, "/moved"), ({"sung_to": True}, "/sung_to")):
        refused = await kari.put("/session/notices", body)
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, pointer)
    per = await gateway.person("per", "customer")
    for answer in (await per.get("/session/notices"), await per.put("/session/notices", {})):
        assert answer.status == 403


RECOUNT = {
    "slug": "recount",
    "name": "Recalculation",
    "queue": "it",
    "guidance": "When the charges look wrong.",
    "fields": [{"field": "period", "required": True}, {"field": "cause"}],
    "attachment_required": True,
}


@requirement("A1.06", "A3.12", "A3.13", "A7.24", "A7.25", "A14.18")
async def test_a_topic_leads_to_a_queue_and_asks_for_fields(gateway: Gateway) -> None:
    admin, per = await gateway.admin(), await gateway.person("per", "customer")
    await admin.put("/queues/it", IT)
    for slug in ("period", "cause"):
        await admin.put(f"/fields/{slug}", {"slug": slug, "name": slug})
    made = await admin.put("/topics/recount", RECOUNT)
    assert made.status == 201, made
    within = {**RECOUNT, "slug": "within", "offered_to_customers": False}
    await admin.put("/topics/within", within)
    assert [topic["slug"] for topic in (await per.get("/topics")).body["items"]] == ["recount"]
    shown = (await per.get("/topics/recount")).body
    assert shown["guidance"] == RECOUNT["guidance"]
    assert (shown["queue"], (await admin.get("/topics/recount")).body["queue"]) == (None, "it")
    assert shown["fields"] == [{"field": "period", "required": True}, {"field": "cause", "required": False}]
    assert (await per.get("/topics/within")).status == 404
    assert (await per.put("/topics/recount", RECOUNT)).status == 403
    for wrong, pointer in (
        ({"queue": "nowhere"}, "/queue"),
        ({"fields": [{"field": "nothing"}]}, "/fields/0/field"),
        ({"fields": [{"field": "cause"}, {"field": "cause"}]}, "/fields/1/field"),
        ({"slug": "other"}, "/slug"),
    ):
        refused = await admin.put("/topics/recount", {**RECOUNT, **wrong})
        assert refused.status == 422
        assert pointer in {error["pointer"] for error in refused.body["errors"]}
    for needed in ("/queues/it", "/fields/period", "/fields/cause"):
        kept = await admin.delete(needed)
        assert kept.status == 409 and "recount" in kept.body["detail"], needed
    for path in ("/topics/recount", "/topics/within"):
        assert (await admin.delete(path)).status == 204
    assert (await admin.delete("/fields/cause")).status == 204


@requirement("A5.14")
async def test_a_new_queue_tells_customers_of_closings_unless_it_says_otherwise(gateway: Gateway) -> None:
    admin = await gateway.admin()
    assert (await admin.put("/queues/it", IT)).body["tells_when_closed"] is True
    assert (await admin.put("/queues/it", {**IT, "tells_when_closed": False})).body["tells_when_closed"] is False
