"""Header fields with instructions of other systems."""

from services.intake.mail.structure.mime import parse
from services.intake.mail.verdicts.control import Instructions, control_fields, instructions_in
from tests.specs.requirement import requirement


def asked(header: str) -> Instructions:
    root, _ = parse(header.encode() + b"\r\n\r\nwords")
    return instructions_in(control_fields(root))


@requirement("A1.26")
def test_queue_priority_state_and_tags() -> None:
    assert asked("X-OTRS-Queue: IT support\r\nX-OTRS-Priority: 4 high\r\nX-OTRS-State: open\r\nX-RT-Tags: Fan, a, fan") == Instructions(
        "it-support", 4, "open", ("fan", "a")
    )  # fmt: skip


def test_unknown_instructions_are_ignored() -> None:
    assert asked("X-Ledgerdesk-Priority: urgent\r\nX-Ledgerdesk-Owner: root\r\nX-Otrs-Queue:") == Instructions()


def test_an_ordinary_mail_has_no_instructions() -> None:
    assert asked("Subject: x\r\nX-Mailer: y") == Instructions()


def test_a_flood_of_fields_is_bounded() -> None:
    many = "\r\n".join(f"X-OTRS-{n}: {'x' * 5_000}" for n in range(500))
    root, _ = parse(many.encode() + b"\r\n\r\n")
    fields = control_fields(root)
    assert len(fields) == 20
    assert max(len(value) for _, value in fields) <= 200
