"""Reads names and addresses in header fields (RFC 5322, 3.4) as mail programs do, also in fields that do not follow the
grammar.

Whether an address is valid is checked elsewhere. Linear in the field's length; never raises.
"""

import re
from dataclasses import dataclass, field

from services.intake.mail.charsets.encoded_words import words_decoded

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.){0,1000}"|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.){0,1000}\)){0,1000}\)|<(?:"(?:[^"\\]|\\.){0,62}"@)?[^<>]*>|\s+|[^\s,;:<>()"]+|.',
    re.DOTALL,
)
_LOCAL = r'(?:"(?:[^"\\\x00-\x1f]|\\[ -~]){1,62}"|[^\s@<>()\[\],;:"\\]{1,64})'
_ADDRESS = re.compile(rf"{_LOCAL}@[^\s@<>()\[\],;:\"\\]{{1,190}}")
_AROUND_AT = re.compile(r"\s*@\s*")
_ROUTE = re.compile(r"\s*@[^:]{1,500}:")
_NEEDLESS_QUOTES = re.compile(r'"([^\s@<>()\[\],;:"\\.]+(?:\.[^\s@<>()\[\],;:"\\.]+)*)"(?=@)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTES = "'\"`´‘’‚‛“”„ \t"


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """One name and address. `rivals`: other addresses in places where another program may read the address."""

    address: str
    name: str = ""
    rivals: tuple[str, ...] = ()


def named_addresses(value: str) -> list[NamedAddress]:
    """The names and addresses of a field's value, before its encoded words are decoded; also those in groups.

    A value with encoded words and without an address is decoded first: some programs encode the whole value.
    """
    found = _read(value)
    if not found and "=?" in value:
        found = _read(words_decoded(value))
    if not found and "@" in value:
        found = _read(_AROUND_AT.sub("@", value))
    return found


@dataclass(slots=True)
class _Open:
    """A name and address that are still being read. `before`: words before a comma that have no address ("Berg, Kim
    <...>")."""

    words: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    brackets: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)


def _read(value: str) -> list[NamedAddress]:
    found: list[NamedAddress] = []
    current = _Open()
    for token in _tokens(value):
        match token[0]:
            case "," | ";" if len(token) == 1:
                current = _ended(current, found, joins=token == ",")
            case ":" if len(token) == 1:
                current = _Open()  # the name of a group, or "mailto"
            case "<" if len(token) > 1:
                current.brackets.append(token[1:-1])
            case "(" if len(token) > 1:
                current.comments.append(token[1:-1])
            case '"' if len(token) > 1:
                current.words.append(_ESCAPED.sub(r"\1", token[1:-1]))
            case "<" | ">" | "(" | ")" | '"':
                current.words.append(" ")
            case _:
                current.words.append(token)
                current.plain.append(token)
    _ended(current, found, joins=False)
    return found


def _tokens(value: str) -> list[str]:
    """The tokens of a value. A quoted local part and its domain are one token; a quotation mark without a second one is
    ignored."""
    tokens: list[str] = []
    place = 0
    odd = value.count('"') % 2 == 1
    while (match := _TOKEN.match(value, place)) is not None:
        token = match.group()
        if odd and token[0] == '"' and len(token) > 1 and "<" in token and "@" in token:
            token, odd = '"', False
        place += len(token)
        if token[0] == '"' and len(token) > 1 and (local := _ADDRESS.match(value, match.start())) is not None:
            token = local.group()
            place = match.start() + len(token)
            tokens.append(" " + token)  # so that it is a word, not a quoted string
            continue
        tokens.append(token)
    return tokens


def _ended(current: _Open, found: list[NamedAddress], *, joins: bool) -> _Open:
    """Ends the current name and address; returns the start of the next one."""
    plain = "".join(current.plain)
    bare = _addresses(plain)
    bracketed = [
        address for each in current.brackets for address in _addresses(_AROUND_AT.sub("@", each), "=?" in each)
    ]
    words = "".join(current.words)
    if not bracketed and not bare:
        named = [*current.before, words.strip()] if words.strip() else current.before
        return _Open(before=named) if joins and not current.brackets else _Open()
    if not bracketed:
        for address in bare:
            words = words.replace(address, " ")
        words = words.strip(" \t.[]")
    name = _name(", ".join([*current.before, words.strip()]) if bracketed else words)
    if not name and current.comments:
        name = _name(_ESCAPED.sub(r"\1", current.comments[-1]))
    if not bracketed:
        found += [NamedAddress(each, name if len(bare) == 1 and name != each else "") for each in bare]
        return _Open()
    last = _addresses(_AROUND_AT.sub("@", current.brackets[-1]), "=?" in current.brackets[-1]) or bracketed[-1:]
    rivals = dict.fromkeys(each for each in (*bracketed, *bare) if each.lower() not in {own.lower() for own in last})
    for address in last:
        same = name.strip(_QUOTES).lower() == address.lower()
        found.append(NamedAddress(address, "" if same else name, tuple(rivals)))
    return _Open()


def _addresses(text: str, encoded: bool = False) -> list[str]:
    """The addresses in a text, without characters that some programs write around them; `encoded`: a part may be an
    encoded word."""
    if encoded:
        text = words_decoded(text)
    text = _ROUTE.sub("", text, count=1) if text.lstrip().startswith("@") else text
    found = (each.group().strip("'`´‘’“”").rstrip(".") for each in _ADDRESS.finditer(text))
    unquoted = (_NEEDLESS_QUOTES.sub(r"\1", each) for each in found)
    return [each for each in unquoted if each.partition("@")[2] and not each.startswith("@")]


def _name(words: str) -> str:
    """A display name. Encoded words are decoded even in quotation marks, where RFC 2047 does not allow them."""
    return " ".join(words_decoded(words).split()).strip(_QUOTES + "<>,;")
