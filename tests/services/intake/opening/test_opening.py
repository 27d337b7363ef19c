"""POST /tickets and POST /tickets/{ref}/message on a real process and database."""

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.http.headers.consistency import HEADER as CONSISTENCY
from shared.http.headers.consistency import Written, decode
from shared.rules.access import Identity
from shared.rules.message_ids import make
from tests.services.intake.opening.test_uploads import sent, uploaded
from tests.services.intake.reception import (
    ADMIN,
    BACK_OFFICE,
    KARI,
    MAIL_KEY,
    OLA,
    PER,
    RECOUNT,
    SALES,
    Reception,
    mail,
)
from tests.specs.requirement import requirement

TICKET = {
    "subject": "My computer hums",
    "body": "Since this morning.",
    "customer": {"email": "Lise@Customer.Example", "name": "Lise"},
    "queue": "it",
    "priority": 4,
    "channel": "phone",
    "fields": {"room": "B 214", "floors": [1, 2]},
    "tags": ["hardware", "hardware", "noise"],
}


@requirement("A1.09", "A1.10", "A1.11", "A1.12")
def test_an_agent_opens_a_ticket_for_a_customer(intake: Reception) -> None:
    answer = intake.call("POST", "/tickets", TICKET)
    assert answer.status == 201
    assert re.fullmatch(r"20\d{6}10\d{6}", answer.body["number"])
    assert answer.headers["Location"] == f"/api/v1/tickets/{answer.body['id']}"
    ticket = uuid.UUID(answer.body["id"])
    assert decode(answer.headers[CONSISTENCY]) == (Written("intake", ticket, 1), Written("routing", ticket, 1))
    (event,) = intake.events(answer.body["id"])
    data = event["data"]
    assert (event["type"], event["actor_kind"], event["actor_id"]) == (
        "helpdesk.TicketOpened.v1",
        "agent",
        str(KARI.person_id),
    )
    assert (data["number"], data["title"], data["priority"], data["channel"]) == (
        answer.body["number"],
        TICKET["subject"],
        4,
        "phone",
    )
    assert (data["queue"]["slug"], data["opened_by"]["name"]) == ("it", "Kari")
    assert (data["customer"]["email"], data["customer"]["name"]) == ("lise@customer.example", "Lise")
    assert (data["tags"], data["fields"]) == (["hardware", "noise"], {"room": "B 214", "floors": [1, 2]})
    assert data["receipt"] is False


def test_a_customer_opens_for_themselves(intake: Reception) -> None:
    answer = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "sales"}, who=PER)
    assert answer.status == 201
    (event,) = intake.events(answer.body["id"])
    customer = event["data"]["customer"]
    assert (customer["email"], customer["company"]) == ("per@customer.example", "acme")
    assert (event["data"].get("receipt", True), event["data"].get("opened_by"), event["actor_kind"]) == (
        True,
        None,
        "customer",
    )


@pytest.mark.parametrize("reference", ["back-office", str(BACK_OFFICE.id), BACK_OFFICE.id.hex, "BACK-OFFICE"])
def test_a_queue_that_is_not_offered_to_customers_does_not_exist_for_them(intake: Reception, reference: str) -> None:
    made_up = str(uuid.uuid4()) if reference[0].isdigit() else "nothing-at-all"
    there, not_there = (
        intake.call("POST", "/tickets", {"subject": "x", "body": "x", "queue": queue}, who=PER)
        for queue in (reference, made_up)
    )
    assert there.status == not_there.status == 422
    assert there.body | {"trace_id": ""} == not_there.body | {"trace_id": ""}


@pytest.mark.parametrize("reference", ["sales", str(SALES.id), "invoices", "post-room", "postmaster", None])
def test_customers_open_where_mail_or_a_topic_of_theirs_leads_and_in_the_default_queue(
    intake: Reception, reference: str | None
) -> None:
    queue = {"queue": reference} if reference is not None else {}
    answer = intake.call("POST", "/tickets", {"subject": "x", "body": "x", **queue}, who=PER)
    assert answer.status == 201
    (event,) = intake.events(answer.body["id"])
    assert event["data"]["queue"]["slug"] == {str(SALES.id): "sales", None: "postmaster"}.get(reference, reference)


