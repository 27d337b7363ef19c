"""Addresses that lead to one mailbox."""

import pytest

from services.intake.records.delivery_mailbox import delivery_mailbox


@pytest.mark.parametrize(
    ("spellings", "mailbox"),
    [
        (["kim@shop.example", "kim+news@shop.example", "kim+a+b@shop.example"], "kim@shop.example"),
        (["kim.berg@gmail.com", "kimberg@gmail.com", "k.imber.g+x@googlemail.com"], "kimberg@gmail.com"),
        (["kim.berg@pm.me", "kim_berg@proton.me", "kim-berg+x@protonmail.com"], "kimberg@proton.me"),
        (["kim-shop@yahoo.com", "kim-news@yahoo.com"], "kim@yahoo.com"),
        (["kim@icloud.com", "kim+x@me.com", "kim@mac.com"], "kim@icloud.com"),
        (["kim@fastmail.com", "anything@kim.fastmail.com", "kim+x@fastmail.com"], "kim@fastmail.com"),
        (["kim.berg@yandex.ru", "kim-berg+x@yandex.com", "kim-berg@ya.ru"], "kim-berg@yandex.ru"),
    ],
)
def test_the_spellings_of_one_mailbox_are_one(spellings: list[str], mailbox: str) -> None:
    assert {delivery_mailbox(each) for each in spellings} == {mailbox}


@pytest.mark.parametrize(
    "address", ["kim.berg@shop.example", "kim-berg@shop.example", "+@shop.example", "...@gmail.com", ""]
)
def test_unknown_spellings_are_different_mailboxes(address: str) -> None:
    assert delivery_mailbox(address) == address
