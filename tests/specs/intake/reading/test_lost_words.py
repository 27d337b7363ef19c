"""No word of a text part is missing without a note: for mails made of any parts in any order, for what fuzzing found,
and for mails that nobody here wrote."""

import base64
import quopri
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.mail.reading import MOST_NOTES, Reading, read
from services.intake.mail.structure.mime import MOST_ENCODED_BYTES
from tests.fuzz.targets import SEEDS
from tests.specs.intake.reading.lost_words import lost_words

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"
FOLDERS = ("stalwart-mail-parser", "ruby-mail", "rspamd", "sisimai-set-of-emails", "flufl.bounce")
CONTAINERS = ("mixed", "mixed", "alternative", "related", "signed", "report", "digest", "parallel", "x-unheard-of")
KINDS = (
    "text/plain",
    "text/plain",
    "text/html",
    "text/html",
    "image/png",
    "text/csv",
    "text/x-amp-html",
    "message/rfc822",
    "",
)
ENCODINGS = (
    "",
    "",
    "8bit",
    "base64",
    "quoted-printable",
    "called base64",
    "called quoted-printable",
    "called x-uuencode",
    "x-nonsense",
)
DISPOSITIONS = (
    "",
    "",
    "",
    "inline",
    "attachment",
    "inline; filename=a.bin",
    "attachment; filename=b.txt",
    "form-data; name=c",
)
FAULTS = (
    "",
    "",
    "",
    "",
    "no empty line",
    "no semicolon",
    "no end",
    "no header",
    "blanks for an empty line",
    "wrong boundary",
    "end too early",
    "stray line",
)


@dataclass
class Maker:
    """Writes a mail's parts; each text part has words that no other has."""

    draw: st.DrawFn
    said: list[str]
    faults: tuple[str, ...]
    boundaries: int = 0

    def pick(self, values: tuple[str, ...]) -> str:
        return self.draw(st.sampled_from(values))

    def part(self, depth: int) -> str:
        return self.container(depth) if depth > 0 and self.draw(st.booleans()) else self.leaf()

    def container(self, depth: int) -> str:
        self.boundaries += 1
        boundary, fault = f"=_{self.boundaries}_", self.pick(self.faults)
        children = [self.part(depth - 1) for _ in range(self.draw(st.integers(1, 3)))]
        semicolon = " " if fault == "no semicolon" else "; "
        named = "other" if fault == "wrong boundary" else boundary
        header = f'Content-Type: multipart/{self.pick(CONTAINERS)}{semicolon}boundary="{named}"\n'
        between = f"--{boundary}\n"
        if fault == "end too early" and len(children) > 1:
            between = f"--{boundary}--\n\n--{boundary}\n"
        end = "" if fault == "no end" else f"\n--{boundary}--\n"
        return f"{header}\n--{boundary}\n{between.join(f'{child}' + chr(10) for child in children)}{end}"

    def leaf(self) -> str:
        kind, encoding, disposition, fault = (
            self.pick(KINDS),
            self.pick(ENCODINGS),
            self.pick(DISPOSITIONS),
            self.pick(self.faults),
        )
        number = len(self.said)
        words = f"the {'abcdefghij'[number % 10] * 4}{number} lamp is = broken, row{number} {'x' * number}z"
        if not kind.startswith("image"):
            self.said.append(words)
        body = f"<p>{words}</p>" if kind in ("text/html", "text/x-amp-html") else words
        if kind == "message/rfc822":
            body, encoding = f"Subject: other {number}\n\n{words}", ""
        header = ""
        if kind and fault != "no header":
            header = f"Content-Type: {kind}{' ' if fault == 'no semicolon' else '; '}charset=utf-8\n"
        if encoding and fault != "no header":
            header += f"Content-Transfer-Encoding: {encoding.removeprefix('called ')}\n"
        if disposition and fault != "no header":
            header += f"Content-Disposition: {disposition}\n"
        if encoding == "base64" and header:
            body = base64.encodebytes(body.encode()).decode()
        if encoding == "quoted-printable" and header:
            body = quopri.encodestring(body.encode()).decode()
        if fault == "stray line":
            header += "this is no field\n"
        empty = {"no empty line": "", "blanks for an empty line": "  \n", "no header": ""}.get(fault, "\n")
        if fault == "no empty line" and (kind == "message/rfc822" or encoding in ("base64", "quoted-printable")):
            empty = "\n"  # what follows is no line of words
        return f"{header}{empty}{body}"