def test_a_topic_tells_an_agent_who_may_not_use_it_no_queue(intake: Reception) -> None:
    body = {"subject": "x", "body": "x", "customer": {"email": "a@b.example"}, "channel": "phone"}
    for more in ({"topic": "internal"}, {}):
        answer = intake.call("POST", "/tickets", body | more, who=KARI)
        assert answer.status == 403
        assert not {"office", "postmaster"} & set(re.findall(r"[a-z]+", answer.raw.decode().lower()))


@requirement("A1.29")
def test_without_a_queue_it_is_the_default_queue(intake: Reception) -> None:
    answer = intake.call("POST", "/tickets", {k: v for k, v in TICKET.items() if k != "queue"}, who=ADMIN)
    assert intake.events(answer.body["id"])[0]["data"]["queue"]["slug"] == "postmaster"


def test_the_same_key_gives_the_first_answer(intake: Reception) -> None:
    key = str(uuid.uuid4())
    first = intake.call("POST", "/tickets", TICKET, Idempotency_Key=key)
    again = intake.call("POST", "/tickets", TICKET, Idempotency_Key=key)
    assert (again.status, again.body) == (201, first.body)
    assert (again.headers["Idempotent-Replayed"], first.headers["Idempotent-Replayed"]) == ("true", None)
    assert again.headers["Location"] == first.headers["Location"]
    other = intake.call("POST", "/tickets", TICKET | {"subject": "other"}, Idempotency_Key=key)
    assert (other.status, other.body["type"]) == (422, "/problems/idempotency-key-reused")
    somebody_elses = intake.call("POST", "/tickets", TICKET, who=ADMIN, Idempotency_Key=key)
    assert somebody_elses.body["id"] != first.body["id"]


def test_a_repeat_gets_the_first_answer_whatever_its_sender_may_do_by_now(intake: Reception) -> None:
    no_agent_any_more = KARI.model_copy(update={"kind": "customer", "roles": ("customer",)})
    opening, writing = str(uuid.uuid4()), str(uuid.uuid4())
    first = intake.call("POST", "/tickets", TICKET, Idempotency_Key=opening)
    words = {"text": "She rang again.", "on_behalf_of": "lise@customer.example"}
    message = f"/tickets/{first.body['id']}/message"
    written = intake.call("POST", message, words, Idempotency_Key=writing)
    assert (first.status, written.status) == (201, 200)
    assert intake.call("POST", "/tickets", TICKET, who=no_agent_any_more).status == 422
    assert intake.call("POST", message, words, who=no_agent_any_more).status == 404
    again = intake.call("POST", "/tickets", TICKET, who=no_agent_any_more, Idempotency_Key=opening)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true")
    again = intake.call("POST", message, words, who=no_agent_any_more, Idempotency_Key=writing)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (200, written.body, "true")
    other = intake.call("POST", message, words | {"text": "x"}, who=no_agent_any_more, Idempotency_Key=writing)
    assert (other.status, other.body["type"]) == (422, "/problems/idempotency-key-reused")


def test_one_key_many_times_at_once_is_one_ticket(intake: Reception) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: intake.call("POST", "/tickets", TICKET, Idempotency_Key=key), range(16)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body["id"] for answer in answers if answer.status == 201}) == 1


@requirement("A2.01")
def test_many_at_once_have_many_numbers_and_one_customer(intake: Reception) -> None:
    ticket = TICKET | {"customer": {"email": f"{uuid.uuid4()}@customer.example"}}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: intake.call("POST", "/tickets", ticket), range(40)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["number"] for answer in answers}) == 40
    customers = {intake.events(answer.body["id"])[0]["data"]["customer"]["id"] for answer in answers}
    assert len(customers) == 1
    assert [event["type"] for event in intake.events(customers.pop())] == ["helpdesk.CustomerRegistered.v1"]


