"""Any bytes become one bounded result, and nothing that a person wrote is lost."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.mail.reading import LONGEST_SUBJECT, MOST_FILES, Reading, read
from services.intake.mail.structure.transfer import from_base64
from shared.contracts.parts import Address


def header(**fields: str) -> bytes:
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()).encode()


def test_an_ordinary_mail() -> None:
    reading = read(
        header(
            From='"Hansen, Per" <Per@Customer.Example>',
            To="IT <it@help.example.org>, b@c.example",
            Cc="team: d@e.example, f@g.example;",
            Subject="My computer hums",
            Message_ID="<1@customer.example>",
            In_Reply_To="<a@x> ",
            References="<b@x>\r\n <c@x>",
            Date="Mon, 23 Nov 2026 10:00:00 +0100",
        )
        + b"\r\nSince this morning.\r\n\r\nPer\r\n"
    )
    assert reading.sender == Address(email="per@customer.example", name="Hansen, Per")
    assert [a.email for a in reading.to] == ["it@help.example.org", "b@c.example"]
    assert [a.email for a in reading.cc] == ["d@e.example", "f@g.example"]
    assert (reading.subject, reading.text) == ("My computer hums", "Since this morning.\n\nPer")
    assert (reading.message_id, reading.in_reply_to, reading.references) == (
        "<1@customer.example>",
        ("<a@x>",),
        ("<b@x>", "<c@x>"),
    )
    assert reading.written_at is not None
    assert reading.written_at.isoformat() == "2026-11-23T09:00:00+00:00"
    assert reading.wrong == ()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("=?utf-8?q?Pr=C3=B8ve?=", "Prøve"),
        ("=?UTF-8?B?UHLDuHZl?= =?utf-8?Q?_to?=", "Prøve to"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=B8?= x", "ø x"),
        ("=?iso-8859-1?Q?caf=E9?= au =?iso-8859-1?Q?lait?=", "café au lait"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?x-unknown?Q?a=E9?=", "aé"),
        ("=?utf-8?Q?broken", "=?utf-8?Q?broken"),
        ("=?utf-8?Q?a b =C3=B8?=", "a b ø"),
        ("=?utf-8?Q?Really??=", "Really?"),
        ("=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b"),
        ("=?zlib?B?eJwDAAAAAAE=?=", None),
        ("=?punycode?Q?abc?=", "abc"),
        ("plain", "plain"),
    ],
)
def test_encoded_words(field: str, text: str | None) -> None:
    subject = read(b"Subject: " + field.encode() + b"\n\nx").subject
    assert text is None or subject == text


def test_a_subject_in_raw_utf_8_and_raw_latin_1() -> None:
    assert read("Subject: Prøve\n\nx".encode()).subject == "Prøve"
    assert read("Subject: Prøve\n\nx".encode("latin-1")).subject == "Prøve"


def test_line_breaks_never_get_into_a_subject() -> None:
    assert read(b"Subject: =?utf-8?q?a=0D=0ABcc:_x?=\n\nx").subject == "a Bcc: x"


@pytest.mark.parametrize(
    ("charset", "content", "text"),
    [
        ("utf-8", "Æ \U0001f5a8".encode(), "Æ \U0001f5a8"),
        ("iso-8859-1", "Æ".encode("latin-1"), "Æ"),
        ("us-ascii", "Æ".encode(), "Æ"),
        ("windows-1252", b"\x93x\x94", "“x”"),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("gb2312", "你好".encode("gb2312"), "你好"),
        ("no-such-charset", "Æ".encode(), "Æ"),
        ("koi8-r", "Привет".encode(), "Привет"),
        ("gb2312", "Привет, Æ ok".encode(), "Привет, Æ ok"),
        ("iso-2022-jp", "日本".encode(), "日本"),
        ("utf-8", b"a\xffb", "a\ufffdb"),
        ("utf-8", b"a\x00b\x07c", "a\ufffdb\ufffdc"),
        ("hex", b"616263", "616263"),
    ],
)
def test_charsets(charset: str, content: bytes, text: str) -> None:
    assert read(b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\n" + content).text == text


MIXED = b"""From: a@b.example
Content-Type: multipart/mixed; boundary="xx"

preamble
--xx
Content-Type: multipart/alternative; boundary=yy

--yy
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

the pla=
in text
--yy
Content-Type: text/html

