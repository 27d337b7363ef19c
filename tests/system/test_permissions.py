"""Who may do what: every endpoint of the API for every kind of person, on one ticket and its configuration.

The endpoints come from the OpenAPI document. The test fails for one that the matrix does not name (requirements A19.01
to A19.05).
"""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from services.gateway.front.reference import DOCUMENT
from services.routing.api.routes import ACTIONS
from shared.testing.progress import until
from shared.testing.samples import sample_body
from tests.described import compared
from tests.specs.requirement import requirement
from tests.system.desk import Answer, Desk
from tests.system.harness import ADMIN_PASSWORD

ROLES = ("nobody", "admin", "worker", "reader", "outsider", "own", "colleague", "stranger")
"""worker: an agent with every right on the queue; reader: with `read`; outsider: with none.

own, colleague, stranger: customers.
"""

# One sign for each of ROLES: 1 = 401, 3 = 403, 4 = 404, 2 = 422 as for an unknown object, + = none of these.
EVERYBODY = "1+++++++"
DESK = "1++++333"
ADMIN = "1+333333"
SEEN = "1+++4++4"
WORK = "1++34334"
QUEUE = "1+++4444"
KINDS_OF_DOCUMENTS = (
    "Calendar", "Company", "Field", "Macro", "Mailbox", "Person", "Priority", "Queue", "ReportSchedule", "Salutation",
    "Signature", "Sla", "State", "Template", "Topic", "Trigger",
)  # fmt: skip
MATRIX: dict[str, str] = {
    # tickets
    "openTicket": "1++32+++", "listTickets": EVERYBODY, "getTicket": SEEN, "listArticles": SEEN, "getRawArticle": SEEN,
    "getBlob": SEEN, "printTicket": SEEN, "exportTickets": EVERYBODY,
    "exportSearch": EVERYBODY,
    "listHistory": "1+++4334", "addCustomerMessage": "1++34++4", "uploadFiles": EVERYBODY, "commandTickets": WORK,
    **dict.fromkeys(("forwardArticle", "bounceArticle", "splitTicket"), WORK),
    **dict.fromkeys((action.operation for action in ACTIONS.values()), WORK),
    "listEvents": EVERYBODY,
    # live
    "openStream": EVERYBODY, "putPresence": "1+++4334",
    "listNotices": EVERYBODY, "markNoticesSeen": EVERYBODY,
    # finding
    "searchTickets": EVERYBODY, "suggest": EVERYBODY, "listSearches": EVERYBODY, "getSearch": QUEUE,
    "putSearch": "13+3++++",  # who cannot see it cannot share with its queue: 422
    "deleteSearch": "13+44444",  # gone once its owner has deleted it
    # numbers
    "countDays": EVERYBODY, "countMine": EVERYBODY, "countWidgets": EVERYBODY, "countQueues": EVERYBODY, "sumTime": EVERYBODY,
    "listReports": DESK, "getReport": DESK,
    # mails as they came in
    **dict.fromkeys(("handInMail", "listMails", "getMail", "processMail", "getRawMail"), ADMIN),
    # mails that have not left
    **dict.fromkeys((
        "getOutgoing", "listOutgoing", "listOutgoingDecisions", "pauseOutgoing", "resumeOutgoing",
    ), ADMIN),
    "retryOutgoing": "14333333", "giveUpOutgoing": "14333333",
    # settings
    **dict.fromkeys((f"put{one}" for one in KINDS_OF_DOCUMENTS), ADMIN),
    **dict.fromkeys((f"retire{one}" for one in KINDS_OF_DOCUMENTS), ADMIN),
    **dict.fromkeys((
        "listCompanies", "listFields", "listPeople", "listPriorities", "listQueues", "listRoles", "listSalutations",
        "listSignatures",
        "listStates", "listTemplates", "listTopics", "listCalendars", "listSlas", "listMacros", "getRole", "getField",
        "getPriority", "getState", "getTopic",
    ), EVERYBODY),
    **dict.fromkeys(("getCalendar", "getSalutation", "getSignature", "getSla", "getTemplate"), "1++++444"),
    **dict.fromkeys((
        "getCalendarHistory", "getSalutationHistory", "getSignatureHistory", "getSlaHistory", "getTemplateHistory",
    ), "1+333444"),
    "getMacro": QUEUE, "getMacroHistory": "1+334444",
    "listTriggers": ADMIN, "getTrigger": "1+444444", "getTriggerHistory": ADMIN,
    **dict.fromkeys(("getFieldHistory", "getPriorityHistory", "getStateHistory", "getTopicHistory"), ADMIN),
    "listMailboxes": ADMIN, "getMailbox": "1+444444", "getMailboxHistory": ADMIN, "getMailboxStatus": ADMIN,
    "listReportSchedules": ADMIN, "getReportSchedule": "1+444444", "getReportScheduleHistory": ADMIN,
    "sendReport": ADMIN, "listReportRuns": ADMIN, "tryTrigger": ADMIN,
    "getQueue": QUEUE, "getQueueHistory": "1+334444", "getCompany": "1++++++4", "getCompanyHistory": "1+333334",
    "getPerson": "1+++++44", "getPersonHistory": "1+333344",
    "listCustomers": DESK, "getCustomer": DESK, "putCustomer": DESK, "listMyQueues": DESK, "putMyQueues": DESK,
    "getMyNotices": DESK, "putMyNotices": DESK, "getMyAbsence": DESK, "putMyAbsence": DESK,
    "getAbsenceOfPerson": ADMIN, "putAbsenceOfPerson": ADMIN,
    # what people set and keep for themselves
    **dict.fromkeys(("getPreferences", "putPreferences", "patchPreferences", "getMyNotes", "putMyNotes"), EVERYBODY),
    **dict.fromkeys(("listDrafts", "getDraft", "putDraft", "deleteDraft"), EVERYBODY),
    # one's own sign-in
    "whoAmI": EVERYBODY, "listTokens": EVERYBODY, "createToken": EVERYBODY, "revokeToken": "14444444",
    "signIn": "++++++++", "askForPassword": "++++++++", "resetPassword": "++++++++",
    "signOut": "1+++++++", "proveSession": EVERYBODY, "changePassword": EVERYBODY,
    "listSessions": EVERYBODY, "endSession": "14444444", "listSessionsOfPerson": ADMIN, "listTokensOfPerson": ADMIN,
}  # fmt: skip
LAST = ("moveTicket", "splitTicket", "mergeTicket")
SIGNS = {401: "1", 403: "3", 404: "4"}