def test_a_long_text_is_a_blob_and_its_beginning(intake: Reception) -> None:
    text = "æ" * 100_000
    answer = intake.call("POST", "/tickets", TICKET | {"body": text})
    message = intake.events(answer.body["id"])[0]["data"]["message"]
    assert message["text"] == "æ" * (32 * 1024)
    sha256 = message["text_blob"]["sha256"]
    assert (intake.blobs / sha256[:2] / sha256).read_text() == text


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"subject": ""}, "/subject"),
        ({"subject": "   "}, "/subject"),
        ({"subject": "x" * 301}, "/subject"),
        ({"subject": "x\r\nBcc: a@b.example"}, "/subject"),
        ({"subject": 3}, "/subject"),
        ({"subject": "a\x00b"}, "/subject"),
        ({"body": "a\x00b"}, "/body"),
        ({"body": None}, "/body"),
        ({"body": "x" * 1_000_001}, "/body"),
        ({"customer": None}, "/customer"),
        ({"customer": {"email": "no"}}, "/customer/email"),
        ({"customer": {"email": "a@b.example\r\nBcc: c@d.example"}}, "/customer/email"),
        ({"customer": {"email": "a@b.example", "id": 3}}, "/customer/id"),
        ({"queue": "no-such"}, "/queue"),
        ({"queue": "sales"}, "/queue"),
        ({"queue": str(uuid.UUID(int=1))}, "/queue"),
        ({"queue": 11}, "/queue"),
        ({"priority": 0}, "/priority"),
        ({"priority": "3"}, "/priority"),
        ({"priority": 3.5}, "/priority"),
        ({"priority": 10**30}, "/priority"),
        ({"channel": "fax"}, "/channel"),
        ({"tags": ["x"] * 51}, "/tags"),
        ({"tags": [""]}, "/tags/0"),
        ({"tags": "x"}, "/tags"),
        ({"fields": {"a": {"b": 1}}}, "/fields"),
        ({"fields": {"a": [[1]]}}, "/fields"),
        ({"fields": {"a": "x" * 70_000}}, "/fields"),
        ({"fields": {str(n): n for n in range(101)}}, "/fields"),
        ({"attachments": ["3e8c"]}, "/attachments/0"),
        ({"attachments": ["x"] * 11_000}, "/attachments"),
    ],
)
def test_an_invalid_field_is_named_with_its_pointer(intake: Reception, change: dict[str, Any], pointer: str) -> None:
    answer = intake.call("POST", "/tickets", TICKET | change)
    assert answer.status == 422, answer.raw[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert next(error["pointer"] for error in answer.body["errors"]).startswith(pointer)


@pytest.mark.parametrize(
    "raw", [b"{", b"", b"[]", b"3", b"\xff", b'{"subject": NaN}', b'{"a":' * 1_000, b'"' + b"\xed\xa0\x80" + b'"']
)
def test_a_body_that_is_not_json_is_refused(intake: Reception, raw: bytes) -> None:
    answer = intake.call("POST", "/tickets", raw=raw)
    assert answer.status == 422
    assert answer.body["errors"]


@pytest.mark.parametrize(
    ("who", "ticket", "status"),
    [
        (None, TICKET, 401),
        (OLA, TICKET, 403),
        (KARI, {k: v for k, v in TICKET.items() if k != "queue"}, 403),
        (PER, TICKET, 422),
        (PER, {"subject": "x", "body": "y", "channel": "phone"}, 422),
    ],
)
def test_people_who_may_not_open_tickets(
    intake: Reception, who: Identity | None, ticket: dict[str, Any], status: int
) -> None:
    assert intake.call("POST", "/tickets", ticket, who=who).status == status


def test_a_customer_and_an_agent_add_the_customers_words(intake: Reception) -> None:
    opened = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body
    by_number = intake.call("POST", f"/tickets/{opened['number']}/message", {"text": "It is loud."}, who=PER)
    assert (by_number.status, by_number.body["version"]) == (200, 2)
    assert decode(by_number.headers[CONSISTENCY]) == (Written("intake", uuid.UUID(opened["id"]), 2),)
    for_them = {"html": "<p>And <b>hot</b><script>x</script></p>", "on_behalf_of": "lise@customer.example"}
    by_agent = intake.call("POST", f"/tickets/{opened['id']}/message", for_them)
    assert (by_agent.status, by_agent.body["version"]) == (200, 3)
    _, first, second = intake.events(opened["id"])
    assert (first["data"]["message"]["text"], first["data"]["customer"]["email"]) == (
        "It is loud.",
        "per@customer.example",
    )
    assert (second["data"]["message"]["text"], second["data"]["customer"]["email"]) == (
        "And hot",
        "lise@customer.example",
    )
    assert (second["actor_kind"], second["data"]["message"]["id"]) == ("agent", by_agent.body["article_id"])
    assert "script" not in second["data"]["message"]["html"]


def test_a_message_twice_with_one_key_is_one(intake: Reception) -> None:
    ticket = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body["id"]
    key = str(uuid.uuid4())
    first, again = (
        intake.call("POST", f"/tickets/{ticket}/message", {"text": "x"}, who=PER, Idempotency_Key=key) for _ in range(2)
    )
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert len(intake.events(ticket)) == 2


def test_many_messages_at_once_are_all_kept(intake: Reception) -> None:
    ticket = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body["id"]

    def say(number: int) -> int:
        key = str(uuid.uuid4())
        while True:
            answer = intake.call(
                "POST", f"/tickets/{ticket}/message", {"text": str(number)}, who=PER, Idempotency_Key=key
            )
            if answer.status != 409:
                return answer.status

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(say, range(18))) == {200}
    events = intake.events(ticket)
    assert [event["version"] for event in events] == list(range(1, 20))
    assert {event["data"]["message"]["text"] for event in events[1:]} == {str(n) for n in range(18)}


