"""A small IMAP and POP3 server in this process, whose answers a test can replace."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Spoil = Callable[["Session", str], Awaitable[bool]]
"""Gets a session and the command's arguments; returns whether it has replied instead of the server."""

USER, WORD = "support", "open sesame"


class Cut(Exception):
    """The server ends the connection."""


@dataclass(slots=True)
class ScriptedMailbox:
    """One folder. `spoil` has what happens instead of a command, by its name in lower case; `greeting` what is said
    first."""

    mails: dict[int, bytes] = field(default_factory=dict)
    flags: dict[int, set[str]] = field(default_factory=dict)
    uid_validity: int = 7
    capabilities: str = "IMAP4rev1 UIDPLUS MOVE"
    permanent: str = "(\\Seen \\Deleted)"
    sizes: dict[int, int] = field(default_factory=dict)
    spoil: dict[str, Spoil] = field(default_factory=dict)
    greeting: bytes = b"* OK ready\r\n"
    tokens: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    sessions: int = 0
    port: int = 0

    def put(self, *mails: bytes) -> None:
        for raw in mails:
            uid = max(self.mails, default=0) + 1
            self.mails[uid], self.flags[uid] = raw, set()

    def seen(self) -> list[int]:
        return [uid for uid in self.mails if "\\Seen" in self.flags[uid]]

    def asked(self, start: str) -> int:
        """How many commands begin with this."""
        return sum(command.lower().startswith(start.lower()) for command in self.commands)


