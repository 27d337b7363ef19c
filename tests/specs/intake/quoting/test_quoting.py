"""What is new in a reply: the writer's own words, also between the quotes; quotes, signatures and disclaimers are
found."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.mail.quoting.reply import LineKind, new_text, parse_reply
from services.intake.mail.reading import read

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"
REPLIES = CORPORA / "discourse-email_reply_trimmer" / "test"
CLIENTS = CORPORA / "talon" / "tests" / "fixtures" / "standard_replies"

ATTRIBUTIONS = """\
On Mon, Apr 2, 2012 at 6:26 PM, Megan One <megan@example.com> wrote:
On 2026-11-23 10:15, Bob wrote:
On 11/23/2026 10:15 AM Bob Smith wrote:
On Nov 23, 2026, at 10:15, Bob wrote:
On Monday, November 23rd, 2026 at 10:15 AM, Bob <bob@example.com> wrote:
Bob <bob@example.com> writes:
In article <abc@example.com>, Bob <bob@example.com> wrote:
Quoting Bob <bob@example.com>:
* Bob <bob@example.com> [2026-11-23 10:15]:
Den man. 23. nov. 2026 kl. 10:15 skrev Kari Nordmann <kari@example.com>:
man. 23. nov. 2026 kl. 10:15 skrev Kari Nordmann <kari@example.com>:
På mån, 23 nov. 2026 kl. 10:15, skrev Sven <sven@example.com>:
Den mån 23 nov. 2026 kl 10:15 skrev Sven Svensson <sven@example.com>:
Den man. 23. nov. 2026 kl. 10.15 skrev Hans <hans@example.com>:
Am Mo., 23. Nov. 2026 um 10:15 Uhr schrieb Max Mustermann <max@example.com>:
Am 23.11.2026 um 10:15 schrieb Max Mustermann:
Max Mustermann <max@example.com> schrieb am Mo., 23. Nov. 2026, 10:15:
Zitat von Bob <bob@example.com>:
Op ma 23 nov. 2026 om 10:15 schreef Jan <jan@example.com>:
Op 23-11-2026 om 10:15 schreef Jan:
Le lun. 23 nov. 2026 à 10:15, Jean <jean@example.com> a écrit :
Le 23/11/2026 à 10:15, Jean a écrit :
пн, 23 нояб. 2026 г. в 10:15, Иван <ivan@example.com>:
23.11.2026 10:15, Иван Иванов пишет:
23 ноября 2026 г., в 10:15, Иван <ivan@example.com> написал(а):
El lun, 23 nov 2026 a las 10:15, Juan (<juan@example.com>) escribió:
El 23/11/26 a las 10:15, Juan escribió:
Il giorno lun 23 nov 2026 alle ore 10:15 Mario <mario@example.com> ha scritto:
Il 23/11/2026 10:15, Mario ha scritto:
pon., 23 lis 2026 o 10:15 Jan Kowalski <jan@example.com> napisał(a):
W dniu 23.11.2026 o 10:15, Jan Kowalski pisze:
Em seg., 23 de nov. de 2026 às 10:15, João <joao@example.com> escreveu:
ma 23. marrask. 2026 klo 10.15 Matti (matti@example.com) kirjoitti:
po 23. 11. 2026 v 10:15 odesílatel Jan <jan@example.com> napsal:
Jan <jan@example.com> ezt írta (időpont: 2026. nov. 23., H, 10:15):
23 Kas 2026 Pzt, 10:15 tarihinde Ali <ali@example.com> şunu yazdı:
Στις Δευ 23 Νοε 2026 στις 10:15 π.μ., ο χρήστης Α <a@example.com> έγραψε:
пн, 23 лист. 2026 р. о 10:15 Іван <ivan@example.com> пише:
2026年11月23日(月) 10:15 山田 <yamada@example.com>:
山田 <yamada@example.com> 于2026年11月23日周一 10:15写道：
2026년 11월 23일 (월) 오전 10:15, Kim <kim@example.com>님이 작성:
-----Original Message-----
-------- Opprinnelig melding --------
-----Ursprungligt meddelande-----
-----Oprindelig meddelelse-----
-----Oorspronkelijk bericht-----
-------- Ursprüngliche Nachricht --------
-------- Message d'origine --------
-----Исходное сообщение-----
-----Mensaje original-----
-------- Messaggio originale --------
-----Oryginalna wiadomość-----
---------- Forwarded message ---------
Begin forwarded message:
---------- Videresendt melding ---------
##- Please type your reply above this line -##""".splitlines()


