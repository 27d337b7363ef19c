"""What becomes of a mail."""

import pytest

from services.intake.mail.reading import Reading
from services.intake.mail.verdict import Verdict, judge
from services.intake.mail.verdicts.reports import Kind, Report
from services.intake.mail.verification.authentication_results import SenderProof
from shared.contracts.parts import Address
from tests.specs.intake.reception import PER, letter


def verdict(
    reading: Reading,
    *,
    envelope_from: str = PER.email,
    names_ticket: bool = False,
    is_ours: bool = False,
    from_our_address: bool = False,
    sender: SenderProof = "unknown",
) -> Verdict:
    return judge(
        reading,
        envelope_from=envelope_from,
        names_ticket=names_ticket,
        is_ours=is_ours,
        from_our_address=from_our_address,
        sender=sender,
    )


def test_a_letter_opens_a_ticket_with_a_receipt() -> None:
    assert verdict(letter()).outcome == "created"
    assert not verdict(letter()).automatic


def test_a_letter_that_names_a_ticket_is_appended() -> None:
    assert verdict(letter(), names_ticket=True).outcome == "appended"


@pytest.mark.parametrize("names_ticket", [False, True])
def test_our_own_mail_coming_back_is_ignored(names_ticket: bool) -> None:
    assert verdict(letter(), names_ticket=names_ticket, is_ours=True).outcome == "ignored"


@pytest.mark.parametrize("names_ticket", [False, True])
def test_a_report_of_a_failed_delivery_is_recorded_and_opens_nothing(names_ticket: bool) -> None:
    report = letter(report=Report("failure", certain=True))
    assert verdict(report, names_ticket=names_ticket).outcome == "bounce_recorded"


def test_what_only_looks_like_a_report_is_one_when_it_comes_from_nobody() -> None:
    report = letter(report=Report("failure", certain=False))
    assert verdict(report, envelope_from="").outcome == "bounce_recorded"
    assert verdict(report).outcome == "created"


@pytest.mark.parametrize("kind", ["delivered", "complaint"])
def test_other_reports_open_nothing_either(kind: Kind) -> None:
    assert verdict(letter(report=Report(kind, certain=True))).outcome == "auto_reply_recorded"


def test_what_a_mail_server_sends_from_nobody_is_a_bounce() -> None:
    bounce = Reading(sender=Address(email="mailer-daemon@mx.example"))
    assert verdict(bounce, envelope_from="").outcome == "bounce_recorded"


@pytest.mark.parametrize("names_ticket", [False, True])
def test_an_answer_of_absence_is_recorded_and_opens_nothing(names_ticket: bool) -> None:
    away = letter(auto_submitted="auto-replied", auto_reply="auto-submitted says so")
    assert verdict(away, names_ticket=names_ticket).outcome == "auto_reply_recorded"


@pytest.mark.parametrize(
    "machine",
    [
        letter(auto_submitted="auto-generated"),
        letter(precedence="bulk"),
        letter(precedence="list"),
        letter(precedence="junk"),
    ],
)
def test_an_automatic_mail_is_kept_but_gets_no_receipt(machine: Reading) -> None:
    found = verdict(machine)
    assert (found.outcome, found.automatic) == ("created", True)


@pytest.mark.parametrize(
    "passed_on",
    [
        letter(auto_submitted="auto-generated"),
        letter(auto_submitted="auto-forwarded"),
        letter(precedence="bulk"),
        letter(precedence="junk", no_answer="it came through a list (list-post)"),
        letter(precedence="list", auto_submitted="no"),
    ],
)
def test_an_answer_forwarded_by_a_list_or_rule_is_a_persons_and_gets_no_automatic_reply(passed_on: Reading) -> None:
    found = verdict(passed_on, names_ticket=True)
    assert (found.outcome, found.automatic) == ("appended", True)


@pytest.mark.parametrize(
    "machine",
    [
        letter(precedence="list", report=Report("failure", certain=True)),
        letter(precedence="bulk", auto_reply="its subject says so"),
        letter(auto_submitted="auto-generated", report_type="disposition-notification"),
    ],
)
def test_a_report_or_an_absence_with_the_marks_of_a_list_stays_one(machine: Reading) -> None:
    assert verdict(machine, names_ticket=True).outcome in ("bounce_recorded", "auto_reply_recorded")


def test_what_the_null_address_sends_about_a_ticket_is_a_machines() -> None:
    assert verdict(letter(), envelope_from="", names_ticket=True).outcome == "auto_reply_recorded"


def test_a_letter_through_a_list_gets_no_receipt() -> None:
    found = verdict(letter(no_answer="it came through a list (list-id)"))
    assert (found.outcome, found.automatic) == ("created", True)
    assert verdict(letter(no_answer="it came through a list (list-id)"), names_ticket=True).outcome == "appended"


def test_a_letter_from_the_null_address_is_kept_without_a_receipt() -> None:
    found = verdict(letter(), envelope_from="")
    assert (found.outcome, found.automatic) == ("created", True)


def test_a_letter_from_a_queues_own_address_gets_no_receipt() -> None:
    found = verdict(letter(), from_our_address=True)
    assert (found.outcome, found.automatic) == ("created", True)


def test_a_person_who_writes_the_same_words_is_not_automatic() -> None:
    assert not verdict(letter(auto_submitted="no")).automatic


def test_a_letter_of_several_senders_gets_no_receipt() -> None:
    found = verdict(letter(), sender="ambiguous")
    assert (found.outcome, found.automatic) == ("created", True)