<p>the <b>rich</b> text<script>alert(1)</script>
--yy--
--xx
Content-Type: application/pdf; name="=?utf-8?q?m=C3=A5l.pdf?="
Content-Transfer-Encoding: base64
Content-Disposition: attachment

JVBERg==
--xx
Content-Type: image/png
Content-ID: <pic@1>
Content-Disposition: inline; filename*=utf-8''bil%C3%A5%2F..%2Fde.png

png
--xx--
epilogue
"""


def test_parts_become_text_rich_text_and_files() -> None:
    reading = read(MIXED)
    assert reading.text == "the plain text"
    assert reading.html is not None
    assert "<b>rich</b>" in reading.html
    assert "script" not in reading.html
    assert [(f.name, f.type, f.content, f.inline_id) for f in reading.files] == [
        ("mål.pdf", "application/pdf", b"%PDF", None),
        ("de.png", "image/png", b"png", "pic@1"),
    ]


def test_a_mail_with_only_rich_text_is_read_as_text_too() -> None:
    reading = read(b"Content-Type: text/html\n\n<html><body><p>One</p><p>Two &amp; three</p></body></html>")
    assert reading.text.split() == ["One", "Two", "&", "three"]


def test_rich_text_may_name_its_charset_itself() -> None:
    raw = b"Content-Type: text/html\n\n<html><head><meta http-equiv=Content-Type content='text/html; charset=koi8-r'></head><p>"
    assert read(raw + "Привет".encode("koi8-r")).text == "Привет"


def test_an_empty_plain_alternative_does_not_hide_the_rich_text() -> None:
    raw = b"Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\n \n--x\nContent-Type: text/html\n\n<p>words\n--x--\n"
    assert read(raw).text == "words"


def test_a_forwarded_mail_is_a_file() -> None:
    reading = read(
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nsee below\n--x\nContent-Type: message/rfc822\n\nSubject: inner\n\nwords\n--x--\n"
    )
    assert reading.text == "see below"
    assert [(f.name, f.type) for f in reading.files] == [("inner.eml", "message/rfc822")]
    assert b"words" in reading.files[0].content


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\r\n\r\n",
        b"\x00",
        b"Subject",
        b"Subject:",
        b": x",
        b"Content-Type: multipart/mixed\n\nwords without a boundary",
        b"Content-Type: multipart/mixed; boundary=x\n\nwords without a part",
        b"Content-Type: multipart/mixed; boundary=\n\nwords",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nwords without an end",
        b'Content-Type: ;;;="\n\nwords',
        b'Content-Type: text/plain; charset*0=utf; charset*2="\n\nwords',
        b"Content-Transfer-Encoding: base64\n\n!!!",
        b"Content-Transfer-Encoding: nonsense\n\nwords",
        b"From: undisclosed-recipients:;\nTo: <>,@,;:\n\nwords",
        b"Date: Mon, 99 Foo 99999 99:99:99 +99999999\n\nwords",
        b"Date: 0\n\nwords",
        b"From: " + b"(" * 5_000 + b"\n\nwords",
        b"From: " + b"a@b," * 50_000 + b"\n\nwords",
        b"Subject: " + b"=?utf-8?q?x?= " * 20_000 + b"\n\nwords",
    ],
)
def test_broken_mails_are_read_too(raw: bytes) -> None:
    reading = read(raw)
    assert not [w for w in reading.wrong if w.startswith("could not be read")]
    if b"words" in raw:
        assert "words" in reading.text or any(b"words" in f.content for f in reading.files)


def nested(levels: int) -> bytes:
    parts = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels)]
    return b"".join(parts) + b"\nthe innermost words\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(levels)))


@pytest.mark.parametrize("levels", [10, 16, 17, 300, 20_000])
def test_deep_nesting_is_bounded_and_loses_nothing(levels: int) -> None:
    started = time.process_time()
    reading = read(nested(levels))
    assert time.process_time() - started < 3
    assert "the innermost words" in reading.text or any(b"the innermost words" in f.content for f in reading.files)


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\nContent-Disposition: attachment\n\ny\n" * 100_000,
        b"X: y\n" * 400_000 + b"\nwords",
        b"X:" + b" y\n" * 400_000 + b"\nwords",
        b"Subject: " + b"x" * 2_000_000 + b"\n\nwords",
        b"Content-Type: text/html\n\n" + b"<div>" * 200_000,
        b"Content-Type: text/html\n\n" + b"<div>" * 50_000,
        b"Content-Type: text/html\n\n" + b"".join(b"<b id=%d>" % n for n in range(300)) + b"<p>x</p>" * 30_000,
        b"Content-Type: text/html\n\n" + b"<p>x</p>" * 200_000,
        b"Content-Type: text/html\n\n" + b"<style><!--<![CDATA[<" * 100_000,
        b"Content-Type: text/html\n\n" + b"<table><tr><td>" * 10_000,
        b"Content-Type: text/plain; " + b"a=b; " * 200_000 + b"\n\nwords",
        b"References: " + b"<a@b> " * 200_000 + b"\n\nwords",
        b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 2_000_000,
    ],
    ids=[
        "parts",
        "fields",
        "folds",
        "subject",
        "nested html",
        "less nested html",
        "formatting",
        "long html",
        "unclosed",
        "tables",
        "parameters",
        "references",
        "quoted",
    ],
)
def test_bombs_are_read_in_bounded_time(raw: bytes) -> None:
    started = time.process_time()
    reading = read(raw)
    assert time.process_time() - started < 3
    assert len(reading.subject) <= LONGEST_SUBJECT
    assert len(reading.files) <= MOST_FILES


def bounded(reading: Reading) -> None:
    assert len(reading.subject) <= LONGEST_SUBJECT
    for text in (reading.subject, reading.text, reading.html or "", *(f.name for f in reading.files)):
        text.encode()
        assert "\x00" not in text
    assert "\n" not in reading.subject
    assert not [w for w in reading.wrong if w.startswith("could not be read")]


@settings(max_examples=300)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_read(raw: bytes) -> None:
    bounded(read(raw))


PIECES = st.sampled_from(
    [
        b"\n", b"\r\n", b"\r", b" ", b"\t", b":", b";", b"=", b'"', b"--", b"--x", b"--x--", b"x", b"\xff", b"\x00",
        b"Content-Type: multipart/mixed; boundary=x\n", b"Content-Type: text/html; charset=utf-7\n",
        b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n",
        b"Content-Type: message/rfc822\n", b"From: ", b"Subject: =?utf-8?b?", b"?=", b"=?", b"a@b.example", b"<", b">",
        b"filename*0*=utf-8''", b"%C3", b"\x1b$B", b"Content-Disposition: attachment; ",
    ]
)  # fmt: skip


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=60).map(b"".join))
def test_any_mixture_of_a_mails_pieces_is_read(raw: bytes) -> None:
    bounded(read(raw))


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200), st.sampled_from(["utf-8", "utf-16", "utf-7"])
)
def test_what_was_written_is_what_is_read(text: str, charset: str) -> None:
    import base64

    raw = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\n".encode()
    assert read(raw + base64.b64encode(f"|{text}|".encode(charset))).text == f"|{text}|"


@given(st.binary())
def test_base64_is_decoded(content: bytes) -> None:
    import base64

    assert from_base64(base64.encodebytes(content)) == content


def part(header: str, body: str = "x") -> bytes:
    return f"{header}\n\n{body}\n".encode()


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Content-Disposition: attachment; filename*=utf-8''m%C3%A5l.pdf", "mål.pdf"),
        ("Content-Disposition: attachment; filename*0*=utf-8''m%C3; filename*1*=%A5l.pdf", "mål.pdf"),
        ('Content-Disposition: attachment; filename="=?utf-8?q?m=C3=A5l.pdf?="', "mål.pdf"),
        ('Content-Type: application/pdf; name="=?iso-8859-1?q?m=E5l.pdf?="', "mål.pdf"),
        ("Content-Disposition: attachment; filename=mål.pdf", "mål.pdf"),
        ('Content-Disposition: attachment;\nfilename="mål.pdf"', "mål.pdf"),
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        ('Content-Disposition: attachment; filename="C:\\\\temp\\\\x.doc"', "x.doc"),
        ('Content-Disposition: attachment; filename="annexe\u202efdp.exe"', "annexe_fdp.exe"),
        ("Content-Disposition: attachment; filename=..", "file.txt"),
        ("Content-Disposition: attachment; filename=\"fallback.pdf\"; filename*=UTF-8''m%C3%A5l.pdf", "mål.pdf"),
        ("Content-Disposition: attachment; filename*1*=%A5l.pdf; filename*0*=UTF-8''m%C3", "mål.pdf"),
        ("Content-Disposition: attachment", "file.txt"),
        ("Content-Type: text/calendar", "invite.ics"),
    ],
)
def test_names_of_files(header: str, name: str) -> None:
    (file,) = read(part(header)).files
    assert file.name == name


@pytest.mark.parametrize(
    "raw",
    [
        b'Content-Type: multipart/mixed; boundary="other"\n\n--mine\nContent-Type: text/plain\n\nwords\n--mine\nContent-Type: image/png\n\nx\n--mine--\n',
        b"Content-Type: multipart/mixed\n\n--mine\nContent-Type: text/plain\n\nwords\n--mine\nContent-Type: image/png\n\nx\n--mine--\n",
        b"Content-Type: multipart/mixed;\nboundary=mine\n\n--mine\nContent-Type: text/plain\n\nwords\n--mine\nContent-Type: image/png\n\nx\n--mine--\n",
        b"Content-Type: multipart/mixed; boundary=mine\n\n--mine\nContent-Type: text/plain\n\nwords\n--mine\nContent-Type: image/png\n\nx",
    ],
    ids=["wrong boundary", "no boundary", "no indent", "no end"],
)
def test_a_multipart_is_taken_apart_even_if_it_names_its_boundary_wrongly(raw: bytes) -> None:
    reading = read(raw)
    assert (reading.text.strip(), [f.type for f in reading.files]) == ("words", ["image/png"])


def test_a_boundary_that_is_the_beginning_of_another_does_not_end_its_parts() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n--ab\ntwo\n--a\nContent-Type: image/png\n\nx\n--a--\n"
    assert read(raw).text == "one\n--ab\ntwo"


def test_uuencode_is_decoded() -> None:
    body = "begin 644 x.txt\n%:&5L;&\\\n`\nend"
    raw = part("Content-Transfer-Encoding: x-uuencode\nContent-Disposition: attachment; filename=x.txt", body)
    assert [f.content for f in read(raw).files] == [b"hello"]


def test_encoded_words_with_characters_that_should_have_been_encoded() -> None:
    assert read("Subject: =?iso-8859-1?Q?Frösche?=\n\nx".encode("latin-1")).subject == "Frösche"
    assert read("Subject: =?utf-8?Q?Frösche?=\n\nx".encode()).subject == "Frösche"


def test_a_mail_of_nothing_but_an_invitation_says_what_it_is_about() -> None:
    calendar = (
        "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\nSUMMARY:Printers\\, all\n of them\nDTSTART;TZID=Europe/Oslo:20261123T100000\n"
        "LOCATION:Room 1\nORGANIZER;CN=Kari:mailto:kari@example.com\nBEGIN:VALARM\nDESCRIPTION:x\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR"
    )
    reading = read(part("Content-Type: text/calendar; charset=utf-8", calendar))
    assert reading.text == "Printers, allof them\n2026-11-23 10:00 Europe/Oslo\nRoom 1\nkari@example.com"
    assert [f.name for f in reading.files] == ["invite.ics"]


def test_words_in_a_named_part_are_words_when_there_are_no_others() -> None:
    reading = read(part('Content-Type: text/plain; name="text.txt"', "the words"))
    assert (reading.text, [f.name for f in reading.files]) == ("the words", ["text.txt"])


@pytest.mark.parametrize(
    ("raw", "note"),
    [
        (b"X: y\n" * 2_000 + b"\nwords", "more than 1000 header fields"),
        (b"Subject: " + b"x" * 40_000 + b"\n\nwords", "a header field of more than 32 kB"),
        (b"X: y\n" * 100_000 + b"\nwords", "a header of more than 256 kB"),
        (nested(20), "nested deeper than 16 levels"),
        (b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\ny\n" * 600, "more than 500 parts"),
    ],
)
def test_a_limit_that_was_reached_is_noted(raw: bytes, note: str) -> None:
    assert [w for w in read(raw).wrong if w.startswith(note)]


def test_raw_authentication_results_are_kept() -> None:
    assert read(b"Authentication-Results: mx; dkim=pass\n spf=fail\n\nx").authentication == ("mx; dkim=pass spf=fail",)


@pytest.mark.parametrize("count", [1, 49, 50, 51, 400])
def test_no_recipient_is_left_out_without_a_note(count: int) -> None:
    names = [f"reader{n}@shop.example" for n in range(count)]
    reading = read(
        header(From="kim@shop.example", To=f"{names[0]}, {', '.join(names)}", Cc=", ".join(names)) + b"\r\nx"
    )
    for field, shown in (("To", reading.to), ("Cc", reading.cc)):
        assert [each.email for each in shown] == names[:50]
        note = f"{count - 50} more addresses in {field} are only in the original mail"
        assert (note in reading.wrong) == (count > 50)
    assert len(reading.wrong) == (2 if count > 50 else 0)


def test_addresses_of_other_alphabets() -> None:
    reading = read("From: Пётр <пётр@пример.рф>\nTo: kari@xn--bcher-kva.example\n\nx".encode())
    assert reading.sender == Address(email="пётр@xn--e1afmkfd.xn--p1ai", name="Пётр")
    assert [a.email for a in reading.to] == ["kari@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "encoding",
    [
        "Quoted-Printable;",
        "quoted-printable (so it is)",
        '"quoted-printable"',
        " QUOTED-PRINTABLE ",
        "quoted printable",
        "Quoted_Printable",
        "quotedprintable",
    ],
)
def test_transfer_encodings_as_programs_write_them(encoding: str) -> None:
    assert (
        read(part(f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}", "h=C3=A5")).text
        == "hå"
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("aMOl\n", "hå"),
        ("aA==\naMOl\n", "hhå"),
        ("a!MO\n l\n", "hå"),
        (
            "aGVsbG8gd29ybGQ=\n\n____________\nList mailing list\nList@lists.example\n",
            "hello world\n\n____________\nList mailing list\nList@lists.example",
        ),
        ("aGVsbG8gd29ybGQh\n\nScanned by a machine\n", "hello world!\n\nScanned by a machine"),
    ],
)
def test_base64_with_foreign_characters_in_it_is_decoded(body: str, text: str) -> None:
    assert read(part("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", body)).text == text


def test_what_stands_below_the_base64_of_a_file_is_no_part_of_it() -> None:
    raw = part(
        "Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64",
        "aGVsbG8gd29ybGQ=\n\n______\nSent by a list",
    )
    assert [file.content for file in read(raw).files] == [b"hello world"]


def test_a_byte_order_mark_hides_no_field() -> None:
    assert read(b"\xef\xbb\xbfFrom: a@b.example\r\nSubject: x\r\n\r\nhello").sender == Address(email="a@b.example")


@pytest.mark.parametrize("encoding", ["base-64", "Base 64", "BASE_64", "x-base64", "base64"])
def test_base64_however_it_is_spelt(encoding: str) -> None:
    header = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}"
    assert read(part(header, "w6Ugb2cgw7g=")).text == "å og ø"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('Content-Type: message/rfc822; name="The old letter"', "The old letter.eml"),
        ("Content-Type: message/rfc822; name=letter.EML", "letter.EML"),
        ("Content-Type: message/rfc822", "Door 4.5.eml"),
    ],
)
def test_an_enclosed_mail_opens_as_one(header: str, name: str) -> None:
    raw = f"Content-Type: multipart/mixed; boundary=q\n\n--q\n\nx\n--q\n{header}\n\nSubject: Door 4.5\n\ny\n--q--\n"
    (file,) = read(raw.encode()).files
    assert file.name == name


@pytest.mark.parametrize("start", ['; start="<root>"', ""])
def test_the_words_of_a_related_multipart_may_come_after_its_images(start: str) -> None:
    raw = (
        f"Content-Type: multipart/related; boundary=r{start}\n\n--r\nContent-Type: image/png\nContent-ID: p1@x\n\npng\n"
        '--r\nContent-Type: text/html\nContent-ID: <root>\n\n<p>hello<img src="cid:p1@x">\n--r--'
    )
    reading = read(raw.encode())
    assert (reading.text, [(f.type, f.inline_id) for f in reading.files]) == ("hello", [("image/png", "p1@x")])
    assert reading.html is not None
    assert "cid:p1@x" in reading.html


def test_a_mail_that_only_encloses_another_has_its_words() -> None:
    reading = read(b"Subject: Fwd\nContent-Type: message/rfc822\n\nFrom: a@b.example\nSubject: inner\n\nthe words")
    assert reading.text == "From: a@b.example\nSubject: inner\n\nthe words"
    assert [f.name for f in reading.files] == ["inner.eml"]


def test_words_above_the_empty_line_are_told_in_a_note() -> None:
    reading = read(b"From: ida@fjell.example\nSubject: Door\nPlease: come today\nNote: bring a key\n\nIda\n")
    assert (reading.text, reading.wrong) == (
        "Ida",
        ("the end of its header says: Please: come today Note: bring a key",),
    )
    assert not read(b"From: ida@fjell.example\nSubject: Door\nSpam-Level: 0 of 5\n\nIda\n").wrong
