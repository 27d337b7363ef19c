"""The pipe command as a mail system runs it, with the real listener and with servers that misbehave."""

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from deploy.local.ports import free_ports
from tests.services.intake.reception import ADMIN, ROOT, Reception, mail
from tests.specs.requirement import requirement

EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOUSER, EX_TEMPFAIL, EX_CONFIG = 0, 64, 65, 66, 67, 75, 78


def deliver(raw: bytes, *arguments: str, listener: str = "", **environment: str) -> tuple[int, str]:
    """Exit status and output."""
    command = [sys.executable, "-m", "services.intake", "deliver"]
    where = ["--listener", listener] if listener else []
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    ended = subprocess.run([*command, *where, *arguments], input=raw, capture_output=True, env=clean, timeout=60)
    return ended.returncode, ended.stderr.decode()


def at(intake: Reception) -> str:
    return f"{intake.lmtp[0]}:{intake.lmtp[1]}"


def found(intake: Reception, message_id: str) -> list[dict[str, object]]:
    items = intake.call("GET", "/mails", who=ADMIN).body["items"]
    details = [intake.call("GET", f"/mails/{item['id']}", who=ADMIN).body for item in items]
    return [each for each in details if each["message_id"] == message_id]


@requirement("A1.01")
def test_a_mail_on_standard_input_becomes_a_ticket_once(intake: Reception) -> None:
    name = f"<{uuid.uuid4()}@customer.example>"
    raw = mail(Message_ID=name).replace(b"\r\n", b"\n")
    mbox = b"From bounce+1@customer.example Mon Nov 23 10:00:00 2026\n" + raw
    for _ in range(2):
        assert deliver(mbox, "it@help.example", "sales@help.example", listener=at(intake)) == (EX_OK, "")
    (taken,) = found(intake, name)
    assert (taken["outcome"], taken["envelope_from"]) == ("created", "bounce+1@customer.example")
    assert taken["envelope_to"] == ["it@help.example", "sales@help.example"]
    kept = intake.call("GET", f"/mails/{taken['id']}/raw", who=ADMIN).raw
    assert kept == raw.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "prefix", "sender"),
    [
        (
            ("--from", "a@customer.example"),
            {"SENDER": "b@customer.example"},
            b"Return-Path: <c@x>\n",
            "a@customer.example",
        ),
        ((), {"SENDER": "b@customer.example"}, b"Return-Path: <c@x>\n", "b@customer.example"),
        ((), {}, b"Return-Path: <c@customer.example>\n", "c@customer.example"),
        (("--from", "<>"), {"SENDER": "b@customer.example"}, b"", ""),
        ((), {}, b"", ""),
    ],
)
def test_the_sender_of_a_mail(
    intake: Reception, arguments: Sequence[str], environment: dict[str, str], prefix: bytes, sender: str
) -> None:
    name = f"<{uuid.uuid4()}@customer.example>"
    status = deliver(prefix + mail(Message_ID=name), *arguments, "it@help.example", listener=at(intake), **environment)
    assert status == (EX_OK, "")
    assert [each["envelope_from"] for each in found(intake, name)] == [sender]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), EX_USAGE, "RECIPIENT"),
        (("--unknown", "it@help.example"), EX_USAGE, "usage"),
        (("it@help.example\r\nDATA",), EX_USAGE, "is not an address"),
        (("--from", "a> SIZE=1", "it@help.example"), EX_USAGE, "is not an address"),
        (("--listener", "nowhere", "it@help.example"), EX_CONFIG, "host:port"),
    ],
)
def test_wrong_usage_gets_one_line(arguments: Sequence[str], status: int, words: str) -> None:
    ended, said = deliver(mail(), *arguments)
    assert (ended, said.count("\n")) == (status, 1)
    assert words in said


def test_empty_input_is_not_a_mail() -> None:
    assert deliver(b"\n", "it@help.example")[0] == EX_NOINPUT


def test_a_listener_that_is_down() -> None:
    (closed,) = free_ports(1)
    status, said = deliver(mail(), "it@help.example", listener=f"127.0.0.1:{closed}")
    assert (status, "not now" in said) == (EX_TEMPFAIL, True)


def test_a_listener_that_cannot_keep_the_mail(intake: Reception) -> None:
    """The desk's disk is full: the mail system keeps the mail."""
    intake.restart(largest_file=10)
    assert deliver(mail(), "it@help.example", listener=at(intake))[0] == EX_TEMPFAIL
    intake.restart()


HELLO = "220 hello"
OK = "250 ok"


@contextmanager
def server(*answers: str) -> Iterator[str]:
    """Sends these lines, each after a command or the end of a mail; then closes the connection."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            in_data = False
            for answer in answers:
                connection.sendall(answer.encode() + b"\r\n")
                if in_data:
                    continue  # after the mail one answer follows the other, for each recipient
                line = lines.readline()
                in_data = answer.startswith("354")
                while in_data and line and line != b".\r\n":
                    line = lines.readline()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    thread.join(10)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (("421 busy",), EX_TEMPFAIL),
        ((HELLO, OK, "451 later"), EX_TEMPFAIL),
        ((HELLO, OK, OK, "550 unknown", "550 unknown"), EX_NOUSER),
        ((HELLO, OK, OK, "450 later", "550 unknown"), EX_TEMPFAIL),
        ((HELLO, OK, OK, OK, OK), EX_TEMPFAIL),  # it goes away before DATA
        ((HELLO, OK, OK, OK, OK, "354 go"), EX_TEMPFAIL),  # and in it
        ((HELLO, OK, OK, OK, OK, "354 go", "250 one"), EX_TEMPFAIL),  # and before it has answered for both
        ((HELLO, OK, OK, OK, OK, "354 go", "250 one", "250 two"), EX_OK),
        ((HELLO, OK, OK, OK, OK, "354 go", "250 one", "452 full"), EX_TEMPFAIL),
        ((HELLO, OK, OK, OK, OK, "354 go", "552 too large", "552 too large"), EX_DATAERR),
        (("nonsense",), EX_TEMPFAIL),
    ],
)
def test_only_an_answer_for_everybody_is_success(answers: Sequence[str], status: int) -> None:
    with server(*answers) as listener:
        assert deliver(mail(), "it@help.example", "sales@help.example", listener=listener)[0] == status
