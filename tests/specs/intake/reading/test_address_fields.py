"""Names and addresses are read as mail programs read them, also from fields that follow no grammar."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.reading import addresses, read
from services.intake.mail.structure.address_fields import named_addresses
from services.intake.mail.structure.mime import parse
from shared.addresses import shown

FIELDS = [
    # by the grammar
    ("ida@fjell.example", [("ida@fjell.example", "")]),
    ("Ida Lie <ida@fjell.example>", [("ida@fjell.example", "Ida Lie")]),
    ('"Lie, Ida" <ida@fjell.example>', [("ida@fjell.example", "Lie, Ida")]),
    ('"Ida \\"Idun\\" Lie" <ida@fjell.example>', [("ida@fjell.example", 'Ida "Idun" Lie')]),
    ("ida@fjell.example (Ida (\\(IT\\)) Lie)", [("ida@fjell.example", "Ida ((IT)) Lie")]),
    ("Ida <ida@fjell.example> (IT, room 4)", [("ida@fjell.example", "Ida")]),
    ("Team: ida@fjell.example, Per <per@fjord.example>;", [("ida@fjell.example", ""), ("per@fjord.example", "Per")]),
    ("undisclosed-recipients:;", []),
    ("<@relay.example,@mx.example:ida@fjell.example>", [("ida@fjell.example", "")]),
    ('Gateway <"voice 555 0100"@tele.example>', [('"voice 555 0100"@tele.example', "Gateway")]),
    ('"voice 555 0100"@tele.example', [('"voice 555 0100"@tele.example', "")]),
    ('Odd <"a>b"@tele.example>', [('"a>b"@tele.example', "Odd")]),
    ('Ida <"ida.lie"@fjell.example>', [("ida.lie@fjell.example", "Ida")]),
    ("Ida O'Lie <o'lie@fjell.example>", [("o'lie@fjell.example", "Ida O'Lie")]),
    ("идa@пример.example", [("идa@пример.example", "")]),
    # encoded
    ("=?utf-8?Q?Ida_L=C3=AFe_=3Cida=40fjell.example=3E?=", [("ida@fjell.example", "Ida Lïe")]),
    ("=?utf-8?Q?Ida_Lie?= =?utf-8?Q?_=3Cida=40fjell.example=3E?=", [("ida@fjell.example", "Ida Lie")]),
    ("Ida <=?utf-8?Q?ida=40fjell.example?=>", [("ida@fjell.example", "Ida")]),
    ("Ida <=?utf-8?Q?ida?=@fjell.example>", [("ida@fjell.example", "Ida")]),
    ('"=?utf-8?Q?L=C3=AFe=2C?= =?utf-8?Q?_Ida?=" <ida@fjell.example>', [("ida@fjell.example", "Lïe, Ida")]),
    ("=?utf-8?Q?L=C3=AFe=2C_Ida?= <ida@fjell.example>", [("ida@fjell.example", "Lïe, Ida")]),
    ("=?utf-8?Q?boss=40bank.example?= <ida@fjell.example>", [("ida@fjell.example", "boss@bank.example")]),
    ("ida@fjell.example (=?utf-8?Q?L=C3=AFe?=)", [("ida@fjell.example", "Lïe")]),
    # as programs and people write them
    ("shop@markt.example> <ida@fjell.example>", [("ida@fjell.example", "shop@markt.example")]),
    ("Shop <shop@markt.example> <ida@fjell.example>", [("ida@fjell.example", "Shop")]),
    ('"shop@markt.example" <ida@fjell.example>', [("ida@fjell.example", "shop@markt.example")]),
    ("'ida@fjell.example'", [("ida@fjell.example", "")]),
    ("'Ida Lie' <'ida@fjell.example'>", [("ida@fjell.example", "Ida Lie")]),
    ("“Ida Lie” <ida@fjell.example>", [("ida@fjell.example", "Ida Lie")]),
    ("IDA@fjell.example <ida@fjell.example>", [("ida@fjell.example", "")]),
    ("'ida@fjell.example' <ida@fjell.example>", [("ida@fjell.example", "")]),
    ("Ida <ida@fjell.example.>", [("ida@fjell.example", "Ida")]),
    ("ida@fjell.example.", [("ida@fjell.example", "")]),
    ("Ida < ida @ fjell.example >", [("ida@fjell.example", "Ida")]),
    ("ida @ fjell.example", [("ida@fjell.example", "")]),
    ("Ida <mailto:ida@fjell.example>", [("ida@fjell.example", "Ida")]),
    ("mailto:ida@fjell.example", [("ida@fjell.example", "")]),
    ("Ida <<ida@fjell.example>>", [("ida@fjell.example", "Ida")]),
    ("Ida Lie ida@fjell.example>", [("ida@fjell.example", "Ida Lie")]),
    ("Ida Lie <ida@fjell.example", [("ida@fjell.example", "Ida Lie")]),
    ("Ida Lie [ida@fjell.example]", [("ida@fjell.example", "Ida Lie")]),
    ("Lie, Ida <ida@fjell.example>", [("ida@fjell.example", "Lie, Ida")]),
    ("Lie, Ida, Dr. <ida@fjell.example>", [("ida@fjell.example", "Lie, Ida, Dr.")]),
    ("Lie (IT) [4], Ida <ida@fjell.example>", [("ida@fjell.example", "Lie [4], Ida")]),
    ("Lie, Ida <ida@fjell.example>, Berg, Per <per@fjord.example>", [("ida@fjell.example", "Lie, Ida"), ("per@fjord.example", "Berg, Per")]),
    ("ida@fjell.example; per@fjord.example", [("ida@fjell.example", ""), ("per@fjord.example", "")]),
    ("ida@fjell.example per@fjord.example", [("ida@fjell.example", ""), ("per@fjord.example", "")]),
    ("<ida@fjell.example,per@fjord.example>", [("ida@fjell.example", ""), ("per@fjord.example", "")]),
    ('"Ida Lie <ida@fjell.example>', [("ida@fjell.example", "Ida Lie")]),
    ('"Ida <ida@fjell.example>, "Per" <per@fjord.example>', [("ida@fjell.example", "Ida"), ("per@fjord.example", "Per")]),
    ("Ida (IT <ida@fjell.example>", [("ida@fjell.example", "Ida IT")]),
    (", ,ida@fjell.example,,", [("ida@fjell.example", "")]),
    ("Ida Lie", []),
    ("<>", []),
    ("@", []),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), FIELDS, ids=[value for value, _ in FIELDS])
def test_a_field_is_read_as_mail_programs_do(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(each.address, each.name) for each in named_addresses(value)] == expected


@pytest.mark.parametrize("field", ["From", "To", "Cc", "Reply-To"])
@pytest.mark.parametrize(("value", "expected"), FIELDS, ids=[value for value, _ in FIELDS])
def test_every_field_of_a_mail_is_read_alike(field: str, value: str, expected: list[tuple[str, str]]) -> None:
    root, _ = parse(f"{field}: {value}\n\nx".encode())
    assert [(shown(each.email), each.name) for each in addresses(root, field.lower())] == expected


@pytest.mark.parametrize(
    ("fields", "senders"),
    [
        (["Ida <ida@fjell.example>"], {"ida@fjell.example"}),
        (["Ida <ida@fjell.example>", "Ida <IDA@fjell.example>"], {"ida@fjell.example"}),
        (["ida@fjell.example <ida@fjell.example>"], {"ida@fjell.example"}),
        (['"per@fjord.example via Forum" <forum@fjell.example>'], {"forum@fjell.example"}),
        (["ida@fjell.example (per@fjord.example)"], {"ida@fjell.example"}),
        (["Ida <ida@fjell.example>", "per@fjord.example"], {"ida@fjell.example", "per@fjord.example"}),
        (["Ida <ida@fjell.example>, per@fjord.example"], {"ida@fjell.example", "per@fjord.example"}),
        (["Both: ida@fjell.example, per@fjord.example;"], {"ida@fjell.example", "per@fjord.example"}),
        (["<per@fjord.example> <ida@fjell.example>"], {"ida@fjell.example", "per@fjord.example"}),
        (["per@fjord.example> <ida@fjell.example>"], {"ida@fjell.example", "per@fjord.example"}),
        (["per@fjord.example ida@fjell.example"], {"ida@fjell.example", "per@fjord.example"}),
        (["<ida@fjell.example> per@fjord.example"], {"ida@fjell.example", "per@fjord.example"}),
        (["=?utf-8?Q?ida=40fjell.example=2C_per=40fjord.example?="], {"ida@fjell.example", "per@fjord.example"}),
    ],
)
def test_every_address_that_may_be_read_in_from_is_a_sender(fields: list[str], senders: set[str]) -> None:
    assert set(read("".join(f"From: {each}\n" for each in fields).encode() + b"\nx").senders) == senders


@given(st.text(alphabet="ab@.,;:<>()\"\\' =?q[]\u00e9", max_size=200))
def test_any_field_is_read(value: str) -> None:
    for each in named_addresses(value):
        assert each.address.count("@") >= 1


@pytest.mark.parametrize("unit", ["(", ")", '"', '"a@', "<", "<a", "a@b ", "a@b,", "(a", "\\", "'", "=?", '"\\', "a <", "<a@b>", "@a:", "@", '<"\\\\', "(\\\\", "(()"])  # fmt: skip
def test_a_long_field_is_read_in_linear_time(unit: str) -> None:
    value = unit * (32_000 // len(unit))
    started = time.process_time()
    named_addresses(value)
    assert time.process_time() - started < 1
