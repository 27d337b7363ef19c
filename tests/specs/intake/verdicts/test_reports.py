"""Reports of mails that were not delivered: who it was, whether the address is dead, and which mail it was about."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.mail.reading import Reading, read
from services.intake.mail.verdict import judge
from services.intake.mail.verdicts.dead_addresses import is_dead, status_of

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"
SISIMAI = CORPORA / "sisimai-set-of-emails"
FLUFL = CORPORA / "flufl.bounce"

STANDARD = b"""From: Mail Delivery System <MAILER-DAEMON@mx.example>
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x

This is the mail system at host mx.example. Your message could not be delivered.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; gone@customer.example
Original-Recipient: rfc822;Gone@customer.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <gone@customer.example>: Recipient address
    rejected: User unknown

Final-Recipient: rfc822; full@customer.example
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full
--x
Content-Type: text/rfc822-headers

Message-ID: <our-token@ledgerdesk.invalid>
Subject: Re: printer
--x--
"""


def test_a_report_by_the_standard() -> None:
    report = read(STANDARD).report
    assert report is not None
    assert (report.kind, report.certain, report.original_ids) == ("failure", True, ("<our-token@ledgerdesk.invalid>",))
    assert [(f.recipient, f.status, f.hard) for f in report.failures] == [
        ("gone@customer.example", "5.1.1", True),
        ("full@customer.example", "5.2.2", False),
    ]
    assert (
        report.failures[0].diagnostic == "550 5.1.1 <gone@customer.example>: Recipient address rejected: User unknown"
    )


def test_a_mail_that_is_only_late_is_no_failure() -> None:
    raw = STANDARD.replace(b"Action: failed", b"Action: delayed").replace(b"Status: 5", b"Status: 4")
    report = read(raw).report
    assert report is not None
    assert (report.kind, [f.hard for f in report.failures]) == ("delay", [False, False])


def test_a_report_of_success_has_no_failures() -> None:
    report = read(STANDARD.replace(b"Action: failed", b"Action: delivered")).report
    assert report is not None
    assert (report.kind, report.failures) == ("delivered", ())


def test_a_report_that_follows_no_standard() -> None:
    raw = b"""From: MAILER-DAEMON@mx.example
To: it@help.example.org
Subject: failure notice

Hi. I'm afraid I wasn't able to deliver your message to the following addresses.

