"""HTML is read at a cost that its size decides: what is built from it is what stands there, and no word of it is lost."""

import re
from collections.abc import Callable
from itertools import pairwise

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.markup import richtext
from shared.markup.tokens import End, Start, Token, tokens
from shared.markup.tree import DEEPEST, MOST_TAGS, balanced

ATTRIBUTES = {"a": {"href"}, "blockquote": {"type"}, "img": {"src"}, "ol": {"start"}}
EVERYTHING = 10**9

FORMATTING = ("b", "i", "a href=x", "font", "em", "u", "s", "code", "nobr", "small")
STRUCTURE = (
    "p",
    "div",
    "table",
    "tr",
    "td",
    "th",
    "tbody",
    "thead",
    "caption",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "h1",
    "h3",
    "pre",
    "blockquote type=cite",
    "center",
)
OTHERS = ("br", "hr", "img src=cid:x", "span", "svg", "math", "mi", "select", "option", "form", "section", "button", "body", "html", "col", "ruby", "rt",
          "details", "summary", "textarea", "plaintext", "template", "frameset", "noscript")  # fmt: skip


def jumble() -> st.SearchStrategy[str]:
    names = st.sampled_from(FORMATTING) | st.sampled_from(STRUCTURE) | st.sampled_from(OTHERS)
    starts = names.map(lambda name: f"<{name}>")
    ends = names.map(lambda name: f"</{name.split()[0]}>")
    words = st.sampled_from(["one ", " two", "three", " ", "\n", "&amp;", "< "])
    return st.lists(starts | ends | words, max_size=80).map("".join)


@settings(max_examples=300)
@given(jumble())
def test_a_parser_builds_what_stands_there(html: str) -> None:
    """A parser that follows the standard, as browsers do, finds nothing to repair."""
    whole = balanced(html, ATTRIBUTES, EVERYTHING)[1]
    assert whole is not None
    read = nh3.clean(whole, attributes=ATTRIBUTES, link_rel=None, url_schemes={"cid"})
    assert read == re.sub(r"<pre>\n", "<pre>", whole)


@settings(max_examples=300)
@given(jumble())
def test_every_word_between_the_tags_is_in_the_text_and_in_the_html(html: str) -> None:
    text, whole = balanced(html, ATTRIBUTES, EVERYTHING)
    written = "".join(re.findall(r"one|two|three", re.sub(r"<[^<>]*>", "", html)))
    assert "".join(re.findall(r"one|two|three", text)) == written
    assert "".join(re.findall(r"one|two|three", re.sub(r"<[^<>]*>", "", whole or ""))) == written


