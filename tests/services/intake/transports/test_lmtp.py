"""The LMTP listener with mail servers that follow RFC 2033, and with others."""

import asyncio
import re
import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.local.ports import free_ports
from services.intake.mailroom.envelope import Envelope
from services.intake.transports.limits import MOST_BYTES
from services.intake.transports.lmtp.server import LmtpServer
from tests.services.intake.reception import Reception, mail


class Talk:
    """One connection, line by line."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.stream = connection, connection.makefile("rb")

    def send(self, *lines: bytes) -> None:
        self.connection.sendall(b"".join(line + b"\r\n" for line in lines))

    def answer(self) -> str:
        """The next reply; of several lines the last."""
        while True:
            line = self.stream.readline().decode()
            if line[3:4] != "-":
                return line.strip()

    def say(self, line: bytes) -> str:
        self.send(line)
        return self.answer()

    def begin(self, *recipients: bytes) -> None:
        assert self.say(b"LHLO mx.example").startswith("250")
        assert self.say(b"MAIL FROM:<per@customer.example>").startswith("250")
        for recipient in recipients or (b"it@help.example",):
            assert self.say(b"RCPT TO:<" + recipient + b">").startswith("250")
        assert self.say(b"DATA").startswith("354")

    def closed(self) -> bool:
        return self.stream.read() == b""


@contextmanager
def talking(intake: Reception) -> Iterator[Talk]:
    with socket.create_connection(intake.lmtp, timeout=30) as connection:
        talk = Talk(connection)
        assert talk.answer().startswith("220")
        yield talk


def taken(answer: str) -> str:
    """The id of the mail that an answer acknowledges."""
    found = re.fullmatch(r"250 2\.0\.0 taken as ([0-9a-f-]{36})", answer)
    assert found, answer
    return found.group(1)


def raw_of(intake: Reception, mail_id: str) -> bytes:
    (row,) = intake.rows("SELECT blob FROM intake.mails WHERE mail_id = $1::text::uuid", mail_id)
    sha256 = str(row["blob"])
    return (intake.blobs / sha256[:2] / sha256).read_bytes()


def test_a_mail_server_hands_in_a_mail(intake: Reception) -> None:
    with smtplib.LMTP(*intake.lmtp) as server:
        server.ehlo_or_helo_if_needed()
        assert {"size", "8bitmime", "smtputf8", "pipelining"} <= set(server.esmtp_features)
        assert (
            server.sendmail("per@customer.example", ["it@help.example"], mail(), ["BODY=8BITMIME", "SIZE=1000"]) == {}
        )


def test_a_server_tells_whose_mail_it_passes_on(intake: Reception) -> None:
    """As Postfix does it, so that SPF checks the client and not that server; for one mail only."""
    told: list[str] = []
    with talking(intake) as talk:
        talk.say(b"LHLO mx.help.example")
        assert talk.say(b"XFORWARD NAME=x ADDR=IPV6:2001:db8::7 PROTO=ESMTP").startswith("250")
        assert talk.say(b"XFORWARD HELO=mx+2Eacme.example NAME=[UNAVAILABLE]").startswith("250")
        for _ in range(2):
            assert talk.say(b"MAIL FROM:<per@customer.example>").startswith("250")
            assert talk.say(b"XFORWARD ADDR=192.0.2.1").startswith("503")
            assert talk.say(b"RCPT TO:<it@help.example>").startswith("250")
            assert talk.say(b"DATA").startswith("354")
            talk.send(mail().rstrip(b"\r\n"), b".")
            told.append(taken(talk.answer()))
    with smtplib.LMTP(*intake.lmtp) as server:
        server.ehlo_or_helo_if_needed()
        assert server.esmtp_features["xforward"] == "ADDR HELO"
    found = [found_of(intake, each) for each in told]
    assert found == [{"client": "2001:db8::7", "helo": "mx.acme.example"}, {"client": None, "helo": None}]


@pytest.mark.parametrize(
    ("lines", "client", "helo"),
    [
        ([b"XFORWARD"], None, None),
        ([b"XFORWARD ADDR HELO=", b"XFORWARD =192.0.2.1"], None, None),
        ([b"XFORWARD NAME=mx.acme.example PORT=25 PROTO=ESMTP IDENT=4 SOURCE=REMOTE"], None, None),
        ([b"xforward addr=192.0.2.1 helo=mx.acme.example"], "192.0.2.1", "mx.acme.example"),
        ([b"XFORWARD ADDR=ipv6:2001:db8::7"], "2001:db8::7", ""),
        ([b"XFORWARD ADDR=192.0.2.1 HELO=mx+00+0D+0A+7F.acme+zz.example"], "192.0.2.1", "mx.acme+zz.example"),
        ([b"XFORWARD ADDR=192.0.2.1 HELO=" + b"x" * 300], "192.0.2.1", "x" * 255),
        ([b"XFORWARD ADDR=192.0.2.1", b"XFORWARD ADDR=192.0.2.2"], "192.0.2.2", ""),
        # The values of one mail do not count for the next.
        ([b"XFORWARD ADDR=192.0.2.1 HELO=x", b"XFORWARD ADDR=[UNAVAILABLE] HELO=[TEMPUNAVAIL]"], None, None),
        ([b"XFORWARD ADDR=192.0.2.1 HELO=x", b"RSET"], None, None),
        ([b"XFORWARD ADDR=192.0.2.1 HELO=x", b"LHLO mx.help.example"], None, None),
    ],
)
def test_only_valid_client_addresses_are_accepted(
    intake: Reception, lines: list[bytes], client: str | None, helo: str | None
) -> None:
    with talking(intake) as talk:
        for line in (b"LHLO mx.help.example", *lines, b"MAIL FROM:<>", b"RCPT TO:<it@help.example>"):
            assert talk.say(line).startswith("250")
        assert talk.say(b"DATA").startswith("354")
        talk.send(mail().rstrip(b"\r\n"), b".")
        assert found_of(intake, taken(talk.answer())) == {"client": client, "helo": helo}


def test_the_client_of_a_refused_mail_is_forgotten(intake: Reception) -> None:
    with talking(intake) as talk:
        assert talk.say(b"LHLO mx.help.example").startswith("250")
        assert talk.say(b"XFORWARD ADDR=192.0.2.1 HELO=mx.acme.example").startswith("250")
        assert talk.say(b"MAIL FROM:<a@b.example> SIZE=99999999999").startswith("552")
        assert talk.say(b"MAIL FROM:<per@customer.example>").startswith("250")
        assert talk.say(b"RCPT TO:<it@help.example>").startswith("250")
        assert talk.say(b"DATA").startswith("354")
        talk.send(mail().rstrip(b"\r\n"), b".")
        assert found_of(intake, taken(talk.answer())) == {"client": None, "helo": None}


def found_of(intake: Reception, mail_id: str) -> dict[str, str | None]:
    """What was recorded of a mail's client."""
    query = (
        "SELECT found ->> 'client' AS client, found ->> 'helo' AS helo FROM intake.mails WHERE mail_id = $1::text::uuid"
    )
    (row,) = intake.rows(query, mail_id)
    return row