@pytest.mark.parametrize(
    ("who", "reference", "body", "status"),
    [
        (PER, None, {}, 422),
        (PER, None, {"text": "  "}, 422),
        (PER, None, {"text": "x", "on_behalf_of": "else@customer.example"}, 422),
        (PER, None, {"text": "x", "attachments": ["x"]}, 422),
        (KARI, None, {"text": "x"}, 422),
        (OLA, None, {"text": "x", "on_behalf_of": "per@customer.example"}, 403),
        (
            PER.model_copy(update={"person_id": uuid.UUID(int=4), "email": "else@customer.example"}),
            None,
            {"text": "x"},
            404,
        ),
        (KARI, str(uuid.UUID(int=1)), {"text": "x"}, 404),
        (KARI, "2011010110000011", {"text": "x"}, 404),
        (KARI, "nonsense", {"text": "x"}, 404),
        (KARI, "%00", {"text": "x"}, 404),
    ],
)
def test_messages_that_are_refused(
    intake: Reception, who: Identity, reference: str | None, body: dict[str, Any], status: int
) -> None:
    ticket = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body["id"]
    answer = intake.call("POST", f"/tickets/{reference or ticket}/message", body, who=who)
    assert answer.status == status or (reference == "%00" and answer.status == 422), answer.raw
    assert json.loads(answer.raw)["status"] == answer.status


def test_people_of_one_company_write_on_each_others_tickets(intake: Reception) -> None:
    ticket = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body["id"]
    colleague = PER.model_copy(
        update={"person_id": uuid.UUID(int=6), "email": "colleague@acme.example", "company": "acme"}
    )
    assert intake.call("POST", f"/tickets/{ticket}/message", {"text": "me too"}, who=colleague).status == 200


