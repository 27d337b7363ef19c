"""What each format of an export needs: its media type, and how PostgreSQL writes the values.

PostgreSQL formats whole rows, so that no row is a Python object on its way (decision 0102).
"""

from dataclasses import dataclass
from typing import Literal

from services.reporting.exports.columns import ExportColumn
from services.reporting.exports.kinds import LIST_SEPARATOR, Kind

FormatName = Literal["csv", "xlsx", "parquet", "json"]

_UNSEEN = r"\u0001-\u0020\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
"""Spaces, control characters and invisible characters, which spreadsheets drop before they look at a text."""
_SIGNS = r"=+@\-\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""With what a formula begins, also in full-width and small forms."""
FORMULA = rf"^(?:[\t\r\n]|[{_UNSEEN}]*[{_SIGNS}])"
"""A text that spreadsheets may take for a formula (OWASP, CSV Injection)."""


@dataclass(frozen=True, slots=True)
class Format:
    """`name` is also the ending of a file's name. `written_by_process`: rows go through a process that writes the file."""

    name: FormatName
    media_type: str
    written_by_process: bool = False


FORMATS: dict[FormatName, Format] = {
    "csv": Format("csv", "text/csv; charset=utf-8"),
    "xlsx": Format(
        "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", written_by_process=True
    ),
    "parquet": Format("parquet", "application/vnd.apache.parquet", written_by_process=True),
    "json": Format("json", "application/json"),
}


def expression(column: ExportColumn, format_name: FormatName) -> str:
    """The SQL of a column's value in a format. Times are in the session's time zone."""
    return _WRITERS[format_name](column.value, column.kind)


def _csv(value: str, kind: Kind) -> str:
    match kind:
        case "text":
            return _harmless(value)
        case "texts":
            return _harmless(f"array_to_string({value}, ', ')")
        case "json":
            return _harmless(_json_text(value))
        case "time":
            return _time(value)
        case "flag":
            return f"CASE WHEN {value} THEN 'true' ELSE 'false' END"
        case "number":
            return value


def _xlsx(value: str, kind: Kind) -> str:
    match kind:
        case "time":  # days since 1899-12-30 on the clock of the zone, as spreadsheets count
            return f"round(((extract(epoch FROM {value}) + extract(timezone FROM {value})) / 86400 + 25569), 9)"
        case "flag":
            return f"({value})::int"
        case _:
            return _csv(value, kind)


def _parquet(value: str, kind: Kind) -> str:
    match kind:
        case "texts":
            return f"NULLIF(array_to_string({value}, '{LIST_SEPARATOR}'), '')"
        case "json":
            return _json_text(value)
        case _:
            return value


def _json(value: str, kind: Kind) -> str:
    match kind:
        case "time":
            return _time(value)
        case "json":  # without the line breaks that json may have between values
            return f"({value})::jsonb"
        case _:
            return value


_WRITERS = {"csv": _csv, "xlsx": _xlsx, "parquet": _parquet, "json": _json}


def _time(value: str) -> str:
    return f"""to_char({value}, 'YYYY-MM-DD"T"HH24:MI:SS.MSTZH:TZM')"""


def _json_text(value: str) -> str:
    """A text as it is, anything else as JSON."""
    return f"(({value}) #>> '{{}}')"


def _harmless(value: str) -> str:
    """The text with `'` before what a spreadsheet would take for a formula. Most texts begin with a letter or digit."""
    return (
        f"CASE WHEN ascii({value}) BETWEEN 65 AND 122 OR ascii({value}) BETWEEN 48 AND 57 THEN {value}"
        f" WHEN {value} ~ '{FORMULA}' THEN '''' || {value} ELSE {value} END"
    )
