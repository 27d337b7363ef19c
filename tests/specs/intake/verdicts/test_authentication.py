"""What Authentication-Results say about a mail's sender (RFC 8601), from trusted servers and from others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.verification.authentication_results import Authentication, authenticated

TRUSTED = frozenset(("mx.help.example",))
PER = ("per@acme.example",)


def found(*fields: str, senders: tuple[str, ...] = PER) -> Authentication:
    return authenticated(fields, TRUSTED, senders)


@pytest.mark.parametrize(
    ("field", "sender"),
    [
        ("mx.help.example; dmarc=pass header.from=acme.example", "proven"),
        ("MX.Help.Example 1; dmarc=pass (p=reject dis=none) header.from=Acme.Example", "proven"),
        ("mx.help.example;\r\n dkim=pass header.d=acme.example header.s=k1", "proven"),
        ('mx.help.example; dkim=pass reason="good; signature" header.i=@acme.example', "proven"),
        ("mx.help.example; dkim=pass header.d=newsletters.example", "unknown"),
        ("mx.help.example; dkim=fail header.d=acme.example", "unknown"),
        ("mx.help.example; spf=pass smtp.mailfrom=per@acme.example", "unknown"),
        ("mx.help.example; dmarc=fail header.from=acme.example", "disproven"),
        ("mx.help.example; dmarc=fail", "disproven"),
        ("mx.help.example; dmarc=pass header.from=other.example", "unknown"),
        ("mx.help.example; dmarc=none header.from=acme.example", "unknown"),
        ("mx.help.example; none", "unknown"),
        ("mx.help.example", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_a_trusted_server_found_counts(field: str, sender: str) -> None:
    assert found(field).sender == sender


@pytest.mark.parametrize(
    "field",
    [
        "mx.evil.example; dmarc=pass header.from=acme.example",
        "mx.help.example.evil.example; dmarc=pass header.from=acme.example",
        "(mx.help.example;) evil; dmarc=pass header.from=acme.example",
        '"x"; mx.help.example; dmarc=pass header.from=acme.example',
        "mx.help.example (dmarc=pass; header.from=acme.example",
        'mx.help.example; spf=fail reason="dmarc=pass header.from=acme.example"',
        "mx.help.example; spf=softfail (; dmarc=pass header.from=acme.example) smtp.mailfrom=x@evil.example",
        "mx.help.example; x-dmarc=pass header.from=acme.example",
    ],
)
def test_results_that_anybody_may_have_written_do_not_count(field: str) -> None:
    assert found(field).sender == "unknown"


def test_the_worse_result_counts() -> None:
    passed, failed = (f"mx.help.example; dmarc={each} header.from=acme.example" for each in ("pass", "fail"))
    assert found(passed, failed).sender == found(failed, passed).sender == "disproven"


def test_a_mail_with_several_senders_proves_nobody() -> None:
    both = ("per@acme.example", "boss@bank.example")
    for result in ("dmarc=pass header.from=acme.example", "dmarc=fail header.from=acme.example", "none"):
        assert found(f"mx.help.example; {result}", senders=both).sender == "ambiguous"
    assert found(senders=both).sender == "ambiguous"


def test_what_is_shown_names_the_server() -> None:
    shown = found("mx.help.example; spf=pass smtp.mailfrom=a@b.example; dkim=none", "other; dmarc=pass").results
    assert shown == ("spf=pass smtp.mailfrom=a@b.example (mx.help.example)", "dkim=none (mx.help.example)")


@given(st.lists(st.text(alphabet='mx.help.example; =()"\\dmarcpas\r\n\x00é', max_size=300), max_size=5))
def test_any_text_is_read(fields: list[str]) -> None:
    authenticated(fields, TRUSTED, PER)


def test_a_domain_in_another_script_is_the_same_however_a_server_spells_it() -> None:
    for domain in ("kjøtt.example", "xn--kjtt-hra.example", "KJØTT.example"):
        said = f"mx.help.example; dmarc=pass header.from={domain}"
        assert found(said, senders=("ida@xn--kjtt-hra.example",)).sender == "proven"
