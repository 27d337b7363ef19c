"""What the transport sends to the mail server, and what the replies mean."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from services.notify.sending.transports import smtp as module
from services.notify.sending.transports.smtp import Server, Smtp
from services.notify.sending.transports.transport import PermanentFailure, SendResult, TemporaryFailure
from services.notify.writing.message import EncodedMail
from tests.services.notify.desk import MailServer, mail_server

MAIL = EncodedMail(UUID(int=7), "it@help.example.org", ("per@customer.example",), b"Subject: x\r\n\r\n.Hei\r\n..\r\n")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mx.example", Server("mx.example", 25, False, False, None, None)),
        ("smtp://mx.example:2525", Server("mx.example", 2525, False, False, None, None)),
        ("smtps://kari%40x:p%3Aw@mx.example", Server("mx.example", 465, True, False, "kari@x", "p:w")),
        ("smtp+starttls://k:p@mx.example", Server("mx.example", 587, False, True, "k", "p")),
        ("smtp://k:p@127.0.0.1:25", Server("127.0.0.1", 25, False, False, "k", "p")),
    ],
)
def test_a_server_is_parsed_from_a_url(url: str, server: Server) -> None:
    assert Server.at(url) == server


@pytest.mark.parametrize("url", ["", "mx.example", "http://mx.example", "smtp://", "smtp://kari:secret@mx.example"])
def test_the_error_for_an_invalid_url_does_not_contain_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="LEDGERDESK_SMTP_URL") as refused:
        Server.at(url)
    assert "secret" not in str(refused.value)


async def test_a_mail_arrives_byte_by_byte(server: MailServer) -> None:
    assert await Smtp(server.server).send(MAIL, again=False) == SendResult()
    assert server.received[0].content == MAIL.content


async def test_connections_are_reused_and_closed_when_idle(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Smtp(server.server)
    for _ in range(3):
        await transport.send(MAIL, again=False)
    assert len(server.sessions) == 1
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    await transport.close_idle()
    await transport.send(MAIL, again=False)
    assert len(server.received) == 4
    assert len(server.sessions) == 2
    await transport.close()


async def test_a_dead_idle_connection_is_replaced() -> None:
    async with mail_server() as first:
        transport = Smtp(first.server)
        await transport.send(MAIL, again=False)
        (_, client), *_ = transport._idle
        client.close()
        await transport.send(MAIL, again=False)
        assert len(first.received) == 2
        await transport.close()


async def test_a_refused_recipient_does_not_stop_the_mail_to_others(server: MailServer) -> None:
    server.recipient = lambda who: {"b@x.example": "550 unknown", "c@x.example": "452 full"}.get(who)
    mail = replace(MAIL, recipients=("a@x.example", "b@x.example", "c@x.example"))
    result = await Smtp(server.server).send(mail, again=False)
    assert result == SendResult(deferred={"c@x.example": "452 full"}, refused={"b@x.example": "550 unknown"})
    assert server.received[0].rcpt_tos == ["a@x.example"]


@pytest.mark.parametrize("whom", ["a@x.example", "b@x.example", "c@y.example"])
async def test_a_421_to_one_recipient_defers_the_mail_for_all(server: MailServer, whom: str) -> None:
    """The failure has the server's reply, and the recipient that it is about (RFC 5321, section 3.8)."""
    server.recipient = lambda who: "421 4.3.2 closing" if who == whom else None
    mail = replace(MAIL, recipients=("a@x.example", "b@x.example", "c@y.example"))
    transport = Smtp(server.server)
    with pytest.raises(TemporaryFailure, match=rf"^{whom}: 421 4\.3\.2 closing$") as refused:
        await transport.send(mail, again=False)
    assert (refused.value.throttled, refused.value.recipient) == (True, whom)
    server.recipient = lambda _: None
    assert await transport.send(mail, again=False) == SendResult()
    assert len(server.received) == 1


async def test_the_connection_is_reused_after_all_recipients_were_refused(server: MailServer) -> None:
    transport = Smtp(server.server)
    server.recipient = lambda _: "550 unknown"
    assert await transport.send(MAIL, again=False) == SendResult(refused={"per@customer.example": "550 unknown"})
    server.recipient = lambda _: None
    assert await transport.send(MAIL, again=False) == SendResult()
    assert len(server.received) == 1


