"""Mails as files: complete, durable, and one for each notification however often it is tried."""

import mailbox
from pathlib import Path
from uuid import UUID

import pytest

from services.notify.sending.transports.maildir import Maildir
from services.notify.sending.transports.transport import SendResult, TemporaryFailure
from services.notify.writing.message import EncodedMail

MAIL = EncodedMail(
    UUID(int=7), "it@help.example.org", ("per@customer.example", "b@x.example"), b"Subject: x\r\n\r\nHei\r\n"
)


async def test_a_mail_is_a_file_that_any_maildir_reader_finds(tmp_path: Path) -> None:
    assert await Maildir(tmp_path / "sent").send(MAIL, again=False) == SendResult()
    (found,) = mailbox.Maildir(tmp_path / "sent", create=False)
    assert found["Subject"] == "x"
    assert found.get_payload() == "Hei\n"
    assert found["Return-Path"] == "<it@help.example.org>"
    assert found.get_all("X-Envelope-To") == ["<per@customer.example>", "<b@x.example>"]
    assert list((tmp_path / "sent" / "tmp").iterdir()) == []


async def test_a_repeat_is_the_same_file(tmp_path: Path) -> None:
    box = Maildir(tmp_path)
    await box.send(MAIL, again=False)
    await box.send(MAIL, again=True)
    assert len(list((tmp_path / "new").iterdir())) == 1


async def test_a_mail_that_a_reader_has_filed_is_not_written_again(tmp_path: Path) -> None:
    box = Maildir(tmp_path)
    await box.send(MAIL, again=False)
    (path,) = (tmp_path / "new").iterdir()
    path.rename(tmp_path / "cur" / f"{path.name}:2,S")
    await box.send(MAIL, again=True)
    assert list((tmp_path / "new").iterdir()) == []


async def test_a_disk_error_is_a_temporary_failure(tmp_path: Path) -> None:
    box = Maildir(tmp_path / "sent")
    (tmp_path / "sent" / "tmp").rmdir()
    with pytest.raises(TemporaryFailure, match="cannot be written: No such file"):
        await box.send(MAIL, again=False)