@pytest.mark.parametrize("quote", ["Their words.\nMore.", "> Their words.\n>\n> More."], ids=["plain", "marked"])
@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_what_stands_over_a_quote_is_known_in_many_languages(attribution: str, quote: str) -> None:
    assert new_text(f"My answer.\nIt has lines.\n\n{attribution}\n\n{quote}\n") == "My answer.\nIt has lines."


@pytest.mark.parametrize(
    "fields",
    [
        ("From: Kari <kari@example.com>", "Sent: Monday, 23 November 2026 10:15", "To: Per", "Subject: RE: Printer"),
        ("*From:* Kari", "*Sent:* 2026-11-23", "*To:* Per", "*Subject:* Printer"),
        ("Fra: Kari Nordmann", "Sendt: mandag 23. november 2026 10:15", "Til: Per", "Emne: SV: Skriver"),
        ("Från: Sven", "Skickat: den 23 november 2026 10:15", "Till: Per", "Ämne: SV: Skrivare"),
        ("Von: Max", "Gesendet: Montag, 23. November 2026 10:15", "An: Per", "Cc: Kari", "Betreff: AW: Drucker"),
        ("Van: Jan", "Verzonden: maandag 23 november 2026 10:15", "Aan: Per", "Onderwerp: RE: Printer"),
        ("De : Jean", "Envoyé : lundi 23 novembre 2026 10:15", "À : Per", "Objet : RE: Imprimante"),
        ("De: Juan", "Enviado el: lunes, 23 de noviembre de 2026 10:15", "Para: Per", "Asunto: RE: Impresora"),
        ("Da: Mario", "Inviato: lunedì 23 novembre 2026 10:15", "A: Per", "Oggetto: R: Stampante"),
        ("Od: Jan", "Wysłano: poniedziałek, 23 listopada 2026 10:15", "Do: Per", "Temat: RE: Drukarka"),
        ("От: Иван", "Отправлено: 23 ноября 2026 г. 10:15", "Кому: Per", "Тема: RE: Принтер"),
        ("发件人: 山田", "发送时间: 2026年11月23日 10:15", "收件人: Per", "主题: RE: 打印机"),
    ],
)
def test_header_fields_over_a_quote_are_known_in_many_languages(fields: tuple[str, ...]) -> None:
    block = "\n".join(fields)
    assert new_text(f"My answer.\n\n________________________________\n{block}\n\nTheir words.\n") == "My answer."
    assert new_text(f"My answer.\n\n{block}\n\nTheir words.\n") == "My answer."


@pytest.mark.parametrize(
    "text",
    [
        "Hi, in 2019 my colleague wrote:\n\nplease help me\nwith this.",
        "From: Oslo\nTo: Bergen\nDate: 12 May\n\nI need a ticket.",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "Items\n-----\nFoo 3\nBar 4\n\nThanks",
        "First\n\n---\n\nSecond.\n\n---\n\nThird",
        "Call me.\nSent from my office you will get a parcel on Monday, please take it in and tell me.",
        "Here is another mail.\n\nSent from my desk, is much easier then my mobile phone.",
        "On 5 May 2026 I called you and you said:\nwe call back. Nobody did.",
        "Error log:\n2026-11-23 10:15:00 GMT+01:00 failed\nmore",
        "Den 15. juni 2026 skrev jeg til dere:\nIngen svarte.",
        "```\n####\n--\n# code\n```\nThe end.",
        "2026-11-26 09:04 from app@host.example:\n  cannot open\nWhat is that?",
        "I am not the intended recipient of this.",
        "> A quote that nobody is named for.",
        "> A quote that nobody is named for.\n\nAnd an answer.",
        "",
        "\n\n",
    ],
)
def test_words_of_the_writer_stay(text: str) -> None:
    assert new_text(text).split() == text.split()


