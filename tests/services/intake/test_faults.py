"""Intake during failures: nothing acknowledged is lost, and nothing is taken twice (the issue's table of
faults)."""

import http.client
import smtplib
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.services.intake.reception import KARI, PER, PIPE, Reception, mail, reception
from tests.services.intake.transports.cable import Cable

GONE = (ConnectionError, http.client.HTTPException, smtplib.SMTPServerDisconnected, OSError)


@pytest.fixture(scope="module")
def cable(postgres: Any) -> Iterator[Cable]:
    parts = urlsplit(postgres.superuser_url)
    cable = Cable((parts.hostname or "127.0.0.1", parts.port or 5432))
    yield cable
    cable.cut()


@pytest.fixture(scope="module")
def running(postgres: Any, cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reception]:
    owner_url, url = postgres.database("intake_faults")
    parts = urlsplit(url)
    through = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{cable.port}"))
    with reception((owner_url, through), tmp_path_factory.mktemp("faults")) as desk:
        yield desk


@pytest.fixture
def intake(running: Reception) -> Iterator[Reception]:
    yield running
    if running.process is None or running.process.poll() is not None:
        running.start()


def ticket() -> dict[str, Any]:
    return {"subject": "Mine", "body": "x", "queue": "it"}


def tickets_of(intake: Reception, raw: bytes) -> int:
    message_id = raw.split(b"Message-ID: ")[1].split(b"\r\n")[0].decode()
    return len(intake.rows("SELECT 1 FROM es.events WHERE data -> 'message' ->> 'message_id' = $1", message_id))


@pytest.mark.parametrize(("point", "replayed"), [("intake.before_commit", None), ("intake.after_commit", "true")])
def test_the_api_dies_and_the_retry_gets_one_ticket(intake: Reception, point: str, replayed: str | None) -> None:
    before, key = intake.count("intake.tickets"), str(uuid.uuid4())
    intake.restart(f"{point}=exit")
    with pytest.raises(GONE):
        intake.call("POST", "/tickets", ticket(), who=PER, Idempotency_Key=key)
    assert intake.died()
    assert intake.count("intake.tickets") == before + (replayed is not None)
    intake.start()
    answer = intake.call("POST", "/tickets", ticket(), who=PER, Idempotency_Key=key)
    assert (answer.status, answer.headers["Idempotent-Replayed"]) == (201, replayed)
    assert intake.count("intake.tickets") == before + 1


@pytest.mark.parametrize("point", ["intake.before_commit", "intake.after_commit"])
@pytest.mark.parametrize("door", ["lmtp", "http"])
def test_the_api_dies_and_the_mail_servers_retry_is_one_ticket(intake: Reception, point: str, door: str) -> None:
    raw = mail()
    intake.restart(f"{point}=exit")
    with pytest.raises(GONE):
        intake.deliver(raw) if door == "lmtp" else intake.hand_in(raw)
    assert intake.died()
    intake.start()
    intake.deliver(raw)
    intake.hand_in(raw)
    assert tickets_of(intake, raw) == 1


def refused_for_now(intake: Reception, raw: bytes) -> None:
    """Neither transport acknowledges a mail or refuses it for good."""
    with pytest.raises(smtplib.SMTPDataError) as told:
        intake.deliver(raw)
    assert told.value.smtp_code == 451
    answer = intake.call(
        "POST",
        "/mail",
        who=PIPE,
        raw=raw,
        Content_Type="message/rfc822",
        X_Envelope_From="",
        X_Envelope_To="it@help.example",
    )
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_the_database_everything_is_refused_for_now_and_works_again_later(
    intake: Reception, cable: Cable
) -> None:
    raw, key = mail(), str(uuid.uuid4())
    cable.cut()
    refused_for_now(intake, raw)
    answer = intake.call("POST", "/tickets", ticket(), who=PER, Idempotency_Key=key)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert intake.call("GET", "/mails", who=KARI).status == 403
    cable.plug_in()
    intake.until(lambda: intake.call("POST", "/tickets", ticket(), who=PER, Idempotency_Key=key).status == 201)
    intake.deliver(raw)
    assert tickets_of(intake, raw) == 1


def test_without_the_blob_store_no_mail_is_taken_but_short_tickets_are(intake: Reception) -> None:
    raw = mail()
    away = intake.blobs.rename(intake.blobs.with_name("away"))
    refused_for_now(intake, raw)
    assert intake.call("POST", "/tickets", ticket(), who=PER).status == 201
    assert intake.call("POST", "/tickets", ticket() | {"body": "x" * 100_000}, who=PER).status == 503
    assert tickets_of(intake, raw) == 0
    away.rename(intake.blobs)
    intake.deliver(raw)
    assert tickets_of(intake, raw) == 1


def test_a_full_disk_refuses_what_does_not_fit(intake: Reception) -> None:
    large, small = mail(text="x" * 2_000_000), mail()
    intake.restart(largest_file=1_000_000)
    refused_for_now(intake, large)
    intake.deliver(small)
    assert (tickets_of(intake, large), tickets_of(intake, small)) == (0, 1)
    intake.restart()
    intake.deliver(large)
    assert tickets_of(intake, large) == 1


def test_without_a_broker_everything_is_taken(intake: Reception) -> None:
    """The process with relay and consumer but without Kafka: events wait in the outbox."""
    intake.stop()
    intake.role = "all"
    intake.start()
    waiting = intake.count("es.outbox")
    assert intake.call("POST", "/tickets", ticket(), who=PER).status == 201
    intake.deliver(mail())
    assert intake.count("es.outbox") >= waiting + 2
    assert intake.stop() == 0
    intake.role = "api"


def test_a_terminated_process_ends(intake: Reception) -> None:
    assert intake.stop() == 0
