"""An absence notice is recognised by its subject if it is automatic; people's mails about absences are not."""

import pytest

from services.intake.mail.reading import read
from services.intake.mail.verdict import judge

ABSENCES = [
    "AUTO: Ida Lie is out of the office (returning 07/12/2026)",
    "Ida Lie is on vacation until 7 December",
    "[Out of office] Re: Door 4",
    "Re: Door 4 (automatic reply)",
    "Door 4 - Ida Lie is away till Monday",
    "Ida Lie: Absent",
    "*** Out of my office ***",
    "Ida Lie (OOO)",
    "Automatisk svar: Dør 4",
    "Ida Lie er på ferie til 7. desember",
    "SV: Dør 4 [Fravær]",
    "Ida Lie - Frånvarobesked",
    "Ida Lie ist nicht im Büro",
    "AW: Tür 4 - Abwesenheitsnotiz",
    "Ida Lie: Urlaub bis 7.12.",
    "Ida Lie (afwezig)",
    "Porte 4 : Réponse automatique",
    "Ida Lie en congé jusqu'au 7 décembre",
    "RE: Puerta 4 (Respuesta automática)",
    "Ida Lie - fuera de la oficina",
    "RES: Porta 4 [fora do escritório]",
    "R: Porta 4 - risposta automatica",
    "Ida Lie: poza biurem",
    "Ida Lie - lomalla 7.12. asti",
    "Дверь 4 (автоответ)",
    "Ида Ли в отпуске до 7 декабря",
    "【自動返信】ドア4",
    "回复: 门4 自动回复",
    "문 4 (자동 회신)",
    "AUTO: Ida Lie is currently out",
    "Ida Lie no longer works here",
    "Ida Lie har sluttet",
    "Dør 4 // fravær",
    "Ida Lie - foreldrepermisjon",
    "Elternzeit: Ida Lie",
]
LETTERS = [
    "The absence calendar shows nothing",
    "Vacation request 17 of Ida Lie",
    "How do I switch the out of office assistant off?",
    "Our holiday house has a broken door",
    "Please take the old door away today",
    "Urlaubsantrag von Ida Lie",
    "Feriekalenderen virker ikke",
    "The fraværslister are wrong",
    "Who may be absent?",
]


def outcome(subject: str, fields: str = "", envelope_from: str = "ida@fjell.example") -> str:
    raw = f"From: Ida Lie <ida@fjell.example>\nSubject: {subject}\n{fields}\nI am back on Monday.".encode()
    return judge(
        read(raw), envelope_from=envelope_from, names_ticket=False, is_ours=False, from_our_address=False
    ).outcome


@pytest.mark.parametrize("subject", ABSENCES)
def test_an_absence_is_known_in_any_place_of_a_subject(subject: str) -> None:
    assert outcome(subject, "Auto-Submitted: auto-generated\n") == "auto_reply_recorded"
    assert outcome(subject, "X-Auto-Response-Suppress: All\n") == "auto_reply_recorded"
    assert outcome(subject, envelope_from="") == "auto_reply_recorded"


@pytest.mark.parametrize("subject", [*ABSENCES, *LETTERS])
def test_a_persons_mail_about_an_absence_is_not_an_absence_notice(subject: str) -> None:
    assert outcome(subject) == "created"
    assert outcome(subject, "List-Id: <doors.fjell.example>\nPrecedence: list\n") == "created"


@pytest.mark.parametrize("subject", LETTERS)
def test_an_automatic_mail_about_an_absence_is_an_absence_notice(subject: str) -> None:
    assert outcome(subject, "Auto-Submitted: auto-generated\n") == "created"
    assert outcome(subject, envelope_from="") == "created"
    assert outcome(subject, "Precedence: bulk\n") == "created"


def test_an_absence_from_the_null_sender_is_no_failure() -> None:
    """An absence notice may have the words of a report: "she cannot be reached"."""
    raw = b"From: ida@fjell.example\nSubject: Ida Lie is out of the office\n\nI cannot be reached. Write to per@fjell.example."
    found = judge(read(raw), envelope_from="", names_ticket=False, is_ours=False, from_our_address=False)
    assert found.outcome == "auto_reply_recorded"