HOSTILE: dict[str, Callable[[int], str]] = {
    "formatting that stays open": lambda n: "<p>" + "".join(f"<b id={k}></i>" for k in range(n)) + "<p>x" * n,
    "links that stay open": lambda n: "<a href=https://x.example/>" * n + "<p>x" * n,
    "formatting in each paragraph": lambda n: "<p><b><i><u><s>x" * n,
    "formatting that ends in other paragraphs": lambda n: "<b><p>x</b>" * n,
    "formatting in tables, outside of cells": lambda n: "<table><b>x<i>y" * n,
    "rows outside of tables": lambda n: "<tr><td>x" * n,
    "cells": lambda n: "<table><tr>" + "<td>x" * n,
    "tables in tables": lambda n: "<table><tr><td>" * n + "x",
    "depth": lambda n: "<div>" * n + "x" + "</div>" * n,
    "quotes": lambda n: "<blockquote type=cite>" * n + "<p>x" * n,
    "lists": lambda n: "<ul>" * n + "<li>x" * n,
    "end tags that end nothing": lambda n: "<div>" * DEEPEST + "</b>" * n + "x",
    "attributes": lambda n: "<p" + "".join(f" a{k}=1" for k in range(n)) + ">x",
    "an attribute": lambda n: f"<p title='{'y' * n}'>x",
    "quotation marks that stay open": lambda n: "<a href=\"<a href='" * n + ">x",
    "comments that stay open": lambda n: "<!-- " * n + "x",
    "styles that stay open": lambda n: "<style></style " * n + ">x",
    "foreign elements": lambda n: "<svg><math><mi><p>x" * n,
    "references": lambda n: "&amp" * n + "&#0" * n + "&#" + "1" * n + "x",
    "literal text": lambda n: "<plaintext><xmp><textarea>x" * n,
    "styles in attributes": lambda n: f"<p style='{'background:url(x);' * n}'>x",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_built_grows_as_its_size_does(kind: str) -> None:
    sizes = []
    for n in (2_000, 4_000, 8_000):
        html = HOSTILE[kind](n)
        text, whole = balanced(html, ATTRIBUTES, EVERYTHING)
        assert "x" in text
        assert whole is not None
        assert "x" in whole
        sizes.append((len(html), len(text) + len(whole), len(nh3.clean(whole))))
    for (size, built, read), (double_size, double_built, double_read) in pairwise(sizes):
        assert double_size < 2.2 * size
        assert double_built < 2.2 * built + 100
        assert double_read < 2.2 * read + 100


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_tags_that_are_looked_at_are_no_more_than_there_are(kind: str) -> None:
    html = HOSTILE[kind](2_000)
    assert sum(not isinstance(token, str) for token in tokens(html)) <= html.count("<")


@pytest.mark.parametrize(
    "around",
    ["<div>{}</div>", "<table><tr><td>{}</td></tr></table>", "<span>{}</span>", "<ul><li>{}</ul>", "<b>{}</b>"],
)
@pytest.mark.parametrize("depth", [100, 260, 3_000])
def test_deep_words_are_words(around: str, depth: int) -> None:
    before, after = around.split("{}")
    text, safe = richtext.read(f"<p>above{before * depth}deep inside{after * depth}<p>below")
    assert [line.strip(" *") for line in text.splitlines() if line.strip(" *")] == (
        ["above", "deep inside", "below"] if around[1] not in "sb" else ["abovedeep inside", "below"]
    )
    assert safe is not None
    assert re.search("above.*deep inside.*below", safe, re.DOTALL)


def test_more_tags_than_are_shown_leave_the_words() -> None:
    text, whole = balanced("<p>one <b>two</b><p>three" * (MOST_TAGS // 2), ATTRIBUTES, EVERYTHING)
    assert whole is None
    assert text.split("\n\n", 1)[0] == "one two"
    assert text.count("one two") == text.count("three") == MOST_TAGS // 2


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("a < b <c and d", ["a < b <c and d"]),
        ("<p>a<b", [Start("p", {}), "a<b"]),
        ("<A HREF='x>y' Href=z B>", [Start("a", {"href": "x>y", "b": ""})]),
        ("<a href=\"x>words<b>more", [Start("a", {"href": "", "x": ""}), "words", Start("b", {}), "more"]),
        ("a<!--b-->c<!-->d<!--->e<!--f--!>g", ["a", "c", "d", "e", "g"]),
        ("a<!-- words", ["a", " words"]),
        ("<script>if (a < b) x</SCRIPT >y", [Start("script", {}), "y"]),
        ("<style>words", [Start("style", {}), "words"]),
        ("<![if !mso]>x<![endif]><?xml?>y</>z</ q>", ["x", "y", "z"]),
        ("</p class='>'>x", [End("p"), "x"]),
        ("&#65;&#00000000066;&#x110000;&#99999999999;&nbsp;&zwnj;", ["AB\ufffd\ufffd\xa0\u200c"]),
    ],
)  # fmt: skip
def test_tags_and_words(html: str, found: list[Token]) -> None:
    assert list(tokens(html)) == found


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one\n two<p>three", "one two\n\nthree"),
        ("<div>one<br>two<br></div><div><br></div><div>three</div>", "one\ntwo\n\nthree"),
        ("<table><tr><td>Room<td><b>4</b><tr><td>Floor<td>2</table>", "Room  4\nFloor  2"),
        ("<table><tr><td><p>Room</p></td><td><p>4</p></td></tr></table>", "Room  4"),
        ("<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\nc"),
        ("<table><tr><td>left<td><table><tr><td>x<td>y<tr><td>z</table></table>below", "left  x  y\nz\nbelow"),
        ("<ul><li>one<li>two<ol start=3><li>a<li>b</ol></ul>after", "* one\n  * two\n    3. a\n    4. b\nafter"),
        ("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\nd"),
        ("a<hr>b", f"a\n{'_' * 32}\nb"),
        ("<section>a</section><section>b</section><option>c<option>d", "a\nb\nc\nd"),
        ("one <b>two</b>, <i> three</i>", "one two, three"),
        ("<blockquote type=cite>a<br><br><br>b</blockquote>c", "> a\n>\n> b\n\nc"),
    ],
)
def test_text_as_it_is_seen(html: str, text: str) -> None:
    assert balanced(html, ATTRIBUTES, EVERYTHING)[0] == text