class Session:
    def __init__(self, box: ScriptedMailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.box, self.reader, self.writer = box, reader, writer
        self.tag = ""
        self.deleted: set[int] = set()

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> str:
        line = await self.reader.readline()
        if not line:
            raise Cut
        return line.decode().rstrip("\r\n")

    async def ok(self, text: str = "done") -> None:
        await self.say(f"{self.tag} OK {text}\r\n".encode())

    async def imap(self) -> None:
        await self.say(self.box.greeting)
        while True:
            self.tag, _, command = (await self.line()).partition(" ")
            self.box.commands.append(command)
            words = command.split(" ", 2)
            name = " ".join(words[:2]).lower() if words[0].lower() == "uid" else words[0].lower()
            rest = command[len(name) :].strip()
            spoil = self.box.spoil.get(name)
            if spoil is not None and await spoil(self, rest):
                continue
            await getattr(self, "_" + name.replace(" ", "_"))(rest)

    async def _capability(self, _: str) -> None:
        await self.say(f"* CAPABILITY {self.box.capabilities}\r\n".encode())
        await self.ok()

    async def _login(self, rest: str) -> None:
        if rest != f'{USER} "{WORD}"':
            await self.say(f"{self.tag} NO [AUTHENTICATIONFAILED] who are you?\r\n".encode())
        else:
            await self.ok()

    async def _authenticate(self, _: str) -> None:
        await self.say(b"+ \r\n")
        proof = base64.b64decode(await self.line()).decode()
        token = proof.partition("auth=Bearer ")[2].rstrip("\x01")
        if not proof.startswith(f"user={USER}\x01") or token not in self.box.tokens:
            await self.say(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n")
            await self.line()
            await self.say(f"{self.tag} NO invalid credentials\r\n".encode())
        else:
            await self.ok()

    async def _list(self, _: str) -> None:
        await self.ok()

    async def _create(self, _: str) -> None:
        await self.ok()

    async def _select(self, _: str) -> None:
        box = self.box
        next_uid = max(box.mails, default=0) + 1
        await self.say(
            f"* {len(box.mails)} EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen \\Deleted)\r\n"
            f"* OK [PERMANENTFLAGS {box.permanent}] ok\r\n* OK [UIDVALIDITY {box.uid_validity}] ok\r\n"
            f"* OK [UIDNEXT {next_uid}] ok\r\n".encode()
        )
        await self.ok("[READ-WRITE] selected")

    async def _uid_search(self, rest: str) -> None:
        box = self.box
        found = sorted(box.mails)
        if (numbers := re.match(r"(\d+):(\d+)", rest)) is not None:
            found = found[int(numbers[1]) - 1 : int(numbers[2])]
        after = re.search(r"OR UNSEEN UID (\d+):", rest)
        if "UNSEEN" in rest:
            newest = int(after[1]) if after is not None else 2**32
            found = [uid for uid in found if "\\Seen" not in box.flags[uid] or uid >= newest]
        found = [uid for uid in found if "\\Deleted" not in box.flags[uid]]
        await self.say(f"* SEARCH {' '.join(map(str, found))}".rstrip().encode() + b"\r\n")
        await self.ok()

    async def _uid_fetch(self, rest: str) -> None:
        wanted, _, what = rest.partition(" ")
        for number, uid in enumerate(sorted(self.box.mails), 1):
            if str(uid) not in wanted.split(","):
                continue
            raw = self.box.mails[uid]
            if "SIZE" in what:
                size = self.box.sizes.get(uid, len(raw))
                await self.say(f"* {number} FETCH (UID {uid} RFC822.SIZE {size})\r\n".encode())
            else:
                await self.say(f"* {number} FETCH (UID {uid} BODY[] {{{len(raw)}}}\r\n".encode() + raw + b")\r\n")
        await self.ok()

    async def _uid_store(self, rest: str) -> None:
        uid, _, flags = rest.split(" ", 2)
        self.box.flags[int(uid)].update(flags.strip("()").split())
        await self.ok()

    async def _uid_move(self, rest: str) -> None:
        del self.box.mails[int(rest.split()[0])]
        await self.ok()

    async def _uid_copy(self, _: str) -> None:
        await self.ok()

    async def _uid_expunge(self, rest: str) -> None:
        self.box.mails.pop(int(rest), None)
        await self.ok()

    async def _noop(self, _: str) -> None:
        await self.ok()

    async def _logout(self, _: str) -> None:
        await self.say(b"* BYE\r\n")
        await self.ok()
        raise Cut

    async def pop3(self) -> None:
        box = self.box
        await self.say(b"+OK ready\r\n")
        numbers = sorted(box.mails)
        while True:
            command = await self.line()
            box.commands.append(command)
            name, _, rest = command.partition(" ")
            spoil = box.spoil.get(name.lower())
            if spoil is not None and await spoil(self, rest):
                continue
            listed = [(n, uid) for n, uid in enumerate(numbers, 1) if uid not in self.deleted]
            match name.lower():
                case "user":
                    await self.say(b"+OK\r\n")
                case "pass":
                    await self.say(b"+OK\r\n" if rest == WORD else b"-ERR [AUTH] who are you?\r\n")
                case "auth":
                    await self.say(b"+ \r\n")
                    proof = base64.b64decode(await self.line()).decode()
                    if proof.partition("auth=Bearer ")[2].rstrip("\x01") in box.tokens:
                        await self.say(b"+OK\r\n")
                    else:
                        await self.say(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n")
                case "uidl":
                    await self._lines([f"{n} uid-{uid}" for n, uid in listed])
                case "list":
                    await self._lines([f"{n} {box.sizes.get(uid, len(box.mails[uid]))}" for n, uid in listed])
                case "retr":
                    await self.say(b"+OK\r\n" + box.mails[numbers[int(rest) - 1]] + b".\r\n")
                case "dele":
                    self.deleted.add(numbers[int(rest) - 1])
                    await self.say(b"+OK\r\n")
                case "quit":
                    for uid in self.deleted:
                        del box.mails[uid]
                    await self.say(b"+OK\r\n")
                    raise Cut
                case _:
                    await self.say(b"-ERR what?\r\n")

    async def _lines(self, lines: list[str]) -> None:
        await self.say(("+OK\r\n" + "".join(f"{line}\r\n" for line in lines) + ".\r\n").encode())


@asynccontextmanager
async def serving(box: ScriptedMailbox, protocol: str = "imap") -> AsyncIterator[ScriptedMailbox]:
    """Serves until the block ends, then closes every session."""
    tasks: set[asyncio.Task[None]] = set()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        box.sessions += 1
        talk = Session(box, reader, writer)
        try:
            await (talk.imap() if protocol == "imap" else talk.pop3())
        except (Cut, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0, limit=1 << 20)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
