"""A real intake process on a database and a blob directory of its own, and the people who talk to it."""

import asyncio
import json
import os
import resource
import signal
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from deploy.local.ports import free_ports
from services.intake.schema import MIGRATIONS
from shared.contracts.directory import AskedField, Member, Person, Priority, Queue, TicketField, Topic
from shared.database import connect
from shared.eventstore.migrations import migrate
from shared.http.identity import HEADER, sign
from shared.rules.access import Identity
from shared.testing.documents import seed
from shared.testing.keys import ENVIRONMENT, SIGNING
from tests.described import fault
from tests.servers import NO_KAFKA, Kafka

MAIL_KEY = "a key for message ids"
ROOT = Path(__file__).parents[3]

KARI_ID, OLA_ID, PER_ID = (UUID(f"01900000-0000-7000-8000-00000000000{n}") for n in (1, 2, 3))
KARI = Identity(person_id=KARI_ID, kind="agent", login="kari", name="Kari", email="kari@help.example", roles=("agent",))
OLA = Identity(person_id=OLA_ID, kind="agent", login="ola", name="Ola", email="ola@help.example", roles=("agent",))
PER = Identity(
    person_id=PER_ID, kind="customer", login="per", name="Per Hansen", email="Per@Customer.Example", roles=("customer",)
)
ADMIN = Identity(
    person_id=UUID(int=9), kind="admin", login="admin", name="Admin", email="a@help.example", roles=("admin",)
)
PIPE = ADMIN.model_copy(update={"scopes": ("mail",)})