@dataclass
class Stage:
    """A ticket from a customer's mail, the people around it, and what requests need to name."""

    desk: Desk
    tokens: dict[str, str]
    names: dict[str, str]
    bodies: dict[str, Any]
    settings: dict[str, str]

    async def sign(self, operation: str, method: str, path: str, role: str) -> str:
        """The sign for an endpoint's answer to a request by this role."""
        kind = path.split("/")[1]
        leaver = operation == "retirePerson"  # a person whom no other request needs
        path = path.replace("{reference}", self.settings["leaver"] if leaver else self.settings.get(kind, "x"))
        for name, value in self.names.items():
            path = path.replace("{" + name + "}", value)
        self.desk.token = self.tokens[role]
        raw = self.bodies[operation] if isinstance(self.bodies.get(operation), bytes) else None
        headers = (
            {"Content_Type": "message/rfc822", "X_Envelope_From": "<>", "X_Envelope_To": self.desk.address}
            if raw
            else {}
        )
        if operation == "signIn":
            self.desk.token = ""
        body = None if raw else self.bodies.get(operation)
        if operation == "openTicket" and role in ("admin", "worker", "reader", "outsider"):
            body = {**(body or {}), "customer": {"email": "x@y.example"}}  # customers open tickets for themselves
        answer = await self.desk.call(method, path, body, raw=raw, **headers)
        if answer.status >= 500:
            raise AssertionError((operation, role, answer))
        if operation == "commandTickets" and answer.status == 200:
            return SIGNS.get(answer.body["items"][0]["status"], "+")
        if answer.status == 422 and operation == "openTicket":
            return "2"
        return SIGNS.get(answer.status, "+")


