"""Mailboxes for tests: documents, fetching in this process, and what became of the mails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from services.intake.mailroom.mailroom import Mailroom
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.fetcher import Intervals
from services.intake.transports.mailboxes.fetchers import Fetchers
from services.intake.transports.mailboxes.progress import Progress, Status
from shared.contracts.directory import Mailbox, Password
from shared.testing.progress import until

QUICK = Intervals(
    first_pause=0.05,
    longest_pause=0.2,
    permanent_error=0.05,
    poll=0.05,
    idle=30.0,
    look=60.0,
    command=30.0,
    mail=30.0,
    retry_mail=0.2,
)
THIS_MACHINE = Destinations.parsed("127.0.0.1")
SECRET = "support-mailbox"  # pragma: allowlist secret


def mailbox(port: int, **fields: Any) -> Mailbox:
    """A mailbox on this machine, without encryption unless `fields` say so."""
    known: dict[str, Any] = {
        "id": uuid4(),
        "slug": "support",
        "name": "Support",
        "protocol": "imap",
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "user": "support",
        "credential": Password(kind="password", secret=SECRET),
    }
    return Mailbox(**known | fields)


def secrets(folder: Path, word: str) -> Path:
    """A folder with the secret that mailboxes of tests name."""
    folder.mkdir(exist_ok=True)
    (folder / SECRET).write_text(f"{word}\n")
    return folder


@asynccontextmanager
async def fetching(
    mailroom: Mailroom,
    folder: Path,
    *mailboxes: Mailbox,
    intervals: Intervals = QUICK,
    destinations: Destinations = THIS_MACHINE,
) -> AsyncIterator[Fetchers]:
    """Fetches as a worker does, until the block ends."""
    configure(mailroom, *mailboxes)
    fetchers = Fetchers(mailroom, mailroom.directory.database_url, folder, destinations, intervals=intervals)
    task = asyncio.create_task(fetchers.run())
    try:
        yield fetchers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def configure(mailroom: Mailroom, *mailboxes: Mailbox) -> None:
    directory = mailroom.directory
    directory.configuration = replace(directory.configuration, mailboxes={each.slug: each for each in mailboxes})


async def subjects(mailroom: Mailroom) -> list[str]:
    """The titles of the tickets that mails opened, the oldest first."""
    rows = await mailroom.records.pool.fetch(
        "SELECT found FROM intake.mails WHERE outcome = 'created' ORDER BY mail_id"
    )
    return [row["found"]["subject"] for row in rows]


async def taken(mailroom: Mailroom, count: int) -> list[str]:
    """Waits until so many mails have become tickets."""

    async def enough() -> list[str] | None:
        found = await subjects(mailroom)
        return found if len(found) >= count else None

    found = await until(enough)
    assert found is not None
    return found


async def status(mailroom: Mailroom, mailbox_id: UUID) -> Status:
    return await Progress(mailroom.records.pool).status(mailbox_id)


async def failed(mailroom: Mailroom, mailbox_id: UUID, words: str) -> Status:
    """Waits until the status of the mailbox has these words."""

    async def says() -> Status | None:
        found = await status(mailroom, mailbox_id)
        return found if words in (found.last_error or "") else None

    async def told() -> Status | None:
        return await says()

    try:
        found = await until(told)
    except AssertionError:
        raise AssertionError((await status(mailroom, mailbox_id)).last_error) from None
    assert found is not None
    return found


async def succeeded(mailroom: Mailroom, mailbox_id: UUID) -> Status:
    """Waits until the mailbox has been read to its end, without an error since."""

    async def well() -> Status | None:
        found = await status(mailroom, mailbox_id)
        return found if found.last_success is not None and found.failing_since is None else None

    found = await until(well)
    assert found is not None
    return found