def test_answers_between_the_quotes_keep_the_quotes_that_they_answer() -> None:
    text = "On 23 Nov 2026 at 10:15, Kari wrote:\n> Is it on?\n\nYes.\n\n> Since when?\n\nToday.\n\n> Regards, Kari\n"
    assert new_text(text).split("\n\n") == ["> Is it on?", "Yes.", "> Since when?", "Today."]


def test_an_answer_below_the_whole_quote_stands_alone() -> None:
    assert new_text("On 23 Nov 2026 at 10:15, Kari wrote:\n> Is it on?\n> Kari\n\nYes.\n") == "Yes."


def test_a_forward_without_own_words_is_the_forwarded_text() -> None:
    text = "---------- Forwarded message ---------\nFrom: Kari <k@example.com>\nDate: Mon\nSubject: Printer\nTo: Per\n\nIt hums."
    assert new_text(text) == "It hums."


def test_a_reply_with_only_a_quote_is_shown_whole() -> None:
    """The answer may stand in it."""
    text = "On 23 Nov 2026 at 10:15, Kari wrote:\n> Is it on?"
    assert new_text(text + "\n") == text


@pytest.mark.parametrize(
    "footer",
    [
        "Sent from my iPhone", "Sendt fra min iPhone", "Skickat från min iPhone", "Von meinem iPhone gesendet",
        "Verzonden vanaf mijn iPhone", "Envoyé de mon iPhone", "Отправлено с iPhone", "Enviado desde mi iPhone",
        "Inviato da iPhone", "Wysłane z iPhone'a", "Lähetetty iPhonesta", "Get Outlook for Android<https://aka.ms/x>",
        "Hent Outlook for iOS", "从我的 iPhone 发送", "Sent from Mail for Windows",
    ],
)  # fmt: skip
def test_footers_of_telephones_are_not_new_text(footer: str) -> None:
    found = parse_reply(f"Yes.\n\n{footer}\n\nOn 23 Nov 2026 at 10:15, Kari wrote:\n> Is it on?\n")
    assert (found.new_text, found.signature.strip()) == ("Yes.", footer)


def test_signature_and_disclaimer_are_found() -> None:
    disclaimer = (
        "This message may contain confidential information. If you are not the intended recipient, you are not permitted to use,"
        " copy or distribute it."
    )
    found = parse_reply(
        f"It hums.\n\n-- \nPer Hansen\nHead of printing\n\nFrom: Kari\nSent: Monday\nTo: Per\nSubject: x\n\n{disclaimer}"
    )
    assert (found.new_text, found.signature) == ("It hums.", "-- \nPer Hansen\nHead of printing")
    assert disclaimer in found.quote
    assert parse_reply(f"It hums.\n\n{disclaimer}\n").disclaimer == disclaimer
    assert parse_reply(f"It hums.\n\n{disclaimer}\n").new_text == "It hums."


@pytest.mark.parametrize(
    "disclaimer",
    [
        "CE MESSAGE EST À L’INTENTION EXCLUSIVE DE CEUX À QUI NOUS L’AVONS ÉCRIT, ET CE QU’IL CONTIENT NE REGARDE QU’EUX, ET PERSONNE D’AUTRE.",
        "Ce message est à\u00a0l’intention\texclusive de ceux à qui nous l'avons écrit, et ce qu'il contient ne regarde qu'eux, et personne d'autre.",
        "Ce message, avec ce qui y est attaché, est à l'intention\nexclusive de ceux à qui nous l'avons écrit, et ce qu'il contient ne regarde"
        " qu'eux, et personne d'autre.",
        "BU E-POSTA GİZLİ BİLGİ İÇERİR VE SADECE ALICI İÇİNDİR. YANLIŞLIKLA ALDIYSANIZ LÜTFEN GÖNDERENE HABER VERİNİZ VE MESAJI SİLİNİZ, EKLERİYLE BİRLİKTE.",
    ],
    ids=["capitals", "blanks", "wrapped", "turkish"],
)
def test_a_disclaimer_is_known_however_it_is_written(disclaimer: str) -> None:
    found = parse_reply(f"It hums.\n\n{disclaimer}\n")
    assert (found.new_text, found.disclaimer) == ("It hums.", disclaimer)