def test_each_recipient_gets_an_answer_and_the_mail_is_one(intake: Reception) -> None:
    with talking(intake) as talk:
        talk.begin(b"it@help.example", b"sales@help.example", b"nobody@help.example")
        talk.send(mail().rstrip(b"\r\n"), b".")
        assert len({taken(talk.answer()) for _ in range(3)}) == 1
        assert talk.say(b"QUIT").startswith("221")


def test_the_bytes_are_those_that_were_sent(intake: Reception) -> None:
    raw = mail(text="..one\r\n.two\r\n\r\n. \r\nbare\nline\rends\x00\xff\r\n." + "x" * 5_000)
    with talking(intake) as talk:
        talk.begin()
        talk.connection.sendall(re.sub(rb"(?m)(?:^|(?<=\r\n))\.", b"..", raw) + b".\r\n")
        assert raw_of(intake, taken(talk.answer())) == raw


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_the_sizes_of_network_packets_do_not_matter(intake: Reception, size: int) -> None:
    raw = mail(text=f"size {size}\r\n.. dots\r\n")
    sent = (
        b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n"
        + raw.replace(b"\r\n.", b"\r\n..")
        + b".\r\nNOOP\r\n"
    )
    with talking(intake) as talk:
        talk.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), size):
            talk.connection.send(sent[start : start + size])
        answers = [talk.answer() for _ in range(6)]
        assert [a[:3] for a in answers] == ["250", "250", "250", "354", "250", "250"]
        assert raw_of(intake, taken(answers[4])) == raw


