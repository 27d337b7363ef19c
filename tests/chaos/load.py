"""The load of a chaos run: people and mail servers that try again until they get an answer, as real ones do."""

import http.client
import itertools
import json
import random
import smtplib
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from tests.chaos import rules
from tests.chaos.preparation import Tokens, absence

PATIENCE_SECONDS = 120.0


@dataclass
class Acknowledged:
    """What the system has accepted. All of it must be in the log exactly once."""

    mails: list[str] = field(default_factory=list)
    """Message-IDs."""
    tickets: list[str] = field(default_factory=list)
    articles: list[tuple[str, str]] = field(default_factory=list)
    """(ticket, article) of replies and notes."""
    merges: list[tuple[str, str]] = field(default_factory=list)
    """(ticket, the ticket that it was merged into)."""
    timers: list[str] = field(default_factory=list)
    """Tickets that were told to close by themselves."""
    refused: list[str] = field(default_factory=list)
    """Answers that no client should get, whatever process dies."""
    tries: int = 0


class Api:
    """Calls the gateway with an idempotency key, again and again, until there is a final answer."""

    def __init__(self, url: str, token: str, seen: Acknowledged) -> None:
        self.url, self.token, self.seen = url, token, seen

    def put(self, path: str, body: Any) -> None:
        """Saves a document."""
        self.post(path, body, method="PUT")

    def post(self, path: str, body: Any, *, too_late: bool = False, method: str = "POST") -> dict[str, Any] | None:
        """The body of a 2xx; None if the rules refuse the command (409), which is a final answer too.

        With `too_late`, 422 is one as well: a date may have passed before the system answered.
        """
        key, end = uuid.uuid4().hex, time.monotonic() + PATIENCE_SECONDS
        while True:
            status, answer = self._try(method, path, body, key)
            if 200 <= status < 300:
                return answer
            if status == 409 and str(answer.get("type", "")).endswith("/rejected"):
                return None
            if status == 422 and too_late:
                return None
            if status not in (0, 409, 429, 502, 503, 504) or time.monotonic() > end:
                self.seen.refused.append(f"{method} {path}: {status} {answer}")
                return None
            time.sleep(random.uniform(0.05, 0.4))

    def _try(self, method: str, path: str, body: Any, key: str) -> tuple[int, dict[str, Any]]:
        self.seen.tries += 1
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data=json.dumps(body).encode(), method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Idempotency-Key", key)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            try:
                return error.code, json.loads(error.read())
            except (ValueError, OSError, http.client.HTTPException):
                return 0, {}
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}


@contextmanager
def under_load(
    url: str, tokens: Tokens, queue: str, lmtp: tuple[str, int], *, agents: int, mail_servers: int, pace: float
) -> Iterator[Acknowledged]:
    """Runs agents and mail servers while the body runs, each with `pace` seconds between its tickets or mails. Meanwhile
    somebody leaves and comes back again and again, and the SLA changes."""
    seen, stop = Acknowledged(), threading.Event()
    recipient = f"{queue}@help.example.org"
    workers = [
        *(
            threading.Thread(target=agent, args=(Api(url, tokens.agent, seen), queue, stop, pace))
            for _ in range(agents)
        ),
        threading.Thread(target=comes_and_goes, args=(Api(url, tokens.comes_and_goes, seen), stop)),
        threading.Thread(target=changes_the_sla, args=(Api(url, tokens.admin, seen), queue, stop)),
        *(threading.Thread(target=mail_server, args=(*lmtp, recipient, seen, stop, pace)) for _ in range(mail_servers)),
    ]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def agent(api: Api, queue: str, stop: threading.Event, pace: float) -> None:
    """Opens tickets, replies to them, adds notes, merges another ticket into each, and lets it close by itself."""
    while not stop.is_set():
        ticket, other = _open(api, queue), _open(api, queue)
        if ticket is None or other is None:
            continue
        commands: tuple[tuple[str, dict[str, Any]], ...] = (
            ("lock", {}),
            ("reply", {"text": "On it.", "time_units": 1}),
            ("note", {"text": "looked"}),
            ("tag", {"tags": ["chaos"]}),
            ("set-priority", {"priority": 4}),
        )
        for command, body in commands:
            answer = api.post(f"/tickets/{ticket}/{command}", body)
            if answer is not None and "article_id" in answer:
                api.seen.articles.append((ticket, answer["article_id"]))
        if api.post(f"/tickets/{other}/merge", {"into": ticket}) is not None:
            api.seen.merges.append((other, ticket))
        due = datetime.now(UTC) + timedelta(seconds=random.uniform(3, 6))
        waiting = {"state": "pending-auto-close", "pending_until": due.isoformat()}
        if api.post(f"/tickets/{ticket}/set-state", waiting, too_late=True) is not None:
            api.seen.timers.append(ticket)
        stop.wait(pace)


def comes_and_goes(api: Api, stop: threading.Event) -> None:
    """An agent who is away for some seconds, and back for some seconds."""
    for active in itertools.cycle((True, False)):
        api.put("/session/absence", absence(active=active))
        if stop.wait(random.uniform(2, 5)):
            return


def changes_the_sla(api: Api, queue: str, stop: threading.Event) -> None:
    """The solution time changes every few seconds, so that open tickets are counted anew."""
    for minutes in itertools.cycle(rules.SOLUTION_MINUTES[::-1]):
        if stop.wait(random.uniform(5, 10)):
            return
        api.put("/slas/chaos", {**rules.SLA, "queues": [queue], "solution_minutes": minutes})


def _open(api: Api, queue: str) -> str | None:
    customer = {"email": f"{uuid.uuid4().hex[:6]}@caller.example"}
    body = {"subject": "Rang", "body": "Wants a call back.", "customer": customer, "queue": queue, "channel": "phone"}
    opened = api.post("/tickets", body)
    if opened is None:
        return None
    api.seen.tickets.append(opened["id"])
    return str(opened["id"])


def mail_server(host: str, port: int, recipient: str, seen: Acknowledged, stop: threading.Event, pace: float) -> None:
    """Delivers mails, each again and again with the same bytes until it is accepted."""
    while not stop.is_set():
        name = uuid.uuid4().hex
        sender = f"{name[:8]}@customer.example"
        mail = (
            f"From: Per <{sender}>\r\nTo: {recipient}\r\nSubject: hums {name[:6]}\r\n"
            f"Message-ID: <{name}@customer.example>\r\n"
            "Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n\r\nSince this morning it hums.\r\n"
        ).encode()
        deliver = partial(_deliver, host, port, mail, sender, recipient)
        if _until_accepted(deliver, seen, name):
            seen.mails.append(f"<{name}@customer.example>")
        stop.wait(pace)


def _deliver(host: str, port: int, mail: bytes, sender: str, recipient: str) -> None:
    with smtplib.LMTP(host, port) as server:
        if server.sock is not None:
            server.sock.settimeout(40)
        server.sendmail(sender, [recipient], mail)


def _until_accepted(deliver: Callable[[], None], seen: Acknowledged, name: str) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        seen.tries += 1
        try:
            deliver()
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= 500:
                seen.refused.append(f"mail {name}: {error}")
                return False
        except smtplib.SMTPRecipientsRefused as error:
            if any(code >= 500 for code, _ in error.recipients.values()):
                seen.refused.append(f"mail {name}: {error}")
                return False
        except (OSError, smtplib.SMTPException):
            pass
        else:
            return True
        if time.monotonic() > end:
            seen.refused.append(f"mail {name}: not accepted within {PATIENCE_SECONDS:.0f} s")
            return False
        time.sleep(random.uniform(0.05, 0.4))
