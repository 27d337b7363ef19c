"""Rich text of mails: nothing in it runs or loads anything, what is harmless stays, and its text says what was
quoted."""

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.quoting.reply import new_text
from shared.markup import richtext

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"
PAYLOADS = CORPORA / "dompurify-xss" / "expect.json"
CLIENTS = CORPORA / "talon" / "tests" / "fixtures" / "html_replies"
HARMLESS = '<p>kept <b>bold</b> <a href="https://ok.example/">link</a></p><ul><li>one</li></ul>'
DANGEROUS = {
    "script", "style", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "meta", "link", "form", "input", "button", "select",
    "textarea", "svg", "math", "template", "noscript", "audio", "video", "source", "picture", "html", "body", "head", "title", "plaintext", "xmp",
}  # fmt: skip


class Seen(HTMLParser):
    """The tags and attributes that a browser finds in HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def harmless(html: str) -> None:
    seen = Seen(html)
    assert not seen.tags & DANGEROUS
    for tag, name, value in seen.attributes:
        assert not name.startswith("on")
        assert name not in ("style", "srcset", "background", "action", "formaction", "srcdoc", "id", "name")
        if name in ("href", "src"):
            address = unquote(value).lower()
            assert address.startswith(("https://", "http://", "mailto:", "tel:", "#") if tag == "a" else ("cid:",)), (
                value
            )


def shown(html: str) -> str:
    safe = richtext.read(html)[1]
    assert safe is not None
    return safe


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "\u2028javascript:alert(1)", "\xa0javascript:alert(1)", "&#x1;javascript:alert(1)", "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)", "vbscript:x", "data:text/html,x", "//evil.example", "/path", "file:///etc", " \u200bjavascript:x", "&Tab;javascript:x",
        "\ufeffjavascript:x", "cid:x",
    ],
)  # fmt: skip
def test_an_address_without_a_known_scheme_is_left_out(address: str) -> None:
    assert "href" not in shown(f'<a href="{address}">x</a>')
    assert "src" not in shown(f'<img src="{address}" alt="x">').replace('src="cid:x"', "")


@pytest.mark.parametrize(
    "address", ["https://ok.example/?a=1", "HTTP://ok.example", "mailto:a@b.example", "tel:+4712345678", "#below"]
)
def test_a_known_address_stays(address: str) -> None:
    assert f'href="{address}"' in shown(f'<a href="{address}">x</a>')
    assert f'href="{address}"' in shown(f'<a href="\u2028 {address}">x</a>')


def test_images_of_the_mail_stay_and_remote_ones_are_set_aside() -> None:
    html = '<p>x<img src="cid:logo@1" width="10"><img src="https://tracker.example/1.gif"><img srcset="//tracker.example/2 2x" alt="logo"></p>'
    safe = shown(html)
    assert (
        safe
        == '<p>x<img src="cid:logo@1" width="10"><img data-remote="https://tracker.example/1.gif"><img alt="logo"></p>'
    )
    assert [value for _, name, value in Seen(richtext.with_remote_images(safe)).attributes if name == "src"] == [
        "cid:logo@1",
        "https://tracker.example/1.gif",
    ]
    assert 'referrerpolicy="no-referrer" src="https://tracker.example' in richtext.with_remote_images(safe)
    assert shown(safe) == safe.replace(' data-remote="https://tracker.example/1.gif"', "").replace("<img>", "")


def test_text_about_images_is_not_changed() -> None:
    words = (
        '<p title=\'<img data-remote="http://tracker.example">\'>&lt;img data-remote="http://tracker.example"&gt;</p>'
    )
    link = '<a href="https://ok.example/" title=\'<img data-remote="http://tracker.example">\'>x</a>'
    for html in (words, link):
        safe = shown(html)
        assert richtext.with_remote_images(safe) == safe
        assert richtext.with_own_images(safe, {"a": "/b"}) == safe


def test_images_that_came_with_a_message_come_from_where_they_are() -> None:
    safe = shown('<img alt="a" src="cid:a%40b&amp;c" width="10"><img src="cid:other"><img src="CID:a@b&amp;c">')
    placed = Seen(richtext.with_own_images(safe, {"a@b&c": '/blobs/"1'}))
    assert [value for _, name, value in placed.attributes if name == "src"] == ['/blobs/"1', "cid:other", '/blobs/"1']


def test_hostile_fragments_of_the_corpus_are_harmless() -> None:
    if not PAYLOADS.is_file():
        pytest.skip("../shared/corpora/dompurify-xss is not here")
    for case in json.loads(PAYLOADS.read_text()):
        safe = shown(HARMLESS + case["payload"])
        harmless(safe)
        assert "kept" in safe
        assert 'href="https://ok.example/"' in safe


@given(st.lists(st.sampled_from(["<", ">", "/", "a", "img", " ", '"', "'", "=", "href", "src", "cid:x", "http://x", "data-remote", "javascript:", "&", "#", ";", "\u2028", "<img>",
                                 "blockquote", "type", "cite", "x", "<!--", "-->", "script", "style", "svg", "math", "title"]), max_size=60))  # fmt: skip
def test_any_mixture_of_tags_is_harmless(pieces: list[str]) -> None:
    _, safe = richtext.read("".join(pieces))
    harmless(safe or "")
    remote = Seen(richtext.with_remote_images(safe or ""))
    assert remote.tags == Seen(safe or "").tags
    assert all(value.startswith(("cid:", "http")) for _, name, value in remote.attributes if name == "src")


def test_quotes_of_rich_text_have_marks_in_the_text() -> None:
    html = (
        '<p>Answer</p><blockquote type="cite"><p>first</p><blockquote class="gmail_quote">older<br>words</blockquote>last</blockquote>'
        "<blockquote>only moved in</blockquote>"
    )
    lines = [line for line in richtext.read(html)[0].splitlines() if line.strip("> ")]
    assert lines == ["Answer", "> first", ">> older", ">> words", "> last", "only moved in"]


def test_the_clients_of_the_corpus_are_known_by_their_rich_text() -> None:
    if not CLIENTS.is_dir():
        pytest.skip("../shared/corpora/talon is not here")
    for path in sorted(CLIENTS.glob("*.html")):
        assert new_text(richtext.read(path.read_text(errors="replace"))[0]).split() == [
            "Hi.",
            "I",
            "am",
            "fine.",
            "Thanks,",
            "Alex",
        ], path.name


@pytest.mark.parametrize(
    ("html", "sent"),
    [
        ('<p>See <img src="https://help.example/a.png" alt="a"></p>', ["https://help.example/a.png"]),
        (
            '<img src="https://help.example/a.png"><blockquote type="cite"><img src="https://evil.example/b.png"></blockquote>',
            ["https://help.example/a.png"],
        ),
        (
            '<blockquote><blockquote>x</blockquote><img src="https://evil.example/b.png"></blockquote><img src="http://help.example/a.png">',
            ["http://help.example/a.png"],
        ),
        ('<blockquote><img alt="</blockquote>" src="cid:x"><img src="https://evil.example/b.png"></blockquote>', []),
        ('<blockquote><b title="</blockquote>">x</b><img src="https://evil.example/b.png">', []),
    ],
)
def test_what_an_agent_sends_shows_their_own_images_and_none_of_those_they_quote(html: str, sent: list[str]) -> None:
    seen = Seen(richtext.as_sent(shown(html)))
    assert [value for _, name, value in seen.attributes if name == "src" and value.startswith("http")] == sent
    harmless(shown(html))