POSTMASTER = Queue(id=UUID(int=10), slug="postmaster", name="Postmaster")
IT = Queue(
    id=UUID(int=11),
    slug="it",
    name="IT support",
    address="it@help.example",
    members=(
        Member(person=KARI_ID, rights=("read", "create", "note", "work")),
        Member(person=OLA_ID, rights=("read",)),
    ),
)
SALES = Queue(id=UUID(int=12), slug="sales", name="Sales", address="sales@help.example")
OFFERED = {1: False, 2: True, 3: False, 4: True, 5: True}
PRIORITIES = [
    Priority(id=UUID(int=20 + n), slug=str(n), name=str(n), number=n, offered_to_customers=offered)
    for n, offered in OFFERED.items()
]
FLOOR = TicketField(id=UUID(int=30), slug="floor", name="Floor", kind="number", required_in=("it",))
RECOUNT = Topic(
    id=UUID(int=31),
    slug="recount",
    name="Recalculation",
    queue="sales",
    fields=(AskedField(field="floor", required=True),),
    attachment_required=True,
)
LEADS_NOWHERE = Topic(id=UUID(int=32), slug="nowhere", name="Nowhere", queue="gone")
FOR_CUSTOMERS = Topic(id=UUID(int=33), slug="ask-it", name="Ask IT", queue="it", offered_to_customers=True)
POST_ROOM = Queue(id=UUID(int=14), slug="post-room", name="Post room", address="post@help.example")
"""A queue that has an address but no topic."""
INVOICES = Queue(id=UUID(int=15), slug="invoices", name="Invoices")
PAY = Topic(id=UUID(int=37), slug="pay", name="Pay an invoice", queue="invoices")
"""The topic of a queue without an address."""
BACK_OFFICE = Queue(id=UUID(int=13), slug="back-office", name="Back office")
"""A queue without an address, and without a topic that is offered to customers."""
NOT_OFFERED = Topic(id=UUID(int=36), slug="internal", name="Internal", queue="back-office", offered_to_customers=False)
PERSON = Person(
    id=PER_ID, login="per", name="Per Hansen", email="per@customer.example", roles=("customer",), company="acme"
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass(slots=True)
class Reception:
    """Talks to one process; `restart` gives it other failpoints."""

    owner_url: str
    url: str
    directory: Path
    process: subprocess.Popen[bytes] | None = None
    http: str = ""
    lmtp: tuple[str, int] = ("127.0.0.1", 0)
    role: str = "api"
    kafka: Kafka = NO_KAFKA
    clamd: str = ""

    @property
    def blobs(self) -> Path:
        return self.directory / "blobs"

    def environment(self) -> dict[str, str]:
        return (
            os.environ
            | self.kafka.environment("intake")
            | {
                "LEDGERDESK_DATABASE_URL": self.url,
                "LEDGERDESK_DATABASE_OWNER_URL": self.owner_url,
                **ENVIRONMENT,
                "LEDGERDESK_MAIL_KEY": MAIL_KEY,
                "LEDGERDESK_CLAMD": self.clamd,
                "LEDGERDESK_BLOB_URL": f"file://{self.blobs}",
                # as `make up` does: a restarted process need not wait until Kafka notices that the old one is gone
                "LEDGERDESK_REPLICA": "local",
                "LEDGERDESK_LISTEN": self.http.removeprefix("http://"),
                "LEDGERDESK_LMTP_LISTEN": f"{self.lmtp[0]}:{self.lmtp[1]}",
                "PYTHONPATH": str(ROOT),
            }
        )

    def migrate(self) -> None:
        asyncio.run(self._migrated())

    async def _migrated(self) -> None:
        await migrate(self.owner_url, self.url, *MIGRATIONS)
        await seed(
            self.url,
            POSTMASTER,
            IT,
            SALES,
            PERSON,
            *PRIORITIES,
            FLOOR,
            RECOUNT,
            LEADS_NOWHERE,
            BACK_OFFICE,
            POST_ROOM,
            INVOICES,
            PAY,
            NOT_OFFERED,
            FOR_CUSTOMERS,
        )

    def start(self, failpoints: str = "", *, largest_file: int | None = None, lmtp_port: int | None = None) -> None:
        """Starts the process. `largest_file` (bytes) stands for a disk that is full beyond; without `lmtp_port` its
        listener gets a new one."""
        http, lmtp = free_ports(2)
        self.http = f"http://127.0.0.1:{http}"
        self.lmtp = ("127.0.0.1", lmtp_port or lmtp)
        log = (self.directory / "intake.log").open("ab")
        environment = self.environment() | {"LEDGERDESK_FAILPOINTS": failpoints}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.intake", self.role],
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: _limit_files(largest_file),
        )
        log.close()
        self.until(lambda: self._ready(may_die=bool(failpoints)))

    def _ready(self, *, may_die: bool) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            assert may_die, self.log()
            return True
        try:
            with (
                socket.create_connection(self.lmtp, timeout=5),
                urllib.request.urlopen(f"{self.http}/readyz") as answer,
            ):
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(30)

    def restart(self, failpoints: str = "", *, largest_file: int | None = None) -> None:
        self.stop(signal.SIGKILL)
        self.start(failpoints, largest_file=largest_file)

    def died(self) -> bool:
        assert self.process is not None
        return self.process.wait(30) == -signal.SIGKILL

    def log(self) -> str:
        return (self.directory / "intake.log").read_text()

    @staticmethod
    def until(probe: Any, seconds: float = 30) -> Any:
        end = time.monotonic() + seconds
        while not (answer := probe()):
            assert time.monotonic() < end, "did not come"
            time.sleep(0.02)
        return answer

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: Identity | None = KARI,
        raw: bytes | None = None,
        **headers: str,
    ) -> Answer:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        place = path if path.startswith("/internal/") else f"/api/v1{path}"
        request = urllib.request.Request(f"{self.http}{place}", data=data, method=method)
        if who is not None:
            request.add_header(HEADER, sign(who, "intake", SIGNING))
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found = Answer(answer.status, answer.headers, answer.read())
                wrong = fault(method, place, found.status, answer.headers.get("Content-Type", ""), found.raw)
                assert wrong is None, wrong
                return found
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def hand_in(self, raw: bytes, sender: str = "per@customer.example", recipient: str = "it@help.example") -> Any:
        """Sends a mail over HTTP; returns the body of the 202."""
        answer = self.call(
            "POST",
            "/mail",
            who=PIPE,
            raw=raw,
            Content_Type="message/rfc822",
            X_Envelope_From=sender,
            X_Envelope_To=recipient,
        )
        assert answer.status == 202, answer
        return answer.body

    def deliver(self, raw: bytes, sender: str = "per@customer.example", recipient: str = "it@help.example") -> None:
        """Sends a mail over LMTP; raises what smtplib raises if it is refused."""
        with smtplib.LMTP(*self.lmtp) as server:
            server.sendmail(sender, [recipient], raw)

    def events(self, stream: str | UUID) -> list[dict[str, Any]]:
        return self.rows(
            "SELECT type, version, actor_kind, actor_id, data FROM es.events WHERE stream_id = $1 ORDER BY version",
            UUID(str(stream)),
        )

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async def fetch() -> list[asyncpg.Record]:
            connection = await connect(self.url)
            try:
                return await connection.fetch(query, *arguments)
            finally:
                await connection.close()

        return [dict(row) for row in asyncio.run(fetch())]

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])


def _limit_files(largest: int | None) -> None:
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


@contextmanager
def reception(
    urls: tuple[str, str], directory: Path, *, role: str = "api", kafka: Kafka = NO_KAFKA
) -> Iterator[Reception]:
    """A running process, without Kafka if `kafka` is not given."""
    desk = Reception(*urls, directory, role=role, kafka=kafka)
    desk.migrate()
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


def mail(subject: str = "My computer hums", text: str = "Since this morning.", **fields: str) -> bytes:
    """A mail of Per's; each is a different mail unless it gets the same Message-ID."""
    known = {
        "From": "Per Hansen <per@customer.example>",
        "To": "it@help.example",
        "Subject": subject,
        "Message-ID": f"<{uuid.uuid4()}@customer.example>",
        "Date": "Mon, 23 Nov 2026 10:00:00 +0100",
    }
    known |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in known.items() if value)
    return f"{lines}\r\n{text}\r\n".encode()
