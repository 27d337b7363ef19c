"""Errors in logs, without the words of a mail."""

import traceback


def raised_at(error: BaseException) -> str:
    """The file and line where an error was raised. Its text is not logged: it may quote the mail."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
