"""`python -m tests.bench.mailbox [--mails 10000]`: fetches a mailbox from a real Dovecot.

Prints mails a second, beside the same mails given to intake one by one, and the worker's memory on the way. Needs
Dovecot (docs/mail/mailboxes.md).
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil

from deploy.local.servers import postgres_server
from services.intake.mail.reading_pool import Readers
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom, MailRules
from services.intake.records.numbers import Numbers
from services.intake.records.records import Records
from services.intake.schema import MIGRATIONS
from shared.blobs.store import BlobStore
from shared.contracts.directory import Queue
from shared.database import connect_pool
from shared.directory.copy import DirectoryCopy, Queues
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Store
from tests.conftest import Databases
from tests.services.intake.reception import POSTMASTER, mail
from tests.services.intake.transports.dovecot import MISSING, WORD, Dovecot, dovecot, program
from tests.services.intake.transports.fetching import fetching, mailbox, secrets, status

DIRECTLY = 1_000
"""How many mails are given to intake directly, to compare."""


def letters(count: int) -> list[bytes]:
    return [mail(f"Letter {n}", "It hums.\r\n" * (20 + n % 400), From=f"c{n}@customer.example") for n in range(count)]


def fill(server: Dovecot, mails: list[bytes]) -> None:
    with server.client() as client:
        for start in range(0, len(mails), 100):
            client.multiappend("INBOX", mails[start : start + 100])


async def measure(databases: Databases, server: Dovecot, folder: Path, count: int) -> None:
    owner_url, url = await asyncio.to_thread(databases.database, "bench")
    await migrate(owner_url, url, *MIGRATIONS)
    pool = await connect_pool(url)
    copy = DirectoryCopy(pool, url)
    queue: Queue = POSTMASTER
    copy.queues = Queues(by_id={queue.id: queue}, by_slug={queue.slug: queue})
    blobs, readers = BlobStore(f"file://{folder}/blobs"), Readers()
    records = Records(pool, Store(pool, "intake"))
    mailroom = Mailroom(records, blobs, Numbers(pool, ZoneInfo("UTC")), copy, readers, MailRules(b"bench"))
    try:
        began = time.monotonic()
        for raw in letters(DIRECTLY):
            await mailroom.take(raw, Envelope("per@customer.example", ()))
        direct = DIRECTLY / (time.monotonic() - began)
        print(f"handed in one by one: {direct:.1f} mails/s", flush=True)
        await asyncio.to_thread(fill, server, letters(count))
        rate, sizes = await _fetched(mailroom, server, folder, count)
        print(f"fetched from the mailbox: {rate:.1f} mails/s, {rate / direct:.2f} of that")
        tenth = sizes[len(sizes) // 10]
        print(f"memory: {tenth:.0f} MiB after a tenth, {sizes[-1]:.0f} MiB at the end, at most {max(sizes):.0f} MiB")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak of the process: {peak:.0f} MiB")
    finally:
        await readers.close()
        blobs.close()
        await pool.close()


async def _fetched(mailroom: Mailroom, server: Dovecot, folder: Path, count: int) -> tuple[float, list[float]]:
    box = mailbox(server.imap)
    process, sizes = psutil.Process(), list[float]()
    before = await _mails(mailroom)
    began = time.monotonic()
    async with fetching(mailroom, secrets(folder / "secrets", WORD), box):
        while (done := await _mails(mailroom) - before) < count:
            sizes.append(process.memory_info().rss / 2**20)
            if (await status(mailroom, box.id)).last_error:
                raise SystemExit(f"it failed after {done}: {(await status(mailroom, box.id)).last_error}")
            await asyncio.sleep(0.5)
        took = time.monotonic() - began
    sizes.append(process.memory_info().rss / 2**20)
    return count / took, sizes


async def _mails(mailroom: Mailroom) -> int:
    found: Any = await mailroom.records.pool.fetchval("SELECT count(*) FROM intake.mails")
    return int(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    asked = parser.parse_args()
    if program() is None:
        print(MISSING, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="ledgerdesk-bench-") as path:
        home = Path(path)
        home.chmod(0o755)
        with postgres_server(home) as postgres, dovecot(home / "dovecot") as server:
            asyncio.run(measure(Databases(postgres.superuser_url), server, home, asked.mails))
    return 0


if __name__ == "__main__":
    sys.exit(main())