@st.composite
def mails(draw: st.DrawFn, faults: tuple[str, ...] = FAULTS) -> tuple[bytes, list[str]]:
    """A mail, and the words of each of its text parts."""
    maker = Maker(draw, [], faults)
    head = "From: kim@nordlys.example\nSubject: lamp\nMIME-Version: 1.0\n"
    raw = head + maker.container(draw(st.integers(0, 2)))
    if draw(st.booleans()):
        raw = raw.replace("\n", "\r\n")
    return raw.encode(), maker.said


def kept(reading: Reading) -> str:
    files = [file.content.decode("utf-8", "replace") for file in reading.files]
    return "\n".join([reading.text, reading.html or "", *reading.wrong, *files])


@settings(max_examples=400, deadline=None)
@given(mails())
def test_no_part_of_any_structure_loses_its_words(made: tuple[bytes, list[str]]) -> None:
    raw, said = made
    found = kept(read(raw))
    for words in said:
        assert [word for word in words.replace(",", "").split() if word not in found] == []


@settings(max_examples=200, deadline=None)
@given(mails(faults=("", "no semicolon", "no end", "end too early")))
def test_another_parser_finds_no_words_that_are_lost(made: tuple[bytes, list[str]]) -> None:
    raw, _ = made
    assert lost_words(raw, read(raw)) == set()


@pytest.mark.parametrize("seed", sorted((SEEDS / "mail").glob("*.seed")), ids=lambda path: str(path.stem))
def test_what_fuzzing_found_loses_no_words(seed: Path) -> None:
    raw = seed.read_bytes()
    assert lost_words(raw, read(raw)) == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_mails_of_the_corpora_lose_no_words(folder: str) -> None:
    if not (CORPORA / folder).is_dir():
        pytest.skip(f"../shared/corpora/{folder} is not here")
    for path in sorted((CORPORA / folder).rglob("*")):
        if path.suffix in (".eml", ".txt", ".msg") and path.is_file():
            raw = path.read_bytes()
            assert lost_words(raw, read(raw)) == set(), path


def test_words_outside_of_all_parts_are_kept_however_many_there_are() -> None:
    between = b"".join(b"--b\n\nlamp%d\n--b--\nbetween%d and after\n" % (n, n) for n in range(12))
    found = kept(read(b"Content-Type: multipart/mixed; boundary=b\n\n" + between))
    assert [n for n in range(12) if f"lamp{n}" not in found or f"between{n}" not in found] == []


def test_notes_that_are_left_out_point_to_the_original_mail() -> None:
    stray = b"".join(b"--b\nContent-Type: text/plain\nstray %d\nContent-Language: en\n\nlamp\n" % n for n in range(30))
    notes = read(b"Content-Type: multipart/mixed; boundary=b\n\n" + stray + b"--b--\n").wrong
    assert len(notes) == MOST_NOTES
    assert "original mail" in notes[-1]


@pytest.mark.parametrize("blanks", [b"\n", b" ", b"\r\n"])
def test_a_text_whose_end_is_not_decoded_has_a_note(blanks: bytes) -> None:
    body = base64.encodebytes(b"the lamp is broken\n") + blanks * MOST_ENCODED_BYTES + b"and so is the door"
    found = read(b"Content-Transfer-Encoding: base64\n\n" + body)
    assert "the lamp is broken" in found.text
    assert any("the rest is in the original mail" in note for note in found.wrong)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r", b" \n"])
def test_a_file_is_decoded_whatever_ends_its_lines(line_end: bytes) -> None:
    content = bytes(range(256)) * 3
    encoded = base64.encodebytes(content).replace(b"\n", line_end)
    header = b"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n"
    assert [file.content for file in read(header + encoded).files] == [content]
