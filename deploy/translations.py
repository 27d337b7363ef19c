"""Brings the catalogues of translations up to date: `python -m deploy.translations`.

Takes every marked text from the code into `shared/languages/catalogues/*.po`, removes the others, and lists what is to
be translated. A text that was changed keeps no translation: people read it again. With `--check` it changes nothing and
fails if a catalogue is out of date or lacks a translation.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.core import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from shared.languages.known import LOCALES, Language
from shared.languages.translator import CATALOGUES

ROOT = Path(__file__).parents[1]
SOURCES = ("services", "shared")
KEYWORDS = {"N_": None, "gettext": None, "ngettext": (1, 2)}
"""The functions whose arguments are texts."""
HEADER = """\
# The texts of Ledgerdesk in {language}, translated by hand. `python -m deploy.translations` brings the file up to date.
# Keep what stands in braces or in {{% %}} as it is; lines may move.
"""
_PLACES = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{[a-z_]+\}")


def extracted() -> Catalog:
    """All marked texts, with the files that they are in."""
    found = Catalog()
    for source in SOURCES:
        files = extract_from_dir(
            ROOT / source, method_map=[("**/shared/languages/translator.py", "ignore"), ("**.py", "python")],
            keywords=KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True,
        )  # fmt: skip
        for name, _, message, comments, _ in files:
            found.add(message, None, [(f"{source}/{name}", 0)], auto_comments=comments)
    return found


def updated(language: Language, texts: Catalog) -> bytes:
    """The catalogue with exactly these texts, and the translations that it has of them."""
    path = CATALOGUES / f"{language}.po"
    known = read_po(BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
    made = Catalog(locale=language, header_comment=HEADER.format(language=made_name(language)), fuzzy=False)
    for message in texts:
        if message.id:
            before = known.get(message.id)
            kept = before.string if before is not None and before.id == message.id else None
            locations = sorted(set(message.locations))
            made.add(message.id, kept, locations, auto_comments=message.auto_comments)
    written = BytesIO()
    write_po(written, made, width=100, include_lineno=False, sort_output=False, omit_header=False)
    return _without_dates(written.getvalue())


def made_name(language: Language) -> str:
    """The language's English name."""
    return Locale.parse(language).english_name or language


def faults(language: Language, texts: Catalog) -> Iterator[str]:
    """What is wrong with the translations of a language: missing ones, and other variables than the text has."""
    path = CATALOGUES / f"{language}.po"
    known = read_po(BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
    for message in texts:
        if not message.id:
            continue
        found = known.get(message.id)
        if found is None or not found.string or (not isinstance(found.string, str) and not all(found.string)):
            yield f"{language}: not translated: {_begin(message)}"
            continue
        forms = [found.string] if isinstance(found.string, str) else list(found.string)
        if isinstance(message.id, tuple) and len(forms) != known.num_plurals:
            yield f"{language}: {known.num_plurals} forms are needed: {_begin(message)}"
        wanted = places(message.id if isinstance(message.id, str) else message.id[1])
        for form in forms:
            if places(form) != wanted:
                yield f"{language}: other variables ({', '.join(places(form))}): {_begin(message)}"
    yield from (f"{language}: no such text: {_begin(each)}" for each in known if each.id and texts.get(each.id) is None)


def places(text: str) -> list[str]:
    """What stands in braces in a text: the same in every language, in any order."""
    return sorted(_PLACES.findall(text))


def main(arguments: list[str]) -> int:
    texts, wrong = extracted(), False
    for language in LOCALES:
        if language == "en":
            continue
        path, wanted = CATALOGUES / f"{language}.po", updated(language, texts)
        if "--check" not in arguments:
            path.write_bytes(wanted)
        elif not path.exists() or path.read_bytes() != wanted:
            print(f"{path} is out of date: run python -m deploy.translations", file=sys.stderr)
            wrong = True
        for fault in faults(language, texts):
            print(fault, file=sys.stderr)
            wrong = True
    return int(wrong and "--check" in arguments)


def _begin(message: Message) -> str:
    text = message.id if isinstance(message.id, str) else message.id[0]
    return " ".join(text.split())[:70]


def _without_dates(content: bytes) -> bytes:
    """The file without the fields of its header that change with the day and the program."""
    dropped = re.compile(
        rb'"(?:POT-Creation-Date|PO-Revision-Date|Project-Id-Version|Report-Msgid-Bugs-To|Last-Translator|Language-Team'
        rb"|Generated-By|MIME-Version): .*\n"
    )
    return dropped.sub(b"", content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