<gone@customer.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <it@help.example.org>
Message-ID: <1@ledgerdesk.invalid>
To: <other@customer.example>
"""
    report = read(raw).report
    assert report is not None
    assert [(f.recipient, f.status, f.hard) for f in report.failures] == [("gone@customer.example", "5.1.1", True)]
    assert report.original_ids == ("<1@ledgerdesk.invalid>",)


def test_a_complaint_is_neither_a_failure_nor_a_delay() -> None:
    raw = b"Content-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\n\nabuse\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--x--\n"
    report = read(raw).report
    assert report is not None
    assert report.kind == "complaint"


@pytest.mark.parametrize(
    "raw",
    [
        b"From: per@customer.example\nSubject: Fwd: Undelivered Mail\n\nWhat does this mean? My mail could not be delivered.",
        b"From: per@customer.example\nSubject: user unknown\n\nI cannot log in.",
        b"From: per@customer.example\nSubject: parcel\n\nMy parcel was not delivered to the following address: Street 1.",
    ],
)
def test_a_persons_mail_about_a_report_is_not_a_report(raw: bytes) -> None:
    reading = read(raw)
    found = judge(
        reading, envelope_from="per@customer.example", names_ticket=False, is_ours=False, from_our_address=False
    )
    assert found.outcome == "created"


def test_a_report_that_a_person_sends_on_is_a_letter() -> None:
    raw = STANDARD.replace(b"MAILER-DAEMON@mx.example", b"per@customer.example").replace(
        b"Mail Delivery System", b"Per"
    )
    raw = raw.replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
    found = judge(
        read(raw), envelope_from="per@customer.example", names_ticket=False, is_ours=False, from_our_address=False
    )
    assert found.outcome == "created"


@pytest.mark.parametrize(
    ("words", "dead"),
    [
        ("550 5.1.1 User unknown", True),
        ("550 No such user here", True),
        ("550 Invalid recipient", True),
        ("Host or domain name not found. Name service error for name=x.example type=A: Host not found", True),
        ("554 5.1.6 The recipient has moved, new address is x@y.example", True),
        ("556 5.1.10 Domain customer.example does not accept mail (nullMX)", True),
        ("552 5.2.2 Mailbox full", False),
        ("452 4.2.2 Over quota", False),
        ("550 5.7.1 Message rejected as spam", False),
        ("550 5.7.26 DMARC check failed", False),
        ("554 5.7.1 Relay access denied", False),
        ("connect to x.example: Connection timed out", False),
        ("553 5.1.8 Domain of sender address a@b.example does not exist", False),
        ("Host not found, try again", False),
        ("", False),
    ],
)
def test_a_dead_address_is_distinguished_from_a_mail_that_was_not_delivered(words: str, dead: bool) -> None:
    assert is_dead(words, status_of(words)) is dead


def test_a_refusal_after_the_content_says_nothing_about_the_address() -> None:
    assert not is_dead("550 user unknown", "", after_data=True)


def test_automatic_answers_are_known() -> None:
    for header, subject in (
        ("Auto-Submitted: auto-replied (vacation)", "Re: x"),
        ("X-Autoreply: yes", "Re: x"),
        ("X-Auto-Response-Suppress: All", "Automatic reply: x"),
        ("X-Auto-Response-Suppress: All", "Automatisk svar: x"),
        ("Precedence: auto_reply", "x"),
    ):
        assert read(f"From: a@b.example\n{header}\nSubject: {subject}\n\nI am away.".encode()).auto_reply, header
    assert not read(b"From: a@b.example\nSubject: Automatic reply is broken\n\nPlease help.").auto_reply


def test_mails_that_get_no_automatic_reply() -> None:
    for header in ("List-Id: <x.example>", "X-Auto-Response-Suppress: OOF", "From: no-reply@x.example", "X-Loop: x"):
        assert read(f"{header}\nSubject: x\n\nx".encode()).no_answer, header
    assert not read(b"From: a@b.example\nSubject: x\n\nx").no_answer


PIECES = st.sampled_from(
    [
        "Final-Recipient: rfc822; a@b.example\n", "Action: failed\n", "Status: 5.1.1\n", "\n", "<a@b.example>:\n", "550 user unknown\n",
        "--- Below this line is a copy\n", "To: ", "a@b.example", "expanded from: ", "following address ", " ", "could not be delivered ", "x" * 50,
    ]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_mixture_of_a_reports_pieces_is_read(text: str) -> None:
    report = read(f"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n{text}".encode()).report
    assert report is not None
    assert all("@" in failure.recipient for failure in report.failures)


@pytest.mark.parametrize(
    "line", ["<a@b.example>:\n", "a@b ", "@", "could not be delivered ", "a.", "Final-Recipient: rfc822; a@b.example\n\n", "--- ", "to: "]
)  # fmt: skip
def test_a_megabyte_of_a_report_is_read_in_bounded_time(line: str) -> None:
    raw = b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n" + line.encode() * (1_000_000 // len(line))
    started = time.process_time()
    read(raw)
    assert time.process_time() - started < 3


def outcome(reading: Reading) -> str:
    """What becomes of a mail from the null sender."""
    return judge(reading, envelope_from="", names_ticket=False, is_ours=False, from_our_address=False).outcome


def test_the_reports_of_sisimais_corpus() -> None:
    if not SISIMAI.is_dir():
        pytest.skip("../shared/corpora/sisimai-set-of-emails is not here")
    expected = json.loads((SISIMAI / "expected.json").read_text())
    readings = {path.name: read(path.read_bytes()) for path in (SISIMAI / "maildir" / "bsd").iterdir()}
    told = [name for name in readings if outcome(readings[name]) != "created"]
    assert len(told) >= 0.98 * len(readings), sorted(set(readings) - set(told))
    graded = [
        name
        for name in expected
        if name in readings and expected[name][0]["reason"] not in ("feedback", "vacation", "delivered", "undefined")
    ]
    right = [
        name
        for name in graded
        if (report := readings[name].report)
        and {f.hard for f in report.failures} == {bool(each["hardbounce"]) for each in expected[name]}
    ]
    assert len(right) >= 0.86 * len(graded)


def test_the_reports_of_flufls_corpus() -> None:
    if not FLUFL.is_dir():
        pytest.skip("../shared/corpora/flufl.bounce is not here")
    expected = json.loads((FLUFL / "expected.json").read_text())
    readings = {path.name: read(path.read_bytes()) for path in (FLUFL / "tests" / "data").glob("*.txt")}
    told = [name for name in readings if outcome(readings[name]) != "created"]
    assert len(told) >= 0.98 * len(readings), sorted(set(readings) - set(told))
    graded = [name for name in readings if (expected.get(name) or {}).get("addresses")]
    named = [
        name
        for name in graded
        if (report := readings[name].report)
        and {address.lower() for address in expected[name]["addresses"]} <= {f.recipient for f in report.failures}
    ]
    assert len(named) >= 0.95 * len(graded), sorted(set(graded) - set(named))


def test_mails_of_people_in_the_corpora_are_not_reports() -> None:
    letters = [
        *(SISIMAI / "maildir" / "not").glob("*"),
        *(CORPORA / "talon/tests/fixtures/standard_replies").glob("*.eml"),
    ]
    if not letters:
        pytest.skip("../shared/corpora is not here")
    assert not [path.name for path in letters if read(path.read_bytes()).report]


def becomes(raw: bytes, envelope_from: str) -> str:
    return judge(
        read(raw), envelope_from=envelope_from, names_ticket=False, is_ours=False, from_our_address=False
    ).outcome


@pytest.mark.parametrize(
    "words",
    [
        "We could not deliver your mail to ida@fjell.example: her mailbox is full.",
        "Levering til <ida@fjell.example> mislyktes. Your message was not delivered.",
        "ida@fjell.example: user unknown",
    ],
)
def test_the_null_sender_makes_a_report_of_words_that_a_person_may_write(words: str) -> None:
    raw = f"From: no-reply@post.fjell.example\nSubject: Hinweis\n\n{words}".encode()
    assert becomes(raw, "") == "bounce_recorded"
    assert becomes(raw, "no-reply@post.fjell.example") == "created"
    report = read(raw).report
    assert report is not None
    assert [each.recipient for each in report.failures] == ["ida@fjell.example"]


def test_a_mail_from_the_null_sender_that_reports_nothing_is_not_a_report() -> None:
    assert becomes(b"From: no-reply@post.fjell.example\nSubject: News\n\nThe new doors are there.", "") == "created"


BOUNCE = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {"emailAddress": "Ida@fjell.example", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 no such user"},
            {"emailAddress": "Per <per@fjell.example>", "status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 looks like spam"},
        ],
    },
    "mail": {"messageId": "0100-1", "headers": [{"name": "Message-ID", "value": "<a@ledgerdesk.invalid>"}]},
}  # fmt: skip


def in_json(told: object, below: str = "") -> bytes:
    return b"From: no-reply@sns.example\nSubject: Notification\n\n" + json.dumps(told).encode() + below.encode()


@pytest.mark.parametrize(
    "raw",
    [
        in_json(BOUNCE),
        in_json({"eventType" if key == "notificationType" else key: value for key, value in BOUNCE.items()}),
        in_json({"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(BOUNCE)}),
        in_json(BOUNCE, "\n\n--\nIf you wish to stop receiving notifications from this topic, click below"),
        in_json(BOUNCE).replace(b'"status"', b'"sta\r\n tus"'),
    ],
    ids=["plain", "event", "wrapped", "with a footer", "broken by a relay"],
)
def test_a_failure_in_json(raw: bytes) -> None:
    report = read(raw).report
    assert report is not None
    assert [(f.recipient, f.status, f.hard) for f in report.failures] == [
        ("ida@fjell.example", "5.1.1", True),
        ("per@fjell.example", "5.7.1", False),
    ]
    assert (report.kind, report.original_ids) == ("failure", ("<a@ledgerdesk.invalid>",))
    assert (becomes(raw, ""), becomes(raw, "ida@fjell.example")) == ("bounce_recorded", "created")


@pytest.mark.parametrize(
    ("bounce", "dead"),
    [
        ({"bounceType": "Permanent", "bounceSubType": "NoEmail"}, True),
        ({"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}, True),
        ({"bounceType": "Permanent", "bounceSubType": "General"}, True),
        ({"bounceType": "Permanent", "bounceSubType": "MailboxFull"}, False),
        ({"bounceType": "Transient", "bounceSubType": "General"}, False),
        ({"bounceType": "Undetermined"}, False),
    ],
)
def test_what_the_service_says_of_an_address_counts(bounce: dict[str, object], dead: bool) -> None:
    told = {
        "notificationType": "Bounce",
        "bounce": bounce | {"bouncedRecipients": [{"emailAddress": "a@b.example"}]},
        "mail": {},
    }
    report = read(in_json(told)).report
    assert report is not None
    assert [f.hard for f in report.failures] == [dead]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"notificationType": "Complaint", "complaint": {"complainedRecipients": []}, "mail": {}}, "complaint"),
        ({"eventType": "Delivery", "delivery": {"recipients": []}, "mail": {}}, "delivered"),
        ({"eventType": "DeliveryDelay", "deliveryDelay": {"delayedRecipients": [{"emailAddress": "a@b.example"}]}, "mail": {}}, "delay"),
    ],
)  # fmt: skip
def test_other_reports_in_json(told: object, kind: str) -> None:
    report = read(in_json(told)).report
    assert report is not None
    assert report.kind == kind


@pytest.mark.parametrize(
    "told",
    [
        {"notificationType": "Bounce"},
        {"notificationType": "Ticket", "mail": {}},
        {"event": "door", "open": True},
        {"Type": "Notification", "Message": "The door is open"},
        ["Bounce"],
        {"a": [[[[[]]]]]},
    ],
)
def test_other_json_is_a_letter(told: object) -> None:
    assert becomes(in_json(told), "monitor@fjell.example") == "created"
    assert read(in_json(told)).report is None


def test_json_nested_without_end_is_a_letter() -> None:
    assert read(b"From: a@b.example\n\n" + b'{"a":' * 40_000).report is None


def test_every_recipient_of_a_transcript_is_named() -> None:
    raw = b"""From: MAILER-DAEMON@mx.example