@requirement("A5.08")
def test_only_the_customer_closes_with_a_message(intake: Reception) -> None:
    ticket = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body["id"]
    for_them = {"text": "Works.", "close": True, "on_behalf_of": "per@customer.example"}
    refused = intake.call("POST", f"/tickets/{ticket}/message", for_them)
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/close")
    assert intake.call("POST", f"/tickets/{ticket}/message", {"text": "Works.", "close": True}, who=PER).status == 200
    _, received = intake.events(ticket)
    assert received["data"]["closes"] is True


def merge(intake: Reception, one: str, into: str | None) -> None:
    """Puts intake's table in the state after routing's events of a merge or its undo."""
    intake.rows(
        "UPDATE intake.tickets SET goes_on_in = $2 WHERE ticket_id = $1", uuid.UUID(one), into and uuid.UUID(into)
    )


@requirement("A7.19")
def test_mails_for_a_merged_ticket_go_to_the_target_until_the_merge_is_undone(intake: Reception) -> None:
    one, two, three = (intake.hand_in(mail(f"Matter {n}"))["ticket"] for n in range(3))
    merge(intake, one["id"], two["id"])
    merge(intake, two["id"], three["id"])
    by_number = intake.call("POST", f"/tickets/{one['number']}/message", {"text": "by number"}, who=PER)
    assert (by_number.status, by_number.body["version"]) == (200, 2)
    assert decode(by_number.headers[CONSISTENCY]) == (Written("intake", uuid.UUID(three["id"]), 2),)
    assert intake.call("POST", f"/tickets/{one['id']}/message", {"text": "by id"}, who=PER).status == 200
    ours = make(MAIL_KEY.encode(), uuid.UUID(two["id"]), uuid.uuid4(), "help.example")
    for told in (intake.hand_in(mail(f"Re: [Ticket#{one['number']}] x")), intake.hand_in(mail(In_Reply_To=ours))):
        assert (told["outcome"], told["ticket"]) == ("appended", three)
    assert [len(intake.events(each["id"])) for each in (one, two, three)] == [1, 1, 5]
    assert {event["data"]["number"] for event in intake.events(three["id"])} == {three["number"]}
    merge(intake, one["id"], None)
    assert intake.hand_in(mail(f"Re: [Ticket#{one['number']}] x"))["ticket"] == one
    assert intake.hand_in(mail(f"Re: [Ticket#{two['number']}] x"))["ticket"] == three


@requirement("A7.19", "A19.03")
def test_a_customer_goes_on_writing_to_their_ticket_that_went_into_somebody_elses(intake: Reception) -> None:
    lise = PER.model_copy(update={"person_id": uuid.UUID(int=5), "email": "lise@other.example", "company": None})
    hers = intake.call("POST", "/tickets", {"subject": "Hers", "body": "x", "queue": "it"}, who=lise).body
    his = intake.call("POST", "/tickets", {"subject": "His", "body": "x", "queue": "it"}, who=PER).body
    assert intake.call("POST", f"/tickets/{hers['number']}/message", {"text": "x"}, who=PER).status == 404
    merge(intake, hers["id"], his["id"])
    assert intake.call("POST", f"/tickets/{hers['number']}/message", {"text": "still mine"}, who=lise).status == 200
    assert intake.events(his["id"])[1]["data"]["customer"]["email"] == "lise@other.example"
    assert intake.call("POST", f"/tickets/{his['number']}/message", {"text": "x"}, who=lise).status == 404
    stranger = PER.model_copy(update={"person_id": uuid.UUID(int=4), "email": "else@customer.example"})
    assert intake.call("POST", f"/tickets/{hers['number']}/message", {"text": "x"}, who=stranger).status == 404
    for_her = {"text": "x", "on_behalf_of": "lise@other.example"}
    assert intake.call("POST", f"/tickets/{hers['number']}/message", for_her, who=OLA).status == 403