async def staged(desk: Desk) -> Stage:
    unique = uuid.uuid4().hex[:8]
    password = ADMIN_PASSWORD
    tokens = {"nobody": "", "admin": desk.token}
    company = f"acme-{unique}"
    await desk.saved(f"/companies/{company}", {"slug": company, "name": "Acme"})
    for role in ROLES[2:]:
        login = f"{role}-{unique}"
        customer = role in ("own", "colleague", "stranger")
        person = {"login": login, "name": role.title(), "email": f"{login}@people.example", "password": password,
                  "roles": ["customer" if customer else "agent"]}  # fmt: skip
        if role in ("own", "colleague"):
            person["company"] = company
        await desk.saved(f"/people/{login}", person)
    rights = {"worker": ["read", "create", "move_into", "note", "work"], "reader": ["read"]}
    members = [{"person": f"{role}-{unique}", "rights": held} for role, held in rights.items()]
    queue = {"slug": desk.queue, "name": "Desk", "address": desk.address, "members": members}
    await desk.saved(f"/queues/{desk.queue}", queue)
    for role in ROLES[2:]:
        session = {"login": f"{role}-{unique}", "password": password}
        tokens[role] = (await desk.done("POST", "/session", session))["token"]
        desk.token = tokens[role]
        await desk.saved("/drafts/new:phone", {"command": "open", "body": {}})
    desk.token = tokens["admin"]
    await desk.saved("/drafts/new:phone", {"command": "open", "body": {}})
    mail = desk.mail()
    mail.replace_header("From", f"Own <own-{unique}@people.example>")
    mail.add_attachment(b"hum", maintype="audio", subtype="ogg", filename="hum.ogg")
    await desk.mail_in(mail.as_bytes())
    ticket = await until(lambda: desk.ticket_of(mail))
    assert ticket is not None
    await until(lambda: desk.take_commands(ticket))
    other = await desk.opened()

    async def shown() -> Any:
        found = await desk.call("GET", f"/tickets/{ticket}/articles")
        return found.status == 200 and found.body["items"]

    article = (await until(shown))[0]
    mails = (await desk.done("GET", "/mails?limit=1"))["items"]
    event = (await desk.history(ticket))[-1]["id"]
    settings: dict[str, str] = {
        "queues": desk.queue,
        "companies": company,
        "people": f"own-{unique}",
        "customers": f"own-{unique}",
        "priorities": "3",
    }
    settings["leaver"] = f"leaver-{unique}"
    leaver = {"login": settings["leaver"], "name": "L", "email": f"l-{unique}@people.example", "roles": ["customer"]}
    await desk.saved(f"/people/{settings['leaver']}", leaver)
    made: dict[str, Any] = {
        "states": {"name": "x", "type": "open"}, "fields": {"name": "x"}, "templates": {"name": "x", "text": "x"},
        "salutations": {"name": "x", "text": "x"}, "signatures": {"name": "x", "text": "x"},
        "topics": {"name": "x", "queue": desk.queue},
        "mailboxes": {"name": "x", "protocol": "imap", "host": "127.0.0.1", "port": 1, "user": "x",
                      "credential": {"kind": "password", "secret": "x"}},
        "report-schedules": {"name": "x", "report": "volume", "every": "day", "at": "07:00", "timezone": "UTC",
                             "to": ["x@elsewhere.example"], "active": False},
        "calendars": {"name": "x", "timezone": "UTC", "hours": {"mon": [["08:00", "16:00"]]}},
        "slas": {"name": "x", "queues": [desk.queue], "solution_minutes": 10_000},
        "triggers": {"name": "x", "active": False, "on": ["opened"], "when": {"all": []},
                     "then": [{"do": "tag", "tags": ["x"]}]},
        "macros": {"name": "x", "queues": [desk.queue], "then": [{"do": "tag", "tags": ["x"]}]},
    }  # fmt: skip
    for kind, document in made.items():
        settings[kind] = f"x-{unique}"
        document["slug"] = settings[kind]
        await desk.saved(f"/{kind}/{settings[kind]}", document)
    search = {"slug": f"x-{unique}", "name": "x", "q": "hums", "shared_with": [desk.queue]}
    desk.token = tokens["worker"]
    await desk.saved(f"/searches/{search['slug']}", search)
    desk.token = tokens["admin"]
    own = {"login": f"own-{unique}", "name": "Own", "email": f"own-{unique}@people.example", "company": company}
    to = ["x@elsewhere.example"]
    bodies: dict[str, Any] = {
        "openTicket": {"subject": "x", "body": "x", "queue": desk.queue, "priority": 3},
        "addCustomerMessage": {"text": "x"},
        "commandTickets": {"tickets": [ticket], "command": "set-priority", "body": {"priority": 4}},
        "assignTicket": {"owner": f"worker-{unique}"}, "recordCall": {"direction": "in", "text": "x"},
        "moveTicket": {"queue": desk.queue},
        "forwardArticle": {"article": article["id"], "to": to, "text": "x"},
        "bounceArticle": {"article": article["id"], "to": to},
        "splitTicket": {"articles": [article["id"]]}, "linkTickets": {"to": other}, "unlinkTickets": {"to": other},
        "mergeTicket": {"into": other}, "addNote": {"text": "x"}, "renameTicket": {"title": "x"},
        "replyToTicket": {"text": "x"}, "putPresence": {"doing": "viewing"},
        "setCustomer": {"customer": own["email"]}, "setFields": {"fields": {"a": 1}}, "setPriority": {"priority": 3},
        "setResponsible": {"responsible": f"worker-{unique}"},
        "setState": {"state": "open"}, "tagTicket": {"tags": ["x"]}, "untagTicket": {"tags": ["x"]},
        "undoDecision": {"event": event},
        **{name: {} for name in ("closeTicket", "lockTicket", "reopenTicket", "unlockTicket")},
        "handInMail": desk.mail().as_bytes(), "pauseOutgoing": {"domain": "nobody.example", "reason": "x"},
        "resumeOutgoing": {"domain": "nobody.example"}, "giveUpOutgoing": {"reason": "x"},
        "putCompany": {"slug": company, "name": "Acme"}, "putPerson": {**own, "roles": ["customer"]},
        "putQueue": queue, "putCustomer": own,
        "putPriority": {"slug": "3", "name": "3 normal", "number": 3}, "putMyQueues": {"queues": []},
        "putMyNotices": {"moved": True}, "putMyAbsence": {"active": False}, "putAbsenceOfPerson": {"active": False},
        "putPreferences": {}, "patchPreferences": {}, "putMyNotes": {"text": "x"},
        "putDraft": {"command": "open", "body": {}}, "markNoticesSeen": {"until": str(uuid.uuid4())},
        "putState": made["states"], "putField": made["fields"], "putTemplate": made["templates"],
        "putSalutation": made["salutations"], "putSignature": made["signatures"], "putMailbox": made["mailboxes"],
        "putReportSchedule": made["report-schedules"], "putSearch": search,
        "putTopic": made["topics"], "putCalendar": made["calendars"], "putSla": made["slas"],
        "putTrigger": made["triggers"], "putMacro": made["macros"],
        "tryTrigger": {
            "trigger": {"slug": f"x-{unique}", "name": "x", "on": ["opened"], "when": {"all": []},
                        "then": [{"do": "tag", "tags": ["x"]}]},
            "from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z",
        },
        "createToken": {"name": "x", "scopes": ["read"]}, "signIn": {"login": own["login"], "password": password},
        "proveSession": {"password": password}, "changePassword": {"current": password, "new": password},
    }  # fmt: skip
    for action in ACTIONS.values():
        if action.operation not in bodies:
            bodies[action.operation] = sample_body(action.body)
    names = {
        "ref": ticket, "article": article["id"], "blob": article["attachments"][0]["id"], "mail_id": mails[0]["id"],
        "role": "agent", "key": "new:phone",
        "token": str(uuid.uuid4()), "session": str(uuid.uuid4()), "mail": str(uuid.uuid4()), "stat": "queues", "name": "volume", "slug": search["slug"],
    }  # fmt: skip
    return Stage(desk, tokens, names, bodies, settings)