Subject: Returned mail: see transcript for details

   ----- The following addresses had permanent fatal errors -----
(transcript)

   ----- Transcript of session follows -----
... while talking to mx1.fjell.example.:
>>> RCPT To:<ida@fjell.example>
<<< 550 5.1.1 <ida@fjell.example>... User unknown
550 5.1.1 <ida@fjell.example>... User unknown
554 5.1.2 <per@nowhere.example>... Host unknown (Name server: nowhere.example: host not found)
452 <ola@fjord.example>... Mailbox full
"""
    report = read(raw).report
    assert report is not None
    assert {f.recipient: f.hard for f in report.failures} == {
        "ida@fjell.example": True,
        "per@nowhere.example": True,
        "ola@fjord.example": False,
    }


@pytest.mark.parametrize(
    "words",
    [
        "550 sorry, that mail box does not exist here", "553 badrcptto: ida", "550 BAD-RECIPIENT", "550 Invalid virtual userid", "550 deactivated account",
        "550 Requested action not taken: mail-box unavailable", "550 there is nobody by that name", "550 no mailbox available here for ida",
        "550 5.1.0 unlisted recipient", "550 She is no longer employed here", "550 ida is not a registered user", "550 archived recipient",
        "550 Benutzer existiert nicht", "550 Unbekannter Empfänger", "550 destinataire introuvable", "550 Usuario desconocido", "550 Destinatário inexistente",
        "550 casella non valida", "550 ontvanger onbekend", "550 Brukeren finnes ikke", "550 Modtageren er ukendt", "550 Mottagaren finns inte",
        "550 Tuntematon vastaanottaja", "550 Adres nie istnieje", "550 Neznámý uživatel", "550 A postafiók nem létezik", "550 адрес не зарегистрирован",
        "550 користувача не знайдено", "550 alıcı bilinmiyor", "550 ユーザーが見つかりません", "550 用户不存在", "550 존재하지 않는 사용자: 사용자를 찾을 수 없음",
        "550 his account was removed last week", "550 mailbox has been closed", "550 recipient dosn't exist", "550 we could not locate the user", "550 ida left our company",
        "550 the address is not valid", "550 the domain does not resolve", "550 Finner ikke adressen", "550 det gick inte att hitta postadressen", "550 mailadressen blev ikke fundet",
    ],
)  # fmt: skip
def test_more_words_for_a_dead_address(words: str) -> None:
    assert is_dead(words, "5.0.0")


@pytest.mark.parametrize(
    "words",
    [
        "450 mailbox unavailable", "550 mailbox temporarily unavailable", "452 4.2.2 user over quota", "550 Postfach voll", "550 la casella è piena", "550 buzón lleno",
        "550 postkassen er fuld", "550 brevlådan är full", "550 skrzynka jest przepełniona", "550 ящик переполнен", "550 メールボックスの容量超過", "550 邮箱已满",
        "550 the group may not exist", "550 content rejected", "550 account suspended, try again",
        "550 your sender's domain does not exist", "550 HELO host not found", "550 unknown sender",
    ],
)  # fmt: skip
def test_more_words_for_an_address_that_lives(words: str) -> None:
    assert not is_dead(words, status_of(words))


def test_a_recipient_in_another_script_is_known_by_the_one_form_of_its_address() -> None:
    report = read(STANDARD.replace(b"customer.example", "kjøp.example".encode())).report
    assert report is not None
    assert [each.recipient for each in report.failures] == ["gone@xn--kjp-1na.example", "full@xn--kjp-1na.example"]


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (
            "Non remis : Porte 4",
            "Échec de la remise pour ces destinataires :\n\nida@fjell.example\nAdresse introuvable.",
        ),
        (
            "Går inte att leverera: Dörr 4",
            "Det gick inte att leverera till:\n\nida@fjell.example\nDet gick inte att hitta adressen.",
        ),
        (
            "Kan ikke leveres: Dør 4",
            "Levering til disse mottakerne mislyktes:\n\nida@fjell.example\nFinner ikke adressen.",
        ),
    ],
)
@pytest.mark.parametrize("sender", ["postmaster@fjell.example", "nobody@fjell.example"])
def test_failures_in_other_languages_name_the_dead_address(sender: str, subject: str, words: str) -> None:
    raw = f"From: {sender}\nTo: desk@help.example\nSubject: {subject}\n\n{words}\n".encode()
    report = read(raw).report
    assert report is not None
    assert report.counts("")
    assert [(each.recipient, each.hard) for each in report.failures] == [("ida@fjell.example", True)]
