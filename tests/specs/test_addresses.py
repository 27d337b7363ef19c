"""One definition of a mail address (decision 0088)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import addresses


@pytest.mark.parametrize(
    ("spelt", "canonical"),
    [
        ("Ida@Shop.Example", "ida@shop.example"),
        ("  ida@shop.example ", "ida@shop.example"),
        ("ida@shop.example.", "ida@shop.example"),
        ("ida@kjøtt.example", "ida@xn--kjtt-hra.example"),
        ("ida@KJØTT.example", "ida@xn--kjtt-hra.example"),
        ("ida@XN--KJTT-HRA.example", "ida@xn--kjtt-hra.example"),
        ("ida@mu\u0308ll.example", "ida@xn--mll-hoa.example"),
        ("ida@m\u00fcll\u3002example", "ida@xn--mll-hoa.example"),
        ("ida@maße.example", "ida@xn--mae-6ka.example"),
        ("ÅSE@shop.example", "åse@shop.example"),
        ("A\u030ase@shop.example", "åse@shop.example"),
        ('"fax 22"@gate.example', '"fax 22"@gate.example'),
        ('"ida.lie"@gate.example', "ida.lie@gate.example"),
        ('"ida\\.lie"@gate.example', "ida.lie@gate.example"),
        ('"a@b"@gate.example', '"a@b"@gate.example'),
        ("ida@my_host.local", "ida@my_host.local"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_two_spellings_of_one_mailbox_have_one_form(spelt: str, canonical: str | None) -> None:
    assert addresses.canonical(spelt) == canonical


@pytest.mark.parametrize(
    "wrong",
    [
        "", "@", "ida", "ida@", "@shop.example", "ida lie@shop.example", "ida@shop example", "ida@x@shop.example", "<i>@shop.example",
        "Ida <ida@shop.example>", ".ida@shop.example", "ida.@shop.example", "i..da@shop.example", "ida@.shop.example", "ida@shop..example",
        "ida@-shop.example", "ida@shop-.example", "ida@[192.0.2.7]", "ida@192.0.2.7", '"ida@shop.example', '""@shop.example', '"i"da"@shop.example',
        "ida,lie@shop.example", "ida\x00@shop.example", "ida\n@shop.example", "i" * 65 + "@shop.example", f"ida@{'x' * 64}.example",
        f"ida@{'.'.join(['shop' * 10] * 6)}.example", "ida@sh\u200bop..example", "ida@\u2603.example",
    ],
)  # fmt: skip
def test_an_invalid_address_has_no_canonical_form(wrong: str) -> None:
    assert addresses.canonical(wrong) is None


def test_a_real_mailbox_with_dots_beside_each_other_keeps_its_name_in_quotes() -> None:
    assert addresses.canonical("ida..lie.@phone.example") is None
    assert addresses.received("ida..lie.@phone.example") == '"ida..lie."@phone.example'
    assert addresses.received("ida lie@phone.example") is None


def test_people_see_the_domain_in_its_own_script() -> None:
    assert addresses.shown("ida@xn--kjtt-hra.example") == "ida@kjøtt.example"
    assert addresses.shown("ida@shop.example") == "ida@shop.example"
    assert addresses.shown("ida@xn--nonsense-.example") == "ida@xn--nonsense-.example"


@given(st.text(max_size=80) | st.emails())
def test_the_canonical_form_is_stable_and_survives_display(text: str) -> None:
    found = addresses.canonical(text)
    if found is not None:
        assert addresses.canonical(found) == found
        assert addresses.canonical(addresses.shown(found)) == found
        assert "\r" not in found
        assert "\n" not in found


@pytest.mark.parametrize(
    "spelt", ["\u200bida@fjell.example", "ida@fjell.example\ufeff", "i\u00adda@fjell.\u2060example"]
)
def test_invisible_characters_do_not_make_another_address(spelt: str) -> None:
    assert addresses.canonical(spelt) == "ida@fjell.example"