@requirement("A19.01", "A19.02", "A19.03", "A19.04")
async def test_every_endpoint_with_every_role(desk: Desk) -> None:
    described = json.loads(DOCUMENT.read_bytes())["paths"]
    operations = [
        (operation["operationId"], method.upper(), path.removeprefix("/api/v1"))
        for path, methods in described.items()
        for method, operation in methods.items()
    ]
    missing = {operation for operation, _, _ in operations} ^ set(MATRIX)
    assert not missing, f"say who may use these: {missing}"
    stage = await staged(desk)
    turn = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 4}
    operations.sort(
        key=lambda each: (each[0] == "signOut", turn[each[1]], each[0] in LAST, each[0] == "mergeTicket", each[0])
    )
    wrong: dict[str, tuple[str, str]] = {}
    for operation, method, path in operations:
        signs = "".join([await stage.sign(operation, method, path, role) for role in ROLES])
        if signs != MATRIX[operation]:
            wrong[operation] = (MATRIX[operation], signs)
    assert not wrong, "\n".join(f"{name}: {want} but {got}" for name, (want, got) in wrong.items())
    unseen = {
        operation["operationId"]
        for methods in described.values()
        for method, operation in methods.items()
        if method == "get" and list(operation["responses"]["200"]["content"]) == ["application/json"]
    } - compared
    assert not unseen, f"nobody compared a real answer of these with the OpenAPI document: {unseen}"


