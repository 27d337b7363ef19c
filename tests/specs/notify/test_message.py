"""Whatever people and administrators write, the mail parses back to it, and nothing adds a field."""

import asyncio
import base64
import email
import email.policy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.notify.writing.message import EncodedMail, Unsendable, base64_lines, encode, one_line
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address, Attachment, Blob
from shared.file_names import safe_name
from tests.specs.notify.tickets import mail
from tests.specs.requirement import requirement

MOMENT = datetime(2026, 11, 23, 8, 30, 15, 123456, tzinfo=UTC)
NOTIFICATION = UUID(int=7)
FIELDS = {"Message-ID", "Date", "From", "To", "Subject", "Content-Type", "MIME-Version"}
MORE = {"Content-Transfer-Encoding", "Cc", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress"}

anything = st.text(max_size=200)
nasty = st.text(alphabet=st.sampled_from('\r\n:\t "\\<>,;@()=?_æø漢🖨\u2028\x00\x85ab'), max_size=120)
words = anything | nasty
long_words = st.builds(lambda text, n: text * n, st.text(min_size=1, max_size=9), st.integers(1, 300))


def made(**more: Any) -> EncodedMail:
    return encode(NOTIFICATION, mail(**more), MOMENT)


def parsed(one: EncodedMail) -> EmailMessage:
    found = email.message_from_bytes(one.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def well_formed(one: EncodedMail) -> None:
    """Lines end in CRLF only, have at most 998 octets, and are ASCII; the header has our fields, each once."""
    assert b"\r" not in one.content.replace(b"\r\n", b"")
    assert b"\n" not in one.content.replace(b"\r\n", b"")
    lines = one.content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert one.content.isascii()
    assert b"\x00" not in one.content
    names = list(parsed(one).keys())
    assert len(names) == len(set(names))
    assert FIELDS <= set(names) <= FIELDS | MORE


@given(words | long_words)
@example("x" * 3000)
@example("=?utf-8?q?x?=")
@example("Re: \r\nBcc: all@example.org")
def test_any_subject(subject: str) -> None:
    one = made(subject=subject)
    well_formed(one)
    assert str(parsed(one)["Subject"]) == one_line(subject, 2_000)


def mailbox(one: EncodedMail, name: str) -> tuple[str, str]:
    """Name and address as RFC 2047 reads them; Python's newer parser keeps the space between encoded words of a
    name."""
    display, spec = parseaddr(email.message_from_bytes(one.content)[name])
    return str(make_header(decode_header(display))), spec


@given(words, words)
@example('Hansen, Per (it) "x" \\', "=?utf-8?q?x?=")
@example("Ærlig, Kåre <kare@example.org>", "a\r\nBcc: x@example.org")
def test_any_names(sender: str, recipient: str) -> None:
    one = made(
        sender=Address(email="it@help.example.org", name=sender),
        to=(Address(email="per@customer.example", name=recipient),),
    )
    well_formed(one)
    assert mailbox(one, "From") == (one_line(sender, 200), "it@help.example.org")
    assert mailbox(one, "To") == (one_line(recipient, 200), "per@customer.example")
    assert one.recipients == ("per@customer.example",)


@given(words | long_words)
@example(".\r\n.\r\nFrom here\r\n")
@example("a" * 5000)
@example("\x1a\x7f\x0c")
@example("trailing \nspaces\t\n")
def test_any_text(text: str) -> None:
    one = made(text=text)
    well_formed(one)
    expected = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    assert parsed(one).get_content().replace("\r\n", "\n").rstrip("\n") == expected.rstrip("\n")


@given(st.lists(words, max_size=5), words)
@example(["<a@b>\r\nBcc: x@y", "<c d@e>", "<æ@b>"], "<x@y>")
@example(["<" + "a" * 400 + "@b>"] * 2, "<" + "b" * 898 + ">")
def test_any_references(references: list[str], in_reply_to: str) -> None:
    well_formed(made(references=tuple(references), in_reply_to=in_reply_to))


def test_references_are_never_encoded_or_broken() -> None:
    long = [f"<{'x' * 120}{n}@customer.example>" for n in range(5)]
    one = made(references=tuple(long), in_reply_to=long[-1])
    assert str(parsed(one)["References"]).split() == long
    assert str(parsed(one)["In-Reply-To"]) == long[-1]
    assert parsed(one)["Message-ID"] == mail().message_id


def test_long_references_keep_the_first_and_the_last_ids() -> None:
    many = [f"<{'x' * 90}{n}@customer.example>" for n in range(50)]
    kept = str(parsed(made(references=tuple(many)))["References"]).split()
    assert kept[0] == many[0]
    assert kept[1:] == many[-len(kept) + 1 :]
    assert len(kept) >= 3
    assert len(f"References: {' '.join(kept)}") <= 998


addresses = st.builds(lambda local, domain: f"{local}@{domain}", words, words) | words


@given(words, words, words, addresses, addresses, words, words, st.lists(words, max_size=3))
def test_no_combination_of_values_adds_a_field(
    subject: str, name: str, other: str, sender: str, to: str, message_id: str, automatic: str, ids: list[str]
) -> None:
    """Either the mail has each of our fields once and no other one, or it is unsendable."""
    fields: dict[str, Any] = {
        "subject": subject,
        "sender": Address(email=sender, name=name),
        "to": (Address(email=to, name=other), Address(email="per@customer.example", name=name)),
        "cc": (Address(email=to, name=name),),
        "reply_to": Address(email=sender, name=other),
        "message_id": message_id,
        "in_reply_to": other,
        "references": tuple(ids),
        "auto_submitted": automatic,
    }
    for good in ({}, {"message_id": "<a@b>"}, {"message_id": "<a@b>", "sender": Address(email="it@help.example.org", name=name),
                 "to": (Address(email="per@customer.example", name=other),), "cc": (),
                 "reply_to": Address(email="x@help.example.org", name=name)}):  # fmt: skip
        try:
            one = made(**{**fields, **good})
        except Unsendable:
            assert "cc" not in good, "checked values can always be sent"
            continue
        header = one.content.partition(b"\r\n\r\n")[0]
        names = [line.partition(b":")[0].decode() for line in header.split(b"\r\n") if line[:1] not in b" \t"]
        assert len(names) == len(set(names))
        assert set(names) <= FIELDS | MORE | {"Reply-To"}
        resent = encode(
            NOTIFICATION, mail(**{**fields, **good, "text": "", "resent": ORIGINAL}), MOMENT, (), None, b"A: b\r\n\r\n"
        )
        names = [
            line.partition(b":")[0].decode()
            for line in resent.content.split(b"\r\n")
            if line and line[:1] not in b" \t"
        ]
        assert names == ["Resent-Message-ID", "Resent-Date", "Resent-From", "Resent-To", "A"]


ORIGINAL = Blob(sha256="0" * 64, size=8, type="message/rfc822")


def lines(content: bytes, size: int = 100) -> bytes:
    """A file's content as the sender encodes it, in pieces of this many bytes."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return asyncio.run(base64_lines(pieces()))


@given(words, st.binary(max_size=200), words)
@example("../../etc/passwd", b"", "text/plain")
@example('åse\'s "tegning".pdf' * 8, b"\r\n.\r\n", "application/pdf")
def test_any_attachment(name: str, content: bytes, kind: str) -> None:
    file = Attachment(id=UUID(int=3), name=name, blob=Blob(sha256="0" * 64, size=len(content), type=kind))
    one = encode(NOTIFICATION, mail(attachments=(file,)), MOMENT, [(file, lines(content))])
    (part,) = parsed(one).iter_attachments()
    assert part.get_payload(decode=True) == content
    assert part["Content-Disposition"].params["filename"] == safe_name(name, kind)
    assert b"Bcc" not in one.content
    assert one == encode(NOTIFICATION, mail(attachments=(file,)), MOMENT, [(file, lines(content))])


@given(st.binary(max_size=400), st.integers(1, 120))
def test_a_file_read_in_pieces_is_encoded_as_one(content: bytes, size: int) -> None:
    made = lines(content, size)
    assert base64.b64decode(made) == content
    assert all(len(line) == 76 for line in made.split(b"\r\n")[:-2])


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain; charset=utf-8",
        "message/rfc822",
        "multipart/mixed",
        "image/png",
        "text/html",
        "x",
        "a/b\r\nBcc: x@y",
    ],
)
def test_any_media_type_can_be_attached(kind: str) -> None:
    file = Attachment(id=UUID(int=3), name="a.eml", blob=Blob(sha256="0" * 64, size=3, type=kind))
    one = encode(NOTIFICATION, mail(), MOMENT, [(file, lines(b"From: x\n\n\xff"))])
    (part,) = parsed(one).iter_attachments()
    assert part.get_payload(decode=True) == b"From: x\n\n\xff"
    assert part.get_content_disposition() == "attachment"
    assert "Bcc" not in part


PICTURE = Attachment(
    id=UUID(int=4),
    name="hum.png",
    blob=Blob(sha256="1" * 64, size=3, type="image/png"),
    inline_id="hum@customer.example",
)
PAPER = Attachment(id=UUID(int=5), name="a.pdf", blob=Blob(sha256="2" * 64, size=3, type="application/pdf"))


@given(words | long_words)
@example("</body><p>{}{0}")
def test_html_stands_beside_the_plain_text(html: str) -> None:
    one = made(html=html)
    well_formed(one)
    assert parsed(one).get_content_type() == "multipart/alternative"
    plain, rich = parsed(one).iter_parts()
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_content().replace("\r\n", "\n") == mail().text
    expected = f"<body>\n{html}\n</body>".replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    assert expected in rich.get_content().replace("\r\n", "\n")


@requirement("A7.06")
def test_images_of_the_html_are_inline_and_other_files_are_attached() -> None:
    rich = mail(html='<p>This: <img src="cid:hum@customer.example"></p>', attachments=(PICTURE, PAPER))
    one = encode(NOTIFICATION, rich, MOMENT, [(PICTURE, lines(b"png")), (PAPER, lines(b"pdf"))])
    well_formed(one)
    words, paper = parsed(one).iter_parts()
    assert (paper.get_content_disposition(), paper.get_content()) == ("attachment", b"pdf")
    plain, related = words.iter_parts()
    shown, picture = related.iter_parts()
    assert [p.get_content_type() for p in (words, plain, related, shown)] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
    ]
    assert picture["Content-ID"] == "<hum@customer.example>"
    assert (picture.get_content_disposition(), picture.get_content()) == ("inline", b"png")


def test_an_image_that_the_html_does_not_show_is_attached() -> None:
    odd = PICTURE.model_copy(update={"inline_id": "a>\r\nBcc: x@y"})
    for file, html in ((PICTURE, "<p>none</p>"), (PICTURE, None), (odd, f"cid:{odd.inline_id}")):
        one = encode(NOTIFICATION, mail(html=html, attachments=(file,)), MOMENT, [(file, lines(b"png"))])
        (attached,) = parsed(one).iter_attachments()
        assert attached.get_content_disposition() == "attachment"
        assert "Bcc" not in attached


RAW = (
    b"Return-Path: <per@customer.example>\r\nFrom: Per\r\n <per@customer.example>\nSubject: \xe6\nMessage-ID: <1@x>\n\n"
    b"\xff.\n.\nFrom here\n"
)


def resent(raw: bytes, **more: Any) -> EncodedMail:
    blob = Blob(sha256="0" * 64, size=len(raw), type="message/rfc822")
    return encode(NOTIFICATION, mail(resent=blob, text="", **more), MOMENT, resent=raw)


@requirement("A7.15")
def test_a_resent_mail_is_unchanged_below_the_resent_fields() -> None:
    one = resent(RAW)
    assert one.content.endswith(RAW)
    added = email.message_from_bytes(one.content.removesuffix(RAW), policy=email.policy.default)
    assert added["Resent-Message-ID"] == mail().message_id
    assert added["Resent-From"] == "IT desk <it@help.example.org>"
    assert added["Resent-To"] == "Per Hansen <per@customer.example>"
    assert parsedate_to_datetime(added["Resent-Date"]) == MOMENT.replace(microsecond=0)
    assert len(added.keys()) == 4
    assert (one.sender, one.recipients) == ("it@help.example.org", ("per@customer.example",))
    assert parsed(one)["Message-ID"] == "<1@x>"


@pytest.mark.parametrize("mark", [b"From per@customer.example Mon Nov 23 08:30:15 2026\n", b">From x\r\n"])
def test_an_mbox_line_before_a_resent_mail_is_dropped(mark: bytes) -> None:
    assert resent(mark + RAW).content == resent(RAW).content


@given(words, words)
@example('Hansen, Per (it) "x" \\', "=?utf-8?q?x?=")
@example("a\r\nBcc: x@example.org", "")
def test_any_names_in_resent_fields(sender: str, recipient: str) -> None:
    one = resent(
        RAW,
        sender=Address(email="it@help.example.org", name=sender),
        to=(Address(email="per@customer.example", name=recipient),),
    )
    assert mailbox(one, "Resent-From") == (one_line(sender, 200), "it@help.example.org")
    assert mailbox(one, "Resent-To") == (one_line(recipient, 200), "per@customer.example")
    assert "Bcc" not in parsed(one)


def test_a_mail_may_have_a_reply_to() -> None:
    one = made(reply_to=Address(email="ida@x.example", name="Ida"))
    assert parsed(one)["Reply-To"] == "Ida <ida@x.example>"


def test_encoding_a_mail_again_gives_the_same_bytes_with_the_events_date() -> None:
    assert made() == made()
    assert parsedate_to_datetime(parsed(made())["Date"]) == MOMENT.replace(microsecond=0)


def test_automatic_mail_is_marked_and_has_an_empty_envelope_sender() -> None:
    one = made(auto_submitted="auto-replied")
    assert parsed(one)["Auto-Submitted"] == "auto-replied"
    assert parsed(one)["X-Auto-Response-Suppress"] == "All"
    assert one.sender == ""


def test_mail_written_by_people_is_not_marked_as_automatic() -> None:
    one = made()
    assert parsed(one)["Auto-Submitted"] is None
    assert parsed(one)["X-Auto-Response-Suppress"] is None
    assert one.sender == "it@help.example.org"


def test_bcc_recipients_are_in_the_envelope_only() -> None:
    one = made(
        cc=(Address(email="b@x.example"),),
        bcc=(Address(email="c@x.example", name="Secret"), Address(email="b@x.example")),
    )
    assert one.recipients == ("per@customer.example", "b@x.example", "c@x.example")
    assert parsed(one)["Cc"] == "b@x.example"
    assert b"c@x.example" not in one.content
    assert b"Secret" not in one.content


def test_a_mail_with_bcc_recipients_only_has_undisclosed_recipients() -> None:
    one = made(to=(), bcc=(Address(email="c@x.example"),))
    assert parsed(one)["To"] == "undisclosed-recipients:;"


def test_an_international_domain_is_written_in_punycode() -> None:
    one = made(to=(Address(email="per@blåbær.example", name="Per"),))
    assert one.recipients == ("per@xn--blbr-roah.example",)
    assert not one.international
    well_formed(one)


def test_an_international_local_part_needs_smtputf8() -> None:
    one = made(to=(Address(email="kåre@customer.example", name="Kåre"),))
    assert one.international
    assert "kåre@customer.example".encode() in one.content


def test_only_remaining_recipients_get_the_mail_again() -> None:
    both = (Address(email="a@x.example"), Address(email="b@x.example"))
    one = encode(NOTIFICATION, mail(to=both), MOMENT, remaining=("b@x.example",))
    assert one.recipients == ("b@x.example",)
    assert parsed(one)["To"] == "a@x.example, b@x.example"


@pytest.mark.parametrize("bad", ["", "x", "a@b@", "a\r\nBcc: c@x.example", "a b@x.example", "a@[127.0.0.1]"])
def test_a_mail_with_an_invalid_address_is_unsendable(bad: str) -> None:
    broken: OutgoingMail = mail(to=(Address(email=bad),))
    with pytest.raises(Unsendable):
        encode(NOTIFICATION, broken, MOMENT)


def test_quoted_local_parts_and_international_domains_are_written_as_mail_servers_expect() -> None:
    one = made(to=(Address(email='"fax 22 33"@kjøtt.example', name="Fax"),))
    assert b'To: "Fax" <"fax 22 33"@xn--kjtt-hra.example>\r\n' in one.content
    assert one.recipients == ('"fax 22 33"@xn--kjtt-hra.example',)
