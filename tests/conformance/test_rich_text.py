"""Rich text from the API is read in a process with a time limit."""

import pytest

from shared.bounded import rich_text
from shared.bounded.processes import Processes
from shared.rules.refusals import Invalid

LONG = "<p><b>word</b>" * 15_000


async def test_rich_text_that_takes_too_long_is_refused_and_nothing_else() -> None:
    processes = Processes("shared.bounded.rich_text", 1, most_seconds=0.02)
    try:
        with pytest.raises(Invalid) as refused:
            await rich_text.read(processes, LONG)
        assert refused.value.arguments[0].path == ("html",)
        assert (await rich_text.read(processes, "<b>words</b>")).text == "words"
    finally:
        await processes.close()
