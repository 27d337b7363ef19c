"""The main job with sample mails, through LMTP and the gateway's API only."""

import json
import mailbox
import os
import secrets
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from deploy.local.home import Home, Trouble
from deploy.local.programs import Instance
from deploy.local.supervision import Supervisor, wait

Say = Callable[[str], None]


class Desk:
    """The API for a signed-in person. Every read waits for earlier writes."""

    def __init__(self, url: str, login: str, password: str) -> None:
        self.url, self.token, self.consistency = url, "", ""
        self.token = self.call("POST", "/session", {"login": login, "password": password})["token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if self.consistency and method == "GET":
            request.add_header("X-Consistency-Token", self.consistency)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.consistency = answer.headers.get("X-Consistency-Token") or self.consistency
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise Trouble(
                f"{method} {path} answered {error.code}: {error.read().decode(errors='replace')[:300]}"
            ) from error


def play(home: Home, say: Say) -> int:
    """Plays the main job on the running instance. Returns the exit status."""
    if not Supervisor(home).alive():
        raise Trouble("Ledgerdesk does not run: run `make up` first")
    instance = Instance(home, home.ports(running=True))
    if os.environ.get("LEDGERDESK_SMTP_URL"):
        raise Trouble("the demo reads the reply from the Maildir: run it on an instance without LEDGERDESK_SMTP_URL")
    mark = secrets.token_hex(3)
    queue, address, agent = f"demo-{mark}", f"demo-{mark}@help.example.org", f"kari-{mark}"
    customer, password = f"per-{mark}@customer.example", secrets.token_urlsafe(12)
    admin = Desk(instance.gateway_url, "admin", home.admin_password.read_text("utf-8").strip())

    person = {
        "login": agent,
        "name": "Kari Nordmann",
        "email": f"{agent}@help.example.org",
        "password": password,
        "roles": ["agent"],
    }
    admin.call("PUT", f"/people/{agent}", person)
    rights = ["read", "create", "move_into", "note", "work"]
    document = {
        "slug": queue,
        "name": "IT support",
        "address": address,
        "display_name": "IT support",
        "salutation": "Hei {{ customer.name }},",
        "signature": "Vennlig hilsen\n{{ agent.name }}\nIT support",
        "members": [{"person": agent, "rights": rights}],
    }
    admin.call("PUT", f"/queues/{queue}", document)
    say(f"1. An administrator sets up the agent {agent} and the queue {queue} with the address {address}.")

    first = _mail(f"Per Hansen <{customer}>", address, "My computer hums", "Since this morning it hums.\n\nPer")
    _deliver(instance, first, customer, address)
    desk = Desk(instance.gateway_url, agent, password)
    ticket = _eventually(
        lambda: next(iter(desk.call("GET", f"/tickets?queue={queue}")["items"]), None),
        "the mail does not become a ticket",
    )
    say(
        f"2. Per's mail came in over LMTP and is Ticket#{ticket['number']} in {ticket['queue']['name']},"
        f" state {ticket['state']['name']}."
    )

    ref = ticket["id"]
    desk.call("POST", f"/tickets/{ref}/lock", {})
    say("3. Kari locks the ticket, which makes her its owner.")
    desk.call(
        "POST", f"/tickets/{ref}/reply", {"text": "Please send us the serial number.", "state": "open", "time_units": 5}
    )
    answer = _eventually(lambda: _answer(home, customer), "the answer does not leave")
    say(f"4. Kari replies. The mail:\n\n{_indented(answer)}\n")
    desk.call("POST", f"/tickets/{ref}/close", {"text": "done", "subject": "done"})
    say("5. Kari closes the ticket.")

    back = _mail(customer, address, f"AW: [Ticket#{ticket['number']}] My computer hums", "The number is 12345.")
    back["In-Reply-To"] = str(answer["Message-ID"]).strip()
    _deliver(instance, back, customer, address)
    _eventually(
        lambda: desk.call("GET", f"/tickets/{ref}")["state"]["type"] == "open",
        "the customer's reply does not reopen the ticket",
    )
    say("6. Per's reply came back into the same ticket and reopened it. Its history, event by event:\n")
    for entry in desk.call("GET", f"/tickets/{ref}/history")["items"]:
        say(
            f"   {entry['at']}  {entry['source'].rpartition('/')[2]:<8} v{entry['version']:<2}"
            f" {entry['type']:<38} {entry['summary']}"
        )
    counts = _eventually(lambda: _reopened(desk, queue), "the queue's numbers do not show the reopening")
    say(
        "\n7. The queue's numbers: "
        + ", ".join(f"{name} {counts[name]}" for name in ("new", "open", "pending", "closed", "available"))
        + "."
    )
    return 0


def _reopened(desk: Desk, queue: str) -> dict[str, Any] | None:
    """The queue's numbers, once they count its ticket as open: they follow the lists by moments."""
    counts = next(item for item in desk.call("GET", "/stats/queues")["items"] if item["queue"]["slug"] == queue)
    return counts if counts["open"] else None


def _mail(sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Date"] = sender, recipient, subject, formatdate()
    mail["Message-ID"] = make_msgid(domain="customer.example")
    mail.set_content(text)
    return mail


def _deliver(instance: Instance, mail: EmailMessage, sender: str, recipient: str) -> None:
    host, _, port = instance.lmtp.rpartition(":")
    with smtplib.LMTP(host, int(port)) as server:
        server.sendmail(sender, [recipient], mail.as_bytes())


def _answer(home: Home, customer: str) -> Any:
    """The mail from an agent to this customer. Receipts are left out: they say that they are automatic."""
    if not home.sent.is_dir():
        return None
    box = mailbox.Maildir(home.sent, create=False)
    return next((mail for mail in box if customer in str(mail["To"]) and not mail["Auto-Submitted"]), None)


def _indented(mail: Any) -> str:
    shown = [
        f"{name}: {' '.join(str(mail[name]).split())}"
        for name in ("From", "To", "Subject", "Message-ID", "References")
        if mail[name]
    ]
    text = mail.get_payload(decode=True).decode("utf-8", "replace")
    return "\n".join(f"     {line}" for line in [*shown, "", *text.strip().splitlines()])


def _eventually(probe: Callable[[], Any], otherwise: str) -> Any:
    found: list[Any] = []

    def ready() -> bool:
        found[:] = [probe()]
        return bool(found[0])

    wait(ready, 15, f"{otherwise}; see `make logs`")
    return found[0]
