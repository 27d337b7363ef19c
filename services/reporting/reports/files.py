"""A report's answer as a file for spreadsheets: the same names and rows as in JSON."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import xlsxwriter

from services.reporting.exports.formats import FORMULA
from services.reporting.reports.answer import Answer

_FORMULA = re.compile(FORMULA)
BYTE_ORDER_MARK = "\ufeff"
"""Excel reads a CSV file as UTF-8 only with it."""
WIDTH = 18


def harmless(value: Any) -> Any:
    """A text with `'` before what a spreadsheet would take for a formula; any other value as it is."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def csv_file(answer: Answer) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([harmless(column.name) for column in answer.columns])
    writer.writerows([harmless(value) for value in row] for row in answer.rows)
    return (BYTE_ORDER_MARK + file.getvalue()).encode()


def xlsx_file(answer: Answer) -> bytes:
    """Takes a second or two for the longest answers: call it in a thread."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet, bold = book.add_worksheet(answer.report.label), book.add_format({"bold": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(answer.columns) - 1, WIDTH)
    for n, column in enumerate(answer.columns):
        sheet.write_string(0, n, str(harmless(column.name)), bold)
    dates = frozenset(n for n, column in enumerate(answer.columns) if column.kind == "date")
    for n, row in enumerate(answer.rows, start=1):
        _write(sheet, n, row, dates, day)
    book.close()
    return file.getvalue()


def _write(sheet: Any, n: int, row: Sequence[Any], dates: Collection[int], day: Any) -> None:
    """Writes a row. `dates` are the columns of days, which get the format `day`."""
    for column, value in enumerate(row):
        if isinstance(value, str) and column in dates:
            sheet.write_datetime(n, column, date.fromisoformat(value), day)
        elif isinstance(value, str):
            sheet.write_string(n, column, harmless(value))
        elif value is not None:
            sheet.write_number(n, column, value)
