"""POST /blobs, and files of tickets and messages, on a real process."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.rules.access import Identity
from tests.services.intake.mailroom.scanner import EICAR, scanner
from tests.services.intake.reception import ADMIN, KARI, OLA, PER, Answer, Reception
from tests.specs.requirement import requirement

SERVICE = ADMIN.model_copy(update={"kind": "service"})
TICKET = {"subject": "My computer hums", "body": "Since this morning.", "queue": "it"}


def part(disposition: str, content: bytes, media_type: str = "text/plain") -> bytes:
    return f"Content-Disposition: form-data; {disposition}\r\nContent-Type: {media_type}\r\n\r\n".encode() + content


def form(*parts: bytes, boundary: str = "edge") -> bytes:
    return b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), each) for each in parts) + b"--%b--\r\n" % boundary.encode()


def sent(name: str = "burn.txt", content: bytes = b"it burns", media_type: str = "text/plain") -> bytes:
    return part(f'name="file"; filename="{name}"', content, media_type)


def upload(intake: Reception, *parts: bytes, who: Identity | None = KARI, boundary: str = "edge", **headers: str) -> Answer:  # fmt: skip
    content_type = f"multipart/form-data; boundary={boundary}"
    raw = form(*parts, boundary=boundary)
    return intake.call("POST", "/blobs", raw=raw, who=who, Content_Type=content_type, **headers)


def uploaded(intake: Reception, *parts: bytes, who: Identity = KARI) -> list[dict[str, Any]]:
    answer = upload(intake, *parts or (sent(),), who=who)
    assert answer.status == 201, answer.raw
    return list(answer.body["items"])


def test_uploaded_files_are_returned_in_order(intake: Reception) -> None:
    photo = (
        bytes(range(256)) * 2_000
    )  # more than is held in memory, with everything that could be taken for an end of line
    first, second = uploaded(intake, sent(), part('name="note"', b"a field"), sent("a.png", photo, "image/png; x=y"))
    assert (first["name"], first["type"], first["size"]) == ("burn.txt", "text/plain", 8)
    assert (second["name"], second["type"], second["size"]) == ("a.png", "image/png", len(photo))
    assert uuid.UUID(first["id"]).version == 7
    kept = (intake.blobs / "uploads" / second["id"]).read_bytes()
    assert kept.partition(b"\n")[2] == photo


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('name="f"; filename="C:\\\\temp\\\\burn.txt"', "burn.txt"),
        ('name="f"; filename="../../etc/passwd"', "passwd"),
        ('name="f"; filename="brann på.txt"', "brann på.txt"),
        ("name=f; filename*=UTF-8''brann%20p%C3%A5.txt", "brann på.txt"),
        ("name=f; filename*=iso-8859-1'no'p%E5.txt", "på.txt"),
        ("name=f; filename=plain.txt; filename*=utf-8''p%C3%A5.txt", "på.txt"),
        ("name=f; filename*0=bra; filename*1=nn.txt", "brann.txt"),
        ("name=f; filename*=utf-8''a%0D%0Ab%00.txt", "a b_.txt"),
        ('name="f"; filename="\u202egpj.exe"', "gpj.exe"),
        ('name="f"; filename=""', "file.txt"),
        ('name="f"; filename="..."', "file.txt"),
        (f'name="f"; filename="{"x" * 500}.txt"', "x" * 196 + ".txt"),
        ("name=f; filename*=no-such-charset''a.txt", "a.txt"),
    ],
)
def test_names_are_made_safe(intake: Reception, disposition: str, name: str) -> None:
    assert uploaded(intake, part(disposition, b"x"))[0]["name"] == name


@pytest.mark.parametrize("given", ["", "text/html\x01", "nonsense", "a/b/c", "x" * 70 + "/plain"])
def test_an_invalid_media_type_becomes_octet_stream(intake: Reception, given: str) -> None:
    assert uploaded(intake, sent(media_type=given))[0]["type"] == "application/octet-stream"


def test_the_same_files_with_one_key_are_one_upload(intake: Reception) -> None:
    key = str(uuid.uuid4())
    first = upload(intake, sent(), Idempotency_Key=key)
    again = upload(intake, sent(), boundary="another", Idempotency_Key=key)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true")
    other = upload(intake, sent(content=b"else"), Idempotency_Key=key)
    assert (other.status, other.body["type"]) == (422, "/problems/idempotency-key-reused")
    assert upload(intake, sent(), who=OLA, Idempotency_Key=key).body != first.body


def test_one_key_many_times_at_once_is_one_upload(intake: Reception) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: upload(intake, sent(), Idempotency_Key=key), range(16)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body["items"][0]["id"] for answer in answers if answer.status == 201}) == 1


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b"", "multipart/form-data; boundary=edge", 422),
        (form(), "multipart/form-data; boundary=edge", 422),
        (form(part('name="file"', b"a field")), "multipart/form-data; boundary=edge", 422),
        (form(sent()), "multipart/form-data", 422),
        (form(sent()), "multipart/form-data; boundary=other", 422),
        (form(sent()), f"multipart/form-data; boundary={'x' * 300}", 422),
        (form(sent())[:-12], "multipart/form-data; boundary=edge", 422),
        (b"--edge\r\nno header\r\n\r\n", "multipart/form-data; boundary=edge", 422),
        (b"--edge\r\nX: " + b"x" * 100_000, "multipart/form-data; boundary=edge", 422),
        (form(part(f'name="file"; filename="{"x" * 8_192}"', b"x")), "multipart/form-data; boundary=edge", 422),
        (form(*[sent()] * 21), "multipart/form-data; boundary=edge", 422),
        (form(*[part("name=a", b"x")] * 101), "multipart/form-data; boundary=edge", 422),
        (b"{}", "application/json", 415),
    ],
)
def test_a_body_that_is_not_a_form_with_files_is_refused(
    intake: Reception, raw: bytes, content_type: str, status: int
) -> None:
    answer = intake.call("POST", "/blobs", raw=raw, Content_Type=content_type)
    assert answer.status == status, answer.raw
    assert answer.body["detail"]


@pytest.mark.parametrize(("who", "status"), [(None, 401), (SERVICE, 403), (PER, 201), (OLA, 201)])
def test_people_who_are_signed_in_upload(intake: Reception, who: Identity | None, status: int) -> None:
    assert upload(intake, sent(), who=who).status == status


@requirement("A1.09", "A1.12", "A7.23")
def test_a_ticket_and_a_message_have_the_files_of_their_writer(intake: Reception) -> None:
    mine, more = uploaded(intake, sent(), sent("b.txt", b"more"), who=PER)
    opened = intake.call("POST", "/tickets", TICKET | {"attachments": [mine["id"]]}, who=PER)
    assert opened.status == 201, opened.raw
    body = {"text": "See the other one.", "attachments": [more["id"]]}
    assert intake.call("POST", f"/tickets/{opened.body['number']}/message", body, who=PER).status == 200
    events = intake.events(opened.body["id"])
    for event, file, content in zip(events, (mine, more), (b"it burns", b"more"), strict=True):
        (attached,) = event["data"]["message"]["attachments"]
        assert (attached["id"], attached["name"]) == (file["id"], file["name"])
        sha256 = attached["blob"]["sha256"]
        assert (intake.blobs / sha256[:2] / sha256).read_bytes() == content


def test_files_of_others_and_unknown_files_are_refused_with_their_index(intake: Reception) -> None:
    mine, theirs = uploaded(intake, who=PER)[0]["id"], uploaded(intake, who=KARI)[0]["id"]
    ticket = intake.call("POST", "/tickets", TICKET, who=PER).body["id"]
    for wrong in (theirs, str(uuid.uuid4())):
        for path, body in (("/tickets", TICKET), (f"/tickets/{ticket}/message", {"text": "x"})):
            answer = intake.call("POST", path, body | {"attachments": [mine, wrong]}, who=PER)
            assert answer.status == 422, answer.raw
            assert answer.body["errors"] == [
                {"pointer": "/attachments/1", "detail": "You have not uploaded a file with this id."}
            ]
    twice = intake.call("POST", "/tickets", TICKET | {"attachments": [mine, mine]}, who=PER)
    assert (twice.status, twice.body["errors"][0]["pointer"]) == (422, "/attachments")
    assert len(intake.events(ticket)) == 1


def test_a_retry_gets_the_first_answer_when_its_files_are_swept(intake: Reception) -> None:
    file = uploaded(intake, who=PER)[0]["id"]
    ticket = intake.call("POST", "/tickets", TICKET, who=PER).body["id"]
    key, body = str(uuid.uuid4()), {"text": "x", "attachments": [file]}
    first = intake.call("POST", f"/tickets/{ticket}/message", body, who=PER, Idempotency_Key=key)
    (intake.blobs / "uploads" / file).unlink()
    again = intake.call("POST", f"/tickets/{ticket}/message", body, who=PER, Idempotency_Key=key)
    assert (again.status, again.body) == (200, first.body)


def test_a_scanner_looks_at_what_people_upload(intake: Reception) -> None:
    with scanner() as clamd:
        intake.clamd = clamd.address
        intake.restart()
        refused = upload(intake, sent("ok.txt"), sent("bad.exe", EICAR), who=PER)
        assert refused.status == 422, refused.raw
        assert "bad.exe" in refused.body["errors"][0]["detail"]
        (fine,) = uploaded(intake, sent("fine.txt"), who=PER)
        opened = intake.call("POST", "/tickets", TICKET | {"attachments": [fine["id"]]}, who=PER)
        (event,) = intake.events(opened.body["id"])
        assert event["data"]["message"]["attachments"][0]["scan"] == "clean"


def test_files_of_a_draft_are_kept_for_their_uploader_only(intake: Reception) -> None:
    mine, other = [file["id"] for file in uploaded(intake, sent(), sent("b.txt"))]

    def keep(*files: str, who: Identity | None = KARI) -> Answer:
        return intake.call("POST", "/internal/uploads/kept", {"uploads": list(files)}, who=who)

    assert keep(mine, other).status == 204 and keep(mine).status == 204 and keep().status == 204
    assert (intake.blobs / "drafts" / mine).read_bytes() == (intake.blobs / "uploads" / mine).read_bytes()
    for files, who, wrong in (
        ((mine, str(uuid.uuid4())), KARI, ["/uploads/1"]),
        ((mine, other), OLA, ["/uploads/0", "/uploads/1"]),
        (("../../etc/passwd",), KARI, ["/uploads/0"]),
    ):
        answer = keep(*files, who=who)
        assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, wrong)
    assert keep(mine, who=None).status == 401
