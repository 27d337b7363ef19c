"""The kinds of values in an export, known to the service and to the process that writes files."""

from typing import Literal

Kind = Literal["text", "texts", "number", "flag", "time", "json"]
"""`texts` is a list of texts. `json` is anything that a ticket's field may hold."""

LIST_SEPARATOR = "\x1f"
"""Between the texts of a list on their way to the process. No tag has it, because it is a control character."""