async def test_objects_in_a_body_are_checked_too(desk: Desk) -> None:
    """Objects in a body that the caller may not see are refused like those that do not exist."""
    stage = await staged(desk)
    foreign = f"foreign-{uuid.uuid4().hex[:8]}"
    await desk.saved(f"/queues/{foreign}", {"slug": foreign, "name": "Foreign", "members": []})
    hidden = await desk.done(
        "POST", "/tickets", {"subject": "x", "body": "x", "queue": foreign, "customer": {"email": "x@y.example"}}
    )
    upload = b'--e\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--e--\r\n'
    blob = await desk.done("POST", "/blobs", raw=upload, Content_Type="multipart/form-data; boundary=e")

    async def article() -> Any:
        found = await desk.call("GET", f"/tickets/{hidden['id']}/articles")
        return found.status == 200 and found.body["items"]

    secret = (await until(article))[0]["id"]
    await until(lambda: desk.take_commands(hidden["id"]))
    desk.token = stage.tokens["worker"]
    ref = stage.names["ref"]

    async def refused(command: str, body: dict[str, Any]) -> Answer:
        return await desk.call("POST", f"/tickets/{ref}/{command}", body)

    for command, body, pointer in (
        ("merge", {"into": hidden["id"]}, "/into"),
        ("merge", {"into": hidden["number"]}, "/into"),
        ("link", {"to": hidden["id"]}, "/to"),
        ("move", {"queue": foreign}, "/queue"),
        ("split", {"articles": [secret]}, "/articles/0"),
        ("forward", {"article": secret, "to": ["x@y.example"], "text": "x"}, "/article"),
        ("note", {"text": "x", "attachments": [blob["items"][0]["id"]]}, "/attachments/0"),
    ):
        answer = await refused(command, body)
        assert answer.status == 422 and answer.is_problem, (command, answer)
        assert [error["pointer"] for error in answer.body["errors"]] == [pointer], (command, answer)
    assert (await desk.call("GET", f"/blobs/{blob['items'][0]['id']}")).status == 404
