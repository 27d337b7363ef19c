"""Mails over HTTP: what becomes of them, and that none is lost or taken twice."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.rules.access import Identity
from shared.rules.message_ids import make
from tests.services.intake.reception import ADMIN, KARI, MAIL_KEY, PER, PIPE, Answer, Reception, mail
from tests.specs.requirement import requirement


@requirement("A1.01", "A1.02", "A2.01")
def test_a_mail_becomes_a_ticket_in_its_queue(intake: Reception) -> None:
    told = intake.hand_in(mail("Prøve", Cc="b@c.example"))
    assert (told["outcome"], told["reason"]) == ("created", "a new question")
    (event,) = intake.events(told["ticket"]["id"])
    data = event["data"]
    assert (data["number"], data["queue"]["slug"], data["channel"], data.get("receipt", True)) == (
        told["ticket"]["number"],
        "it",
        "email",
        True,
    )
    assert (data["customer"]["email"], data["customer"]["name"], data["customer"]["company"]) == (
        "per@customer.example", "Per Hansen", "acme",
    )  # fmt: skip
    message = data["message"]
    assert (message["text"], message["subject"], message["mail"]) == ("Since this morning.", "Prøve", told["id"])
    assert ([a["email"] for a in message["to"]], [a["email"] for a in message["cc"]]) == (
        ["it@help.example"],
        ["b@c.example"],
    )


@requirement("A1.02", "A1.29")
@pytest.mark.parametrize(
    ("recipient", "to", "queue"),
    [
        ("it@help.example", "sales@help.example", "it"),
        ("IT@Help.Example", "", "it"),
        ("it+printer@help.example", "", "it"),
        ("forwarder@help.example", "Sales <sales@help.example>", "sales"),
        ("forwarder@help.example", "somebody@help.example", "postmaster"),
    ],
)
def test_the_queue_is_that_of_the_recipient(intake: Reception, recipient: str, to: str, queue: str) -> None:
    told = intake.hand_in(mail(To=to), recipient=recipient)
    assert intake.events(told["ticket"]["id"])[0]["data"]["queue"]["slug"] == queue


def test_the_same_mail_again_gets_the_same_answer(intake: Reception) -> None:
    raw = mail()
    first = intake.hand_in(raw)
    assert intake.hand_in(raw, sender="other@customer.example", recipient="sales@help.example") == first
    assert intake.hand_in(b"Received: from a\r\n\tby b\r\nDelivered-To: it@help.example\r\n" + raw) == first
    intake.deliver(raw)
    assert len(intake.events(first["ticket"]["id"])) == 1


def test_the_same_mail_by_another_way_is_kept_too_and_opens_nothing(intake: Reception) -> None:
    raw = mail()
    first = intake.hand_in(raw)
    listed = b"Received: from a list\r\n" + raw
    copy = intake.hand_in(listed, sender="list-bounces@lists.example")
    assert (copy["outcome"], copy["ticket"]) == (first["outcome"], first["ticket"])
    assert copy["id"] != first["id"]
    assert intake.hand_in(listed, sender="list-bounces@lists.example") == copy
    for told, sent in ((first, raw), (copy, listed)):
        assert intake.call("GET", f"/mails/{told['id']}/raw", who=ADMIN).raw == sent
    assert intake.call("POST", f"/mails/{copy['id']}/process", who=ADMIN).body["ticket"] == first["ticket"]
    assert len(intake.events(first["ticket"]["id"])) == 1


def test_the_same_mail_many_times_at_once_is_one_ticket(intake: Reception) -> None:
    raw = mail(From=f"New <{uuid.uuid4()}@customer.example>")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: intake.hand_in(raw), range(16)))
    assert len({str(answer) for answer in answers}) == 1
    assert len(intake.events(answers[0]["ticket"]["id"])) == 1


def test_many_first_mails_of_one_person_make_one_customer(intake: Reception) -> None:
    sender = f"New <{uuid.uuid4()}@customer.example>"
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: intake.hand_in(mail(From=sender)), range(16)))
    customers = {intake.events(answer["ticket"]["id"])[0]["data"]["customer"]["id"] for answer in answers}
    assert len(customers) == 1
    assert len(intake.events(customers.pop())) == 1


@requirement("A2.07", "A2.08")
@pytest.mark.parametrize("prefix", ["Re: ", "AW: ", "SV: Re: ", "Videresend: "])
def test_the_number_in_the_subject_threads(intake: Reception, prefix: str) -> None:
    ticket = intake.hand_in(mail())["ticket"]
    told = intake.hand_in(mail(f"{prefix}[Ticket#{ticket['number']}] My computer hums"))
    assert (told["outcome"], told["ticket"]) == ("appended", ticket)
    event = intake.events(ticket["id"])[1]
    assert (event["type"], event["data"]["threaded_by"]) == ("helpdesk.CustomerMessageReceived.v1", "subject")


@requirement("A2.09")
def test_our_own_message_id_threads_whatever_the_subject(intake: Reception) -> None:
    ticket, other = intake.hand_in(mail())["ticket"], intake.hand_in(mail())["ticket"]
    ours = make(MAIL_KEY.encode(), uuid.UUID(ticket["id"]), uuid.uuid4(), "help.example")
    for fields in ({"In_Reply_To": ours}, {"References": f"<x@y> {ours.upper()} <z@y>"}):
        told = intake.hand_in(mail(f"[Ticket#{other['number']}] x", **fields))
        assert (told["outcome"], told["ticket"]) == ("appended", ticket)
    assert intake.events(ticket["id"])[1]["data"]["threaded_by"] == "reference"


def test_a_forged_message_id_names_nothing(intake: Reception) -> None:
    ticket = intake.hand_in(mail())["ticket"]
    forged = make(b"another key", uuid.UUID(ticket["id"]), uuid.uuid4(), "help.example")
    assert intake.hand_in(mail(In_Reply_To=forged))["outcome"] == "created"


@requirement("A2.09")
def test_a_customers_own_message_id_threads(intake: Reception) -> None:
    ticket = intake.hand_in(mail(Message_ID="<Mine@Customer.example>"))["ticket"]
    told = intake.hand_in(
        mail("something else", Message_ID="<two@customer.example>", References="<mine@customer.example>")
    )
    assert (told["outcome"], told["ticket"]) == ("appended", ticket)
    assert intake.hand_in(mail("more", In_Reply_To="<two@customer.example>"))["ticket"] == ticket


@requirement("A2.05")
@pytest.mark.parametrize("number", ["2013062910000610", "1", "99999999999999999999999999999999"])
def test_an_unknown_number_opens_a_ticket(intake: Reception, number: str) -> None:
    assert intake.hand_in(mail(f"Re: [Ticket#{number}] x"))["outcome"] == "created"


def test_our_own_mail_coming_back_is_ignored(intake: Reception) -> None:
    ticket = intake.hand_in(mail())["ticket"]
    ours = make(MAIL_KEY.encode(), uuid.UUID(ticket["id"]), uuid.uuid4(), "help.example")
    told = intake.hand_in(mail(f"Re: [Ticket#{ticket['number']}] x", Message_ID=ours))
    assert (told["outcome"], len(intake.events(ticket["id"]))) == ("ignored", 1)


def test_automatic_mail_never_reopens_and_never_gets_a_receipt(intake: Reception) -> None:
    ticket = intake.hand_in(mail())["ticket"]
    subject = f"Re: [Ticket#{ticket['number']}] My computer hums"
    away = intake.hand_in(mail(subject, Auto_Submitted="auto-replied"))
    assert (away["outcome"], away["ticket"]) == ("auto_reply_recorded", ticket)
    report = mail(
        subject,
        Content_Type='multipart/report; report-type="delivery-status"; boundary=x',
        text="--x\r\n\r\nfailed\r\n--x--",
    )
    assert intake.hand_in(report, sender="<>")["outcome"] == "bounce_recorded"
    # The absence notice is in the ticket, where an agent sees it; a report that names no mail of the desk is only in
    # the list of mails.
    assert [event["type"] for event in intake.events(ticket["id"])] == [
        "helpdesk.TicketOpened.v1",
        "helpdesk.AutomaticMailReceived.v1",
    ]
    news = intake.hand_in(mail("News", Precedence="list"))
    assert (news["outcome"], intake.events(news["ticket"]["id"])[0]["data"]["receipt"]) == ("created", False)


def test_a_report_belongs_to_the_ticket_whose_mail_it_returns(intake: Reception) -> None:
    ticket = intake.hand_in(mail())["ticket"]
    ours = make(MAIL_KEY.encode(), uuid.UUID(ticket["id"]), uuid.uuid4(), "help.example")
    status = "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; per@customer.example\r\n"
    report = mail(
        "Undelivered Mail Returned to Sender",
        From="mailer-daemon@mx.example",
        Content_Type='multipart/report; report-type="delivery-status"; boundary=x',
        text=f"--x\r\n\r\nfailed\r\n--x\r\n{status}Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\r\n"
        f"--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {ours}\r\n--x--",
    )
    told = intake.hand_in(report, sender="<>")
    assert (told["outcome"], told["ticket"]) == ("bounce_recorded", ticket)
    assert intake.call("GET", f"/mails/{told['id']}", who=ADMIN).body["bounces"] == [
        {
            "recipient": "per@customer.example",
            "status": "5.1.1",
            "hard": True,
            "diagnostic": "550 5.1.1 User unknown",
        }
    ]
    _, received = intake.events(ticket["id"])
    assert (received["type"], received["data"]["kind"], received["data"]["about"]) == (
        "helpdesk.AutomaticMailReceived.v1",
        "failure",
        ours,
    )
    assert received["data"]["recipients"][0]["hard"] is True


def test_what_is_new_in_a_reply_is_told_beside_the_whole(intake: Reception) -> None:
    ticket = intake.hand_in(mail(text="It hums."))["ticket"]
    ours = make(MAIL_KEY.encode(), uuid.UUID(ticket["id"]), uuid.uuid4(), "help.example")
    words = "Still.\r\n\r\nOn Mon, 23 Nov 2026 at 10:00, IT <it@help.example> wrote:\r\n> Does it?"
    intake.hand_in(mail(In_Reply_To=ours, text=words))
    first, answer = (event["data"]["message"] for event in intake.events(ticket["id"]))
    assert "new_text" not in first
    assert (answer["new_text"], answer["text"]) == ("Still.", words.replace("\r\n", "\n"))


def test_files_are_blobs(intake: Reception) -> None:
    raw = mail(
        Content_Type="multipart/mixed; boundary=x",
        text="--x\r\n\r\nsee the file\r\n--x\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\r\n--x--",
    )
    message = intake.events(intake.hand_in(raw)["ticket"]["id"])[0]["data"]["message"]
    (attachment,) = message["attachments"]
    assert (message["text"], attachment["name"], attachment["blob"]["type"]) == (
        "see the file",
        "a.pdf",
        "application/pdf",
    )
    sha256 = attachment["blob"]["sha256"]
    assert (intake.blobs / sha256[:2] / sha256).read_bytes() == b"%PDF"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00",
        b"no header at all",
        b"From: \xff\xfe\r\nSubject: =?x?q?\x00?=\r\n\r\n\x00\xff",
        b"From: " + b"a" * 100_000 + b"@b.example\r\n\r\nx",
        b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n" + b"\x01" * 1_000_000,
        b"To: " + b"a@b.example, " * 100_000 + b"\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + b"--x\r\nContent-Disposition: attachment\r\n\r\ny%d\r\n" * 300,
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 100_000 + b"deep",
        b"x" * 31_000_000,
    ],
    ids=["nul", "no header", "bytes", "long address", "long everything", "recipients", "parts", "nested html", "31 MB"],
)
def test_any_bytes_are_kept_as_they_came(intake: Reception, raw: bytes) -> None:
    told = intake.hand_in(raw)
    assert told["outcome"] == "created"
    assert intake.call("GET", f"/mails/{told['id']}/raw", who=ADMIN).raw == raw
    (event,) = intake.events(told["ticket"]["id"])
    assert event["data"]["title"]
    if b"@" not in raw:
        assert event["data"]["customer"]["email"] == "per@customer.example"


def test_a_mail_without_any_sender_is_kept(intake: Reception) -> None:
    told = intake.hand_in(b"Subject: who am I\r\n\r\nx", sender="")
    data = intake.events(told["ticket"]["id"])[0]["data"]
    assert (told["outcome"], data["customer"]["email"], data["receipt"]) == ("created", "", False)


def test_what_arrived_is_listed_newest_first(intake: Reception) -> None:
    ids = [intake.hand_in(mail())["id"] for _ in range(3)]
    first = intake.call("GET", "/mails?limit=2", who=ADMIN).body
    second = intake.call("GET", f"/mails?limit=2&cursor={first['next_cursor']}", who=ADMIN).body
    assert [item["id"] for item in [*first["items"], *second["items"]]][:3] == ids[::-1]
    shown = intake.call("GET", f"/mails/{ids[0]}", who=ADMIN).body
    assert (shown["outcome"], shown["from"], shown["bounces"]) == ("created", "per@customer.example", [])
    assert shown["received_at"].endswith("Z")


def test_handling_a_mail_again_that_is_a_ticket_changes_nothing(intake: Reception) -> None:
    told = intake.hand_in(mail())
    again = intake.call("POST", f"/mails/{told['id']}/process", who=ADMIN)
    assert (again.status, again.body) == (200, told)
    assert len(intake.events(told["ticket"]["id"])) == 1


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [
        ("GET", "/mails", KARI, 403),
        ("GET", "/mails", PER, 403),
        ("GET", "/mails", None, 401),
        ("GET", f"/mails/{uuid.UUID(int=1)}", ADMIN, 404),
        ("GET", f"/mails/{uuid.UUID(int=1)}/raw", ADMIN, 404),
        ("POST", f"/mails/{uuid.UUID(int=1)}/process", ADMIN, 404),
        ("GET", "/mails/nonsense", ADMIN, 404),
        ("GET", "/mails?limit=0", ADMIN, 422),
        ("GET", "/mails?limit=201", ADMIN, 422),
        ("GET", "/mails?colour=red", ADMIN, 422),
        ("GET", "/mails?cursor=abc", ADMIN, 422),
    ],
)
def test_mails_are_for_administrators(
    intake: Reception, method: str, path: str, who: Identity | None, status: int
) -> None:
    assert intake.call(method, path, who=who).status == status


@pytest.mark.parametrize(
    ("headers", "who", "raw", "status"),
    [
        ({"X_Envelope_To": "it@help.example"}, PIPE, b"x", 422),
        ({"X_Envelope_From": "a@b.example"}, PIPE, b"x", 422),
        ({"X_Envelope_From": "a@b.example", "X_Envelope_To": "x" * 600}, PIPE, b"x", 422),
        ({"X_Envelope_From": "a b@c.example", "X_Envelope_To": "it@help.example"}, PIPE, b"x", 422),
        ({"X_Envelope_From": "<>", "X_Envelope_To": "a@b.example," * 1_001}, PIPE, b"x", 422),
        ({"X_Envelope_From": "<>", "X_Envelope_To": "it@help.example"}, PIPE, b"", 422),
        ({"X_Envelope_From": "<>", "X_Envelope_To": "it@help.example"}, KARI, b"x", 403),
        (
            {"X_Envelope_From": "<>", "X_Envelope_To": "it@help.example"},
            ADMIN.model_copy(update={"scopes": ("read",)}),
            b"x",
            403,
        ),
        ({"X_Envelope_From": "<>", "X_Envelope_To": "it@help.example", "Content_Type": "text/plain"}, PIPE, b"x", 415),
        ({"X_Envelope_From": "<>", "X_Envelope_To": "it@help.example"}, PIPE, b"x" * (33 << 20), 413),
    ],
)
def test_mails_over_http_that_are_refused(
    intake: Reception, headers: dict[str, str], who: Identity, raw: bytes, status: int
) -> None:
    try:
        answer = intake.call("POST", "/mail", who=who, raw=raw, **({"Content_Type": "message/rfc822"} | headers))
    except (ConnectionError, OSError):
        assert status == 413, "the server closed the connection before the body was sent"
        return
    assert answer.status == status, answer.raw[:200]


def test_one_key_is_one_mail(intake: Reception) -> None:
    def hand_in(raw: bytes, key: str) -> Answer:
        return intake.call(
            "POST",
            "/mail",
            who=PIPE,
            raw=raw,
            Content_Type="message/rfc822",
            X_Envelope_From="per@customer.example",
            X_Envelope_To="it@help.example",
            Idempotency_Key=key,
        )

    raw, key = mail(), str(uuid.uuid4())
    first, again = hand_in(raw, key), hand_in(raw, key)
    assert (again.status, again.body) == (202, first.body)
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == (None, "true")
    assert hand_in(mail(), key).status == 422
    other = str(uuid.uuid4())
    assert hand_in(raw, other).body == first.body
    assert hand_in(mail(), other).status == 422
    ignored = mail(Auto_Submitted="auto-replied")
    third = str(uuid.uuid4())
    assert hand_in(ignored, third).body == hand_in(ignored, third).body


def test_the_client_of_a_mail_may_be_named_in_headers(intake: Reception) -> None:
    def handed_in(client: str) -> Answer:
        return intake.call(
            "POST", "/mail", who=PIPE, raw=mail(), Content_Type="message/rfc822", X_Envelope_From="per@customer.example",
            X_Envelope_To="it@help.example", X_Client_Address=client, X_Client_Helo="mx.acme.example",
        )  # fmt: skip

    taken = handed_in("203.0.113.7")
    assert taken.status == 202
    (row,) = intake.rows(
        "SELECT found ->> 'client' AS client FROM intake.mails WHERE mail_id = $1::text::uuid", taken.body["id"]
    )
    assert row["client"] == "203.0.113.7"
    refused = handed_in("mx.acme.example")
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/header/x-client-address")
