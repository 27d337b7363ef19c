"""Verdicts of spam filters, as rspamd and SpamAssassin write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.structure.mime import parse
from services.intake.mail.verdicts.spam import Spam, spam_verdict


def verdict(header: str) -> Spam | None:
    root, _ = parse(header.encode() + b"\r\n\r\nwords")
    return spam_verdict(root)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("X-Spam-Flag: YES", Spam(True, None, "x-spam-flag")),
        ("X-Spam-Status: Yes, score=7.3 required=5.0 tests=BAYES_99", Spam(True, 7.3, "x-spam-status")),
        ("X-Spam-Status: No, score=-1.9 required=5.0", Spam(False, -1.9, "x-spam-status")),
        ("X-Spamd-Result: default: True [16.20 / 15.00];\r\n\tBAYES_SPAM(5.1)", Spam(True, 16.2, "x-spamd-result")),
        ("X-Spamd-Result: default: False [1.20 / 15.00]", Spam(False, 1.2, "x-spamd-result")),
        ("X-Rspamd-Action: add header\r\nX-Spam-Score: 8.1", Spam(True, 8.1, "x-rspamd-action")),
        ("X-Rspamd-Action: no action\r\nX-Spam-Score: 0.4", Spam(False, 0.4, "x-spam-score")),
        ("X-Spam: Yes", Spam(True, None, "x-spam")),
        ("X-Spam-Level: *****", None),
        ("Subject: yes", None),
    ],
)
def test_the_verdict_of_a_spam_filter(header: str, expected: Spam | None) -> None:
    assert verdict(header) == expected


@given(st.sampled_from(["X-Spam-Status", "X-Spamd-Result", "X-Spam-Score"]), st.text(max_size=2_000))
def test_any_value_is_read(name: str, value: str) -> None:
    verdict(f"{name}: {value}")
