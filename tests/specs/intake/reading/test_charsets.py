"""Bytes are read as the program meant that wrote them: names of charsets and their supersets, wrong bytes, none
declared (decision 0083)."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.reading import read


def in_a_mail(declared: str, content: bytes) -> tuple[str, str]:
    """The subject and text of a mail in which both are in the charset."""
    data = base64.b64encode(content).decode()
    named = f'; charset="{declared}"' if declared else ""
    head = f"Subject: =?{declared}?B?{data}?=\nContent-Type: text/plain{named}\nContent-Transfer-Encoding: base64\n\n"
    reading = read(head.encode() + data.encode())
    return reading.subject, reading.text


@pytest.mark.parametrize(
    ("declared", "written_as", "words"),
    [
        # supersets that programs write under the old name
        ("gb2312", "gbk", "陳總的電腦壞了，請幫忙看看"),
        ("GB2312", "gb18030", "费用 200 €，㐀"),
        ("euc-kr", "cp949", "믜꼇 뷁 모니터"),
        ("ks_c_5601-1989", "cp949", "펲 모니터"),
        ("shift_jis", "cp932", "㈱髙島 № ㌔"),
        ("big5", "big5hkscs", "喺度冇電，啲燈壞咗"),
        ("big5", "cp950", "螢幕碁裏恒"),
        ("iso-8859-1", "cp1252", "l’écran – 30 €"),
        ("us-ascii", "cp1252", "l’écran est cassé"),
        ("iso-8859-9", "cp1254", "“Çağrı” için ş"),
        ("iso-8859-11", "cp874", "จอภาพ… “เสีย”"),
        # names that browsers know but Python does not, and names that only mail programs write
        ("iso-8859-8-I", "iso-8859-8", "המסך שבור"),
        ("csISO88598I", "iso-8859-8", "המסך שבור"),
        ("ISO-8859-8-E", "iso-8859-8", "המסך שבור"),
        ("iso-8859-6-e", "iso-8859-6", "الشاشة مكسورة"),
        ("x-mac-ce", "mac-latin2", "Příliš žluťoučký kůň"),
        ("x-mac-greek", "mac-greek", "Η οθόνη χάλασε"),
        ("x-mac-ukrainian", "mac-cyrillic", "Екран зламався"),
        ("macintosh", "mac-roman", "skærmen er gået i stykker"),
        ("x-mac-japanese", "cp932", "画面が割れた"),
        ("windows-874", "cp874", "จอภาพแตก"),
        ("cp-852", "cp852", "monitor nie działa, źle"),
        ("ibm-866", "cp866", "Монитор сломан"),
        ("dos-737", "cp737", "Η οθόνη"),
        ("win-1250", "cp1250", "Łódź, żółw"),
        ("windows-1251;format", "cp1251", "Монитор сломан"),
        ("WINDOWS1253", "cp1253", "Η οθόνη χάλασε"),
        ("1255", "cp1255", "המסך שבור"),
        ("codepage-850", "cp850", "skærmen er gået i stykker"),
        ("x-x-big5", "big5", "螢幕壞了"),
        ("'koi8-r'", "koi8-r", "Монитор сломан"),
        ("koi8-ru", "koi8-u", "Їжак"),
        ("iso8859_2", "iso-8859-2", "Łódź, żółw"),
        ("8859-15", "iso-8859-15", "30 € à Œuvre"),
        ("latin-9", "iso-8859-15", "30 € à Œuvre"),
        ("iso-8859-2/quoted", "iso-8859-2", "Łódź, żółw"),
        ("eucJP-ms", "euc-jp", "画面が割れた"),
        ("cp51932", "euc-jp", "画面が割れた"),
        ("ms932", "cp932", "画面が割れた①"),
        ("x-gb18030", "gb18030", "屏幕碎了"),
        ("hz-gb-2312", "hz", "屏幕碎了 ok"),
        ("iso-2022-kr", "iso2022_kr", "모니터 고장"),
        ("_iso-2022-jp$esc", "iso2022_jp", "画面が割れた"),
        ("csISO2022JP", "iso2022_jp", "画面が割れた"),
        ("cp50221", "iso2022_jp", "画面が割れた"),
        ("iso-2022-jp", "iso2022_jp_1", "画面が丂丄割れた"),
        ("iso-2022-jp-3", "iso2022_jp_3", "画面㍑が割れた"),
        ("iso-2022-jp-2", "iso2022_jp_2", "画面와屏幕"),
        ("utf8mb4", "utf-8", "ekran 💥"),
        ("UTF_8;", "utf-8", "экран"),
        ("x-utf-8", "utf-8", "экран"),
        ("unicode-1-1-utf-7", "utf-7", "skjermen er blå + rød – 💥"),
        ("cp65001", "utf-8", "экран"),
        ("utf-16", "utf-16", "экран ok"),
        ("utf-16", "utf-16-be", "screen ok å"),
        ("ucs-2", "utf-16-le", "screen ok å"),
        ("utf-32", "utf-32", "экран 💥"),
        # the bytes have precedence
        ("koi8-r", "utf-8-sig", "экран"),
        ("windows-1252", "utf-16", "экран ok"),
        ("gb2312", "utf-8", "das Gerät läuft nicht, bitte prüfen"),
        ("utf-8", "iso2022_jp", "画面が割れた"),
        ("", "iso2022_kr", "모니터 고장"),
    ],
)
def test_a_charset_is_what_programs_mean_by_its_name(declared: str, written_as: str, words: str) -> None:
    assert in_a_mail(declared, words.encode(written_as)) == (words, words)


def test_vietnamese_in_viscii() -> None:
    assert in_a_mail("VISCII", b"M\xe0n h\xecnh b\xb8 h\xf6ng")[1] == "Màn hình bị hỏng"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1b$B-6-j\x1b(B", "Ⅱ㈱"),
        (b"\x1b$B\x79\x21\x1b(B", "纊"),  # IBM's letters, which NEC put in row 89
        (b"\x1b(I10\x1b(B ok", "ｱｰ ok"),
        (b"\x0e10\x0f ok", "ｱｰ ok"),
        (b"\x1b$B2hLL\nnext line", "画面\nnext line"),
        (b"$B2hLL(B ok", "画面 ok"),
        (b"\x89\xe6\x96\xca ok", "画面 ok"),
        (b"costs US$Belize (Bob)", "costs US$Belize (Bob)"),
    ],
)
def test_japanese_of_seven_bits_as_windows_and_old_programs_write_it(content: bytes, words: str) -> None:
    head = b"Content-Type: text/plain; charset=iso-2022-jp\n\n"
    assert read(head + content).text == words


@pytest.mark.parametrize(
    ("declared", "before", "wrong", "after"),
    [
        ("gb2312", "屏幕", b"\xa2\xe4", "碎了"),
        ("gbk", "屏幕", b"\xff", "碎了"),
        ("big5", "螢幕", b"\xf9\xff", "壞了"),
        ("euc-kr", "모니터", b"\xc9\xfd", "고장"),
        ("shift_jis", "画面", b"\xfc\xfc", "割れた"),
        ("shift_jis", "画面", b"\xfd", "割れた"),
        ("euc-jp", "画面", b"\xa9\xa1", "割れた"),
        ("euc-jp", "画面", b"\x8f\xfe\xfe", "割れた"),
        ("iso-2022-jp", "画面", b"\xfe", "割れた"),
        ("utf-8", "экран", b"\xd1", "ok, экран"),
        ("koi8-r", "экран", b"", "ok"),
    ],
)
def test_invalid_bytes_damage_nothing_around_them(declared: str, before: str, wrong: bytes, after: str) -> None:
    codec = {"gb2312": "gbk", "iso-2022-jp": "iso2022_jp"}.get(declared, declared)
    text = in_a_mail(declared, before.encode(codec) + wrong + after.encode(codec))[1]
    assert (text[: len(before)], text[-len(after) :]) == (before, after)
    assert len(text) - len(before) - len(after) <= 2


UNDECLARED = [
    ("koi8-r", "Здравствуйте, монитор в приёмной сломался, пришлите мастера. Спасибо, Ольга"),
    ("cp1251", "Здравствуйте, монитор в приёмной сломался"),
    ("cp1253", "Καλημέρα, η οθόνη στην υποδοχή χάλασε"),
    ("cp1255", "שלום, המסך בקבלה שבור ואי אפשר לעבוד. נא לשלוח טכנאי עוד היום, תודה"),
    ("cp1256", "صباح الخير، شاشة الاستقبال مكسورة ولا يمكن العمل"),
    ("cp874", "สวัสดีค่ะ จอภาพที่แผนกต้อนรับแตก ช่วยส่งช่างมาวันนี้ได้ไหมคะ"),
    ("cp1250", "Ekran w recepcji nie działa, proszę przyślijcie kogoś"),
    ("iso-8859-2", "Ekran w recepcji nie działa, proszę przyślijcie kogoś"),
    ("cp1252", "Skjermen i resepsjonen virker ikke, kan dere sende noen før påske?"),
    ("cp850", "Skærmen i receptionen er gået i stykker, tak for hjælpen"),
    ("cp932", "受付の画面が割れました。今日中に見てもらえますか。"),
    ("euc-jp", "受付の画面が割れました。今日中に見てもらえますか。"),
    ("gbk", "您好，前台的显示器坏了，请今天派人来看一下，谢谢。"),
    ("big5", "您好，櫃台的螢幕壞了，請今天派人來看一下，謝謝。"),
    ("cp949", "안녕하세요, 안내 데스크의 모니터가 고장 났습니다."),
    ("utf-16-le", "The screen is broken, please come."),
]


@pytest.mark.parametrize(("codec", "words"), UNDECLARED)
def test_a_charset_that_nobody_declares_is_guessed(codec: str, words: str) -> None:
    head = b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
    assert read(head + base64.b64encode(words.encode(codec))).text == words


@pytest.mark.parametrize(("codec", "words"), [UNDECLARED[1], UNDECLARED[8], UNDECLARED[10], UNDECLARED[12]])
@pytest.mark.parametrize("declared", ["unknown-8bit", "us-ascii", "utf-8", "x-user-defined", "no such name"])
def test_a_charset_name_that_says_nothing_or_fails_is_ignored(declared: str, codec: str, words: str) -> None:
    assert in_a_mail(declared, words.encode(codec))[1] == words


@pytest.mark.parametrize(
    ("content_type", "codec", "words"),
    [
        ("text/plain; charset=koi8-r", "koi8-r", "Экран"),
        ("text/plain; charset=iso-8859-8-i", "iso-8859-8", "המסך"),
        ("text/plain; charset=gb2312", "gbk", "螢幕壞了"),
        ("text/plain; charset=gb2312", "utf-8", "Skjermen på 3"),
        ("text/plain; charset=windows-1251", "utf-8", "Экран"),
        ("text/plain", "cp1251", "Экран"),
        ("multipart/mixed; boundary=x", "windows-1253", "Οθόνη"),
    ],
)
def test_a_header_field_with_bytes_beyond_ascii_is_in_the_charset_of_the_words(
    content_type: str, codec: str, words: str
) -> None:
    long = {"cp1251": UNDECLARED[1][1], "windows-1253": UNDECLARED[2][1]}.get(codec, words)
    part = b"--x\nContent-Type: text/plain; charset=windows-1253\n\n" if content_type.startswith("multipart") else b""
    raw = b"From: %b <a@b.example>\nSubject: %b\nContent-Type: %b\n\n%b%b\n"
    reading = read(raw % (words.encode(codec), words.encode(codec), content_type.encode(), part, long.encode(codec)))
    assert reading.sender is not None
    assert (reading.sender.name, reading.subject) == (words, words)


def test_an_encoded_word_of_no_charset_is_in_that_of_the_words() -> None:
    word = base64.b64encode("Экран".encode("koi8-r")).decode()
    head = f"Subject: =?unknown-8bit?B?{word}?=\nContent-Type: text/plain; charset=koi8-r\n\nx"
    assert read(head.encode()).subject == "Экран"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("=?utf-8?B?0K3Quq==?= =?utf-8?B?0YDQsNC9?=", "Экран"),  # padding where none belongs
        ("=?utf-8?B?0K3QutG?= =?utf-8?B?A0LDQvQ?=", "Экран"),  # base64 cut anywhere
        ("=?utf-8?B?0K3QutE=?=\t=?utf8?B?gNCw0L0=?=", "Экран"),  # a letter cut in two, under two names of one charset
        ("=?utf-8?Q?=D0=AD=D0?==?utf-8?Q?=BA=D1=80=D0=B0=D0=BD?=", "Экран"),
        ("=?iso-2022-jp?B?GyRCMmgbKEI=?= =?iso-2022-jp?B?GyRCTEwbKEI=?=", "画面"),
        ("=?windows-1251?Q?=DD?= =?koi8-r?Q?=CB?=", "Эк"),
        ("Re:=?utf-8?Q?=D0=AD?=[1]", "Re:Э[1]"),
        ("=??Q?plain?=", "plain"),
        ("=?utf-8*ru?Q?=D0=AD?=", "Э"),
        ("=?cp-866/x;?Q?=9D?=", "Э"),
        ("=?utf-8?Q?" + "=D0=AD" * 150 + "?=", "Э" * 150),
        ("=?utf-8?B?" + base64.b64encode("Э".encode() * 900).decode() + "?=", "Э" * 299 + "…"),
    ],
)
def test_encoded_words_as_programs_cut_them(field: str, words: str) -> None:
    assert read(f"Subject: {field}\n\nx".encode()).subject == words


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("filename*=koi8-r''%FC%CB%D2%C1%CE.pdf", "Экран.pdf"),
        ("filename*=gb2312''%CE%9E%C4%BB.pdf", "螢幕.pdf".replace("螢", bytes.fromhex("ce9e").decode("gbk"))),
        ("filename*0*=utf-8''%D0%AD%D0; filename*1*=%BA.pdf", "Эк.pdf"),
        ("filename*=''%D0%AD.pdf", "Э.pdf"),
        ("filename*=%D0%AD.pdf", "Э.pdf"),
        ("filename=\"utf-8''%D0%AD.pdf\"", "Э.pdf"),
        ('filename="=?windows-1251?Q?=DD=EA?=.pdf"', "Эк.pdf"),
        ('filename*0="=?utf-8?B?0K3Q"; filename*1="utGA?=.pdf"', "Экр.pdf"),
        ("filename*=x-mac-cyrillic''%9D.pdf", "Э.pdf"),
        ('filename="50%25 off.pdf"', "50%25 off.pdf"),
    ],
)
def test_file_names_in_any_charset(parameter: str, name: str) -> None:
    raw = f"Content-Type: application/pdf\nContent-Disposition: attachment; {parameter}\n\nx"
    assert [file.name for file in read(raw.encode()).files] == [name]


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "gb2312", "shift_jis", "euc-jp", "iso-2022-jp", "iso-2022-kr", "hz", "utf-7", "utf-16", "utf-32", "big5", "koi8-r", "viscii", "x-mac-thai"]))  # fmt: skip
def test_any_bytes_in_any_charset_are_text(content: bytes, declared: str) -> None:
    for words in in_a_mail(declared, content):
        words.encode()


@given(st.text(max_size=60))
def test_any_name_of_a_charset_is_taken(name: str) -> None:
    read(f"Content-Type: text/plain; charset={name!r}\n\n".encode() + b"a\xe9")


@pytest.mark.parametrize(
    ("declared", "unit"),
    [("", b"\xe9a "), ("", b"\x8f\xff"), ("euc-jp", b"\x8f\xff"), ("gbk", b"\xff"), ("iso-2022-jp", b"$B!!"), ("iso-2022-jp", b"\x1b$B-!"), ("utf-7", b"+AO"), ("hz", b"~{VP")],
)  # fmt: skip
def test_a_long_text_in_any_charset_is_read_soon(declared: str, unit: bytes) -> None:
    head = b"Content-Type: text/plain; charset=" + declared.encode() + b"\n\n"
    started = time.process_time()
    read(head + unit * (1_000_000 // len(unit)))
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "pair", [f"{first:02x}{second:02x}" for first in range(0x81, 0xFF) for second in (0x62, 0x64, 0xA3, 0xA5, 0xA7)]
)
def test_any_pair_of_bytes_is_read(pair: str) -> None:
    """Also pairs that decode to two letters, such as Hong Kong's vowels with two marks."""
    assert not read(b"From: ida@fjell.example\n\n" + bytes.fromhex(pair) * 8 + b"\n").wrong
