"""Names of drafts: their owner chooses them."""

from shared.input_types import one_line

LONGEST = 200
"""Characters."""


def is_key(text: str) -> bool:
    """Whether a draft may have this name: one line that is not too long."""
    try:
        return 1 <= len(one_line(text)) <= LONGEST
    except ValueError:
        return False