async def test_a_refused_mail_does_not_break_the_next_one(server: MailServer) -> None:
    transport = Smtp(server.server)
    server.data = lambda _: "554 spam"
    with pytest.raises(PermanentFailure, match="554 spam"):
        await transport.send(MAIL, again=False)
    server.data = lambda _: None
    assert await transport.send(MAIL, again=False) == SendResult()


async def test_an_international_address_needs_a_server_with_smtputf8(server: MailServer) -> None:
    mail = replace(MAIL, recipients=("kåre@customer.example",), international=True)
    with pytest.raises(PermanentFailure, match="SMTPUTF8"):
        await Smtp(server.server).send(mail, again=False)
    async with mail_server(international=True) as able:
        assert await Smtp(able.server).send(mail, again=False) == SendResult()
        assert able.received[0].rcpt_tos == ["kåre@customer.example"]


async def test_an_unreachable_or_silent_server_is_a_temporary_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TemporaryFailure, match="cannot be reached"):
        await Smtp(Server.at("smtp://127.0.0.1:1")).send(MAIL, again=False)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(0), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(TemporaryFailure, match="cannot be reached"):
        await Smtp(Server.at(f"smtp://127.0.0.1:{port}")).send(MAIL, again=False)
    silent.close()


async def test_a_reply_in_another_charset_becomes_storable_text() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        while line := await reader.readline():
            refused = line.upper().startswith(b"RCPT")
            writer.write(b"550 Postfach nicht verf\xfcgbar\x00\r\n" if refused else b"250 ok\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Smtp(Server.at(f"smtp://127.0.0.1:{port}"))
    result = await transport.send(MAIL, again=False)
    assert result == SendResult(refused={"per@customer.example": "550 Postfach nicht verf gbar"})
    await transport.close()
    server.close()


async def test_a_refused_connection_is_a_temporary_failure() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.7.1 not you\r\n")
        await writer.drain()
        writer.close()

    closed = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    with pytest.raises(TemporaryFailure, match=r"554 5\.7\.1 not you"):
        await Smtp(Server.at(f"smtp://127.0.0.1:{port}")).send(MAIL, again=False)
    closed.close()


@pytest.fixture
def certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for 127.0.0.1 and the context of a client that trusts it."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


class Secure:
    def __init__(self, context: ssl.SSLContext, *, starttls: bool) -> None:
        self.handler = MailServer()
        self.logins: list[tuple[bytes, bytes]] = []
        self.made = Controller(
            self.handler, hostname="127.0.0.1", port=0, authenticator=self.login, auth_required=True,
            tls_context=context if starttls else None, require_starttls=starttls, auth_require_tls=starttls,
        )  # fmt: skip
        self.context, self.starttls = context, starttls

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"secret", handled=False)

    async def port(self) -> AsyncIterator[int]:
        server = await asyncio.get_running_loop().create_server(
            self.made.factory, "127.0.0.1", 0, ssl=None if self.starttls else self.context
        )
        yield server.sockets[0].getsockname()[1]
        server.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("scheme", "starttls"), [("smtps", False), ("smtp+starttls", True)])
async def test_the_password_is_sent_encrypted_only(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext], scheme: str, starttls: bool
) -> None:
    ours, theirs = certificate
    secure = Secure(ours, starttls=starttls)
    async for port in secure.port():
        good = Smtp(Server.at(f"{scheme}://kari:secret@127.0.0.1:{port}"), tls_context=theirs)
        assert await good.send(MAIL, again=False) == SendResult()
        assert secure.logins == [(b"kari", b"secret")]
        wrong = Smtp(Server.at(f"{scheme}://kari:wrong@127.0.0.1:{port}"), tls_context=theirs)
        with pytest.raises(TemporaryFailure, match="535"):
            await wrong.send(MAIL, again=False)
        untrusted = Smtp(Server.at(f"{scheme}://kari:secret@127.0.0.1:{port}"))
        with pytest.raises(TemporaryFailure, match="cannot be reached"):
            await untrusted.send(MAIL, again=False)
        await good.close()