def test_everything_may_come_at_once(intake: Reception) -> None:
    one = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n"
    with talking(intake) as talk:
        talk.connection.sendall(b"LHLO x\r\n" + one + mail() + b".\r\n" + one + mail() + b".\r\nQUIT\r\n")
        answers = [talk.answer() for _ in range(10)]
        assert [a[:3] for a in answers] == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
        assert taken(answers[4]) != taken(answers[8])


def test_an_empty_mail_is_a_mail(intake: Reception) -> None:
    with talking(intake) as talk:
        talk.begin()
        taken(talk.say(b"."))


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([b"MAIL FROM:<a@b.example>"], "503"),
        ([b"DATA"], "503"),
        ([b"RCPT TO:<a@b.example>"], "503"),
        ([b"EHLO x"], "500"),
        ([b"LHLO"], "501"),
        ([b""], "500"),
        ([b"\xff\xfe"], "500"),
        ([b"NONSENSE"], "500"),
        ([b"GET / HTTP/1.1"], "500"),
        ([b"LHLO x", b"DATA"], "503"),
        ([b"LHLO x", b"RCPT TO:<a@b.example>"], "503"),
        ([b"LHLO x", b"MAIL"], "501"),
        ([b"LHLO x", b"MAIL FROM:a@b.example"], "501"),
        ([b"LHLO x", b"MAIL FROM:<a b>"], "501"),
        ([b"LHLO x", b"MAIL FROM:<a@b.example\x00>"], "501"),
        ([b"LHLO x", b"MAIL FROM:<" + b"a" * 600 + b"@b.example>"], "501"),
        ([b"LHLO x", b"MAIL FROM:<a@b.example> SIZE=99999999999"], "552"),
        ([b"LHLO x", b"MAIL FROM:<a@b.example> SIZE=x"], "555"),
        ([b"LHLO x", b"MAIL FROM:<a@b.example> RET=FULL"], "555"),
        ([b"LHLO x", b"MAIL FROM:<a@b.example>", b"MAIL FROM:<a@b.example>"], "503"),
        ([b"LHLO x", b"MAIL FROM:<>", b"DATA"], "503"),
        ([b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<>"], "501"),
        ([b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<a@b.example> NOTIFY=NEVER"], "555"),
        ([b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"RSET", b"DATA"], "503"),
        ([b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"LHLO x", b"DATA"], "503"),
        ([b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<a@b.example>", b"DATA x"], "501"),
        ([b"LHLO x", b"x" * 5_000], "500"),
    ],
)
def test_a_wrong_order_of_commands_is_refused_and_the_session_continues(
    intake: Reception, lines: list[bytes], code: str
) -> None:
    with talking(intake) as talk:
        *before, last = [talk.say(line) for line in lines]
        assert all(answer.startswith("250") for answer in before)
        assert last.startswith(code), last
        assert talk.say(b"NOOP").startswith("250")


@pytest.mark.parametrize(
    "path", [b"<@relay.example,@other.example:it@help.example>", b"<it@help.example> ", b" <it@help.example>"]
)
def test_paths_as_they_may_be_written(intake: Reception, path: bytes) -> None:
    with talking(intake) as talk:
        assert talk.say(b"lhlo x").startswith("250")
        assert talk.say(b"mail from:<> body=8bitmime smtputf8").startswith("250")
        assert talk.say(b"rcpt to:" + path).startswith("250")


def test_ten_thousand_recipients_must_be_sent_in_parts(intake: Reception) -> None:
    with talking(intake) as talk:
        talk.send(b"LHLO x", b"MAIL FROM:<>")
        assert [talk.answer()[:3] for _ in range(2)] == ["250", "250"]
        talk.connection.settimeout(60)
        codes = []
        for block in range(10):
            talk.send(*(b"RCPT TO:<r%d@help.example>" % (block * 1_000 + n) for n in range(1_000)))
            codes += [talk.answer()[:3] for _ in range(1_000)]
        assert codes == ["250"] * 1_000 + ["452"] * 9_000
        talk.send(b"DATA")
        assert talk.answer().startswith("354")
        talk.send(mail().rstrip(b"\r\n"), b".")
        assert {talk.answer()[:3] for _ in range(1_000)} == {"250"}


def memory(intake: Reception) -> int:
    assert intake.process is not None
    with open(f"/proc/{intake.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024


@pytest.mark.parametrize("where", ["command", "data"])
def test_an_endless_line_takes_no_memory(intake: Reception, where: str) -> None:
    with talking(intake) as talk:
        if where == "data":
            talk.begin()
        before = memory(intake)
        for _ in range(120):
            talk.connection.sendall(b"x" * 1_000_000)
        assert memory(intake) - before < MOST_BYTES + 60_000_000
        talk.send(b"", b".") if where == "data" else talk.send(b"")
        assert talk.answer()[:3] == ("552" if where == "data" else "500")
        assert talk.say(b"NOOP").startswith("250")


def test_a_client_that_only_makes_errors_is_disconnected(intake: Reception) -> None:
    with talking(intake) as talk:
        answers = [talk.say(b"NONSENSE") for _ in range(21)]
        assert answers[-1].startswith("421")
        assert talk.closed()


def test_a_sender_who_hangs_up_in_mid_mail_leaves_nothing(intake: Reception) -> None:
    before = intake.count("intake.mails")
    with talking(intake) as talk:
        talk.begin()
        talk.send(mail())
    with talking(intake) as talk:
        talk.begin()
        talk.send(mail().rstrip(b"\r\n"), b".")
        taken(talk.answer())
    assert intake.count("intake.mails") == before + 1


async def test_what_goes_wrong_is_never_acknowledged_and_never_final() -> None:
    async def fails(raw: bytes, envelope: Envelope) -> str:
        raise RuntimeError("a bug of ours")

    (port,) = free_ports(1)
    server = asyncio.create_task(LmtpServer(f"127.0.0.1:{port}", fails).run())

    def hand_in() -> None:
        with smtplib.LMTP("127.0.0.1", port) as client, pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("a@b.example", ["it@help.example"], mail())
        assert refused.value.smtp_code == 451

    while True:
        try:
            await asyncio.to_thread(hand_in)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    server.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server


@pytest.mark.parametrize("size", [1, 2, 3, 4])
async def test_every_way_to_cut_the_stream_gives_the_same_mail(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the server read `size` bytes at a time, whatever the network does."""
    monkeypatch.setattr("services.intake.transports.lmtp.streams.CHUNK", size)
    got: list[bytes] = []

    async def keeps(raw: bytes, envelope: Envelope) -> str:
        got.append(raw)
        return "01a208e3-a7cd-7053-aaf7-008519e0878d"

    (port,) = free_ports(1)
    server = asyncio.create_task(LmtpServer(f"127.0.0.1:{port}", keeps).run())
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    raw = b"Subject: x\r\n\r\n.one\r\n..two\r\n"
    writer.write(
        b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
        + raw.replace(b"\r\n.", b"\r\n..")
        + b".\r\nQUIT\r\n"
    )
    answers = (await reader.read()).decode().splitlines()
    assert answers[-1].startswith("221"), answers
    assert got == [raw]
    writer.close()
    server.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server


async def test_a_mail_that_is_being_taken_at_shutdown_still_gets_a_reply() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(raw: bytes, envelope: Envelope) -> str:
        arrived.set()
        await go_on.wait()
        return "01a208e3-a7cd-7053-aaf7-008519e0878d"

    (port,) = free_ports(1)
    lmtp = LmtpServer(f"127.0.0.1:{port}", slow)
    server = asyncio.create_task(lmtp.run())
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    idle, _ = await asyncio.open_connection("127.0.0.1", port)
    assert (await idle.readline()).startswith(b"220")
    writer.write(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\n")
    await arrived.wait()
    server.cancel()
    assert (await idle.readline()).startswith(b"421")
    go_on.set()
    await asyncio.wait([server])
    answers = (await reader.read()).decode().splitlines()
    assert "250 2.0.0 taken as 01a208e3-a7cd-7053-aaf7-008519e0878d" in answers
    writer.close()
