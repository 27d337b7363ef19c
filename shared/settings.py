"""Settings from environment variables. A secret may be in a file that `NAME_FILE` names."""

import os
from pathlib import Path


class SettingMissing(Exception):
    """A variable without a default is not set, or its file cannot be read."""


def env(name: str, default: str | None = None) -> str:
    """The value of a variable, or the content of the file that `NAME_FILE` names, without line breaks at the end."""
    value = os.environ.get(name)
    if value is not None:
        return value
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingMissing(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from error
    if default is None:
        raise SettingMissing(f"set {name} (or {name}_FILE to a file that holds it)")
    return default
