"""What administrators may and may not write in templates."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.notices.to_customers import RECEIPT
from shared.templates import LONGEST_RESULT, render

KNOWN = {
    "customer": {"name": "Per Hansen", "email": "per@customer.example"},
    "agent": {"name": "Kari"},
    "queue": {"name": "IT support"},
    "ticket": {"number": "2026112310000018", "title": "It hums"},
}


@pytest.mark.parametrize("source", ["{{ self }}", "{{ self.title }}", "{% if self %}x{% endif %}"])
def test_a_template_cannot_show_itself(source: str) -> None:
    assert render(source, KNOWN) == f"[template not usable: self is not a variable]\n{source}"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("Hei {{ customer.name }},", "Hei Per Hansen,"),
        ("{{ ticket.number }} {{ ticket.title|upper }} {{ agent.name }} {{ queue.name }} {{ customer.email }}",
         "2026112310000018 IT HUMS Kari IT support per@customer.example"),
        ("{% if customer.name %}Hei {{ customer.name }}{% else %}Hei{% endif %}", "Hei Per Hansen"),
        ("{% if customer.phone %}call{% else %}mail{% endif %}", "mail"),
        ("{{ 'a' if queue.name == 'IT support' else 'b' }}", "a"),
        ("{{ customer.phone|default('none', true) }}", "none"),
        ("line\n", "line\n"),
        ("{# a remark #}x{% raw %}{{ y }}{% endraw %}", "x{{ y }}"),
    ],
)  # fmt: skip
def test_values_and_choices(source: str, text: str) -> None:
    assert render(source, KNOWN) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ customer.phone }}", "[unknown: customer.phone]"),
        ("{{ person.name }}", "[unknown: person.name]"),
        ("{{ person.name.first }}", "[unknown: person.name.first]"),
        ("{{ nobody }}", "[unknown: nobody]"),
        ("{{ customer }}", "[unknown: customer]"),
        ("{{ customer.items }}", "[unknown: customer.items]"),
        ("{{ customer.fields }}", "[unknown: customer.fields]"),
        ("{{ customer.__class__ }}", "[unknown: customer.__class__]"),
        ("{{ customer.name.__class__.__mro__ }}", "[unknown: __class__.__mro__]"),
        ("{{ range }}", "[unknown: range]"),
    ],
)
def test_what_there_is_not_is_marked(source: str, text: str) -> None:
    assert render(source, KNOWN) == text


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 'x' * 10**9 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ customer.name.upper() }}",
        "{{ cycler('a') }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% set x = 1 %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ customer['name'] }}",
        "{{ customer.name[0] }}",
        "{{ customer.name|center(1000000000) }}",
        "{{ customer.name|attr('x') }}",
        "{{ customer.name ~ customer.name }}",
        "{{ [1, 2] }}",
        "{{ customer.name is divisibleby 0 }}",
        "{{ customer.name",
        "{% if %}",
        "{{ }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if 1 %}" * 500 + "{% endif %}" * 500,
        "x" * 60_000,
    ],
)
def test_nothing_else_is_evaluated_and_its_writer_gets_an_error(source: str) -> None:
    started = time.process_time()
    text = render(source, KNOWN)
    assert text.startswith("[template not usable: ")
    assert source[:1_000] in text
    assert time.process_time() - started < 2


def test_an_impossible_comparison_is_reported_too() -> None:
    assert render("{{ customer.name < 1 }}", KNOWN).startswith("[template not usable: TypeError]")


def test_a_value_is_never_taken_for_a_template() -> None:
    assert render("{{ customer.name }}", {"customer": {"name": "{{ 7 * 7 }}{% raw %}"}}) == "{{ 7 * 7 }}{% raw %}"


def test_the_receipt_knows_all_its_words() -> None:
    text = render(RECEIPT.text, {key: value for key, value in KNOWN.items() if key != "agent"})
    assert "[" not in text


@given(st.text(alphabet=st.sampled_from("{}%#-|.() \n'abcustomer.namequeiflsnd[]*~+0123456789"), max_size=60))
def test_any_template_gives_a_text(source: str) -> None:
    assert len(render(source, KNOWN)) <= LONGEST_RESULT


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_value_is_shown_as_it_is(name: str, title: str) -> None:
    assert (
        render("<{{ customer.name }}|{{ ticket.title }}>", {"customer": {"name": name}, "ticket": {"title": title}})
        == f"<{name}|{title}>"
    )
