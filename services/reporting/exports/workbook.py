"""Writes rows as an XLSX workbook: texts as texts, numbers, flags and times as such."""

import csv
import io
import shutil
import tempfile
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from services.reporting.exports.kinds import Kind

MOST_ROWS = 1_048_576
"""Of a sheet, with its header. What does not fit goes on in a further sheet."""
LONGEST_TEXT = 32_767
"""UTF-16 units in a cell."""
SHORTENED = "…"
WIDTH = {"time": 20, "text": 24, "texts": 24, "json": 24}


def write(rows: BufferedReader, file: BinaryIO, columns: Sequence[tuple[str, Kind]]) -> None:
    """Reads rows of CSV and writes the workbook, so that memory does not depend on the number of rows.

    Temporary files are in the process's own folder (TMPDIR), which the service removes.
    """
    csv.field_size_limit(1 << 30)
    path = Path(tempfile.gettempdir(), "export.xlsx")
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
    sheets = _Sheets(book, columns)
    for row in csv.reader(io.TextIOWrapper(rows, "utf-8", newline="")):
        sheets.add(row)
    book.close()
    with path.open("rb") as made:
        shutil.copyfileobj(made, file, 1 << 18)


class _Sheets:
    def __init__(self, book: Workbook, columns: Sequence[tuple[str, Kind]]) -> None:
        self._book, self._columns = book, columns
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._bold = book.add_format({"bold": True})
        self._kinds = [kind for _, kind in columns]
        self._row = 0
        self._sheet = self._next_sheet()

    def add(self, values: Sequence[str]) -> None:
        self._row += 1
        if self._row == MOST_ROWS:
            self._sheet = self._next_sheet()
            self._row = 1
        sheet, row = self._sheet, self._row
        for n, (value, kind) in enumerate(zip(values, self._kinds, strict=True)):
            if not value:
                continue
            if kind == "time":
                sheet.write_number(row, n, float(value), self._time)
            elif kind == "number":
                sheet.write_number(row, n, float(value))
            elif kind == "flag":
                sheet.write_boolean(row, n, value == "1")
            else:
                sheet.write_string(row, n, value if len(value) < LONGEST_TEXT // 2 else fitting(value))

    def _next_sheet(self) -> Worksheet:
        sheet = self._book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for n, (name, kind) in enumerate(self._columns):
            if kind in WIDTH:
                sheet.set_column(n, n, WIDTH[kind])
            sheet.write_string(0, n, name, self._bold)
        return sheet


def fitting(text: str) -> str:
    """A text that fits into a cell; a longer one is cut, with a sign at its end."""
    units = text.encode("utf-16-le")
    if len(units) // 2 <= LONGEST_TEXT:
        return text
    return units[: (LONGEST_TEXT - len(SHORTENED)) * 2].decode("utf-16-le", "ignore") + SHORTENED