def test_the_rest_of_a_line_that_a_program_wrapped_is_no_answer() -> None:
    quoted = (
        "> This line was so long that some program on the way cut its end off\nand put it below\n> as if it were new."
    )
    assert new_text(f"No.\n\nOn 23 Nov 2026 at 10:15, Kari wrote:\n{quoted}\n") == "No."


@given(st.text(max_size=500))
def test_every_line_has_exactly_one_kind_and_none_is_lost(text: str) -> None:
    found = parse_reply(text)
    whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert len(found.lines) == len(found.kinds) == len(whole)
    assert all(one == other or not one for one, other in zip(found.lines, whole, strict=True))


LINES = st.sampled_from(
    ["", "> x", ">> y", "x", "--", "---", "On 3 May 2026, Per wrote:", "From: a@b.example", "Sent: x", "Subject: y", "```",
     "-----Original Message-----", "Sent from my iPhone", "JD> z", "| a", "wrote:", "<a@b.example>"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(LINES, max_size=40))
def test_any_mixture_of_lines_is_parsed(lines: list[str]) -> None:
    found = parse_reply("\n".join(lines))
    assert set(found.kinds) <= set(LineKind)
    assert new_text(found.new_text) is not None


@pytest.mark.parametrize(
    "line",
    [
        "wrote:\n", "On 1\n", "On 1 wrote: x\n", 'On Mon, Feb 1, 2016 at 4:58 AM -0800, "Some One" <foo@bar.example\n', "From: a\n",
        "From: a@b.c\nSent: x\n\n", ">", "> > ", ">\n", "-", "---\n", "---- ", "```\n", "a <\n", '"a" <a@b.c>\n', "a.b <a@", " ", "\n",
        "*", "Sent from my ", "the intended recipient ", "1 jan. 2016 ", "1 jan. 2016 10:10 x\n", ":", "a: ", "JD> x\n",
        "_" * 100 + "\n", "> On 1 jan 2016 a <\n", "Den 1 skrev " * 20 + "\n", "--- original message ", "outlook " * 15 + "\n",
        "26.11.2026 09:04 a:\n", ">>> a 1:11 >>>\n", "confidential recipient in error\n", "confidential recipient in error\n" * 3 + "\n",
        "CAUTION: external email " + "x" * 60 + "\n\n", "a <b@c.d> 2026 09:04\n", "virus " * 20 + "\n", "-- \nIda\n\n", "—\nIda\nTel. 555 0100\n\n", "> x\nyes\n", "see:\n> x\n", "Begin forwarded message:\n\n",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_is_parsed_within_a_second(line: str) -> None:
    text = line * (1_000_000 // len(line))
    started = time.process_time()
    parse_reply(text)
    assert time.process_time() - started < 2  # twice the bar, for slow machines


def test_replies_of_the_corpus_are_parsed_correctly() -> None:
    if not REPLIES.is_dir():
        pytest.skip("../shared/corpora/discourse-email_reply_trimmer is not here")
    replies = sorted((REPLIES / "emails").iterdir())
    right = [
        path
        for path in replies
        if new_text(path.read_text("utf-8")).split() == (REPLIES / "trimmed" / path.name).read_text("utf-8").split()
    ]
    assert len(right) >= 0.95 * len(replies), sorted(p.name for p in set(replies) - set(right))


def test_the_clients_of_the_corpus_are_known() -> None:
    if not CLIENTS.is_dir():
        pytest.skip("../shared/corpora/talon is not here")
    for path in sorted(CLIENTS.glob("*.eml")):
        assert new_text(read(path.read_bytes()).text).strip() == "Hello", path.name