@requirement("A3.06", "A7.28")
def test_who_may_write_follows_moves_and_changes_of_the_customer(intake: Reception) -> None:
    ticket = intake.call("POST", "/tickets", {"subject": "Mine", "body": "x", "queue": "it"}, who=PER).body["id"]
    lise = PER.model_copy(update={"person_id": uuid.UUID(int=5), "email": "lise@other.example", "company": None})
    for_them = {"text": "x", "on_behalf_of": "per@customer.example"}
    path = f"/tickets/{ticket}/message"
    assert [intake.call("POST", path, {"text": "x"}, who=who).status for who in (PER, lise)] == [200, 404]
    assert intake.call("POST", path, for_them, who=KARI).status == 200
    intake.rows(
        "UPDATE intake.tickets SET queue_id = $2, email = 'lise@other.example', desk_customer = $3 WHERE ticket_id = $1",
        uuid.UUID(ticket), SALES.id, lise.person_id,
    )  # fmt: skip
    assert [intake.call("POST", path, {"text": "x"}, who=who).status for who in (PER, lise)] == [404, 200]
    assert intake.call("POST", path, for_them, who=KARI).status == 404


@requirement("A1.07", "A21.09", "A4.02", "A4.07")
def test_customers_choose_what_is_offered_and_fields_have_their_type(intake: Reception) -> None:
    ticket: dict[str, Any] = {"subject": "Mine", "body": "x", "queue": "it"}
    refused = intake.call("POST", "/tickets", ticket | {"priority": 1}, who=PER)
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/priority")
    assert intake.call("POST", "/tickets", ticket | {"priority": 2}, who=PER).status == 201
    assert intake.call("POST", "/tickets", ticket, who=PER).status == 201  # the default is not offered, nor chosen
    assert intake.call("POST", "/tickets", TICKET | {"priority": 1}).status == 201
    for value, status in ((3, 201), ("third", 422), (True, 422), (None, 201)):
        answer = intake.call("POST", "/tickets", TICKET | {"fields": {"floor": value}})
        assert answer.status == status, answer.raw
        assert status == 201 or answer.body["errors"][0]["pointer"] == "/fields/floor"
    assert intake.call("POST", "/tickets", TICKET | {"fields": {}}).status == 201  # needed for closing only


@requirement("A1.06", "A1.07", "A1.08", "A7.24", "A7.25", "A14.19")
def test_a_topic_asks_for_fields_and_a_file_and_the_ticket_keeps_the_form(intake: Reception) -> None:
    asked: dict[str, Any] = {"subject": "Too much", "body": "See the form.", "topic": "recount"}
    for more, pointers in (
        ({}, ["/fields/floor", "/attachments"]),
        ({"fields": {"floor": "third"}}, ["/fields/floor"]),
        ({"queue": "it"}, [""]),
        ({"topic": "unknown"}, ["/topic"]),
        ({"topic": "nowhere"}, ["/topic"]),
    ):
        refused = intake.call("POST", "/tickets", asked | more, who=PER)
        assert refused.status == 422, refused.raw
        assert [error["pointer"] for error in refused.body["errors"]] == pointers
    (file,) = uploaded(intake, sent("sheet.csv", b"1;2"), who=PER)
    filled = asked | {"fields": {"floor": 3, "note": "x"}, "attachments": [file["id"]]}
    opened = intake.call("POST", "/tickets", filled, who=PER)
    assert opened.status == 201, opened.raw
    (event,) = intake.events(opened.body["id"])
    assert event["data"]["queue"]["slug"] == "sales"
    assert event["data"]["form"] == {
        "topic": {"id": str(RECOUNT.id), "slug": "recount", "name": "Recalculation"},
        "fields": [{"field": "floor", "name": "Floor", "value": 3}],
    }
    assert event["data"]["fields"] == {"floor": 3, "note": "x"}
    # Kari may not open tickets in the topic's queue.
    assert (
        intake.call("POST", "/tickets", TICKET | {"queue": None, "topic": "recount", "fields": {"floor": 1}}).status
        == 403
    )
