"""Reads exported files as rows of plain values."""

import csv
import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def commas(raw: bytes) -> list[list[str]]:
    """The rows of a CSV file."""
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def sheets(raw: bytes) -> dict[str, list[dict[str, str]]]:
    """File name -> the cells of each row, by column; a formula is shown as `<formula>`."""
    found: dict[str, list[dict[str, str]]] = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        for name in sorted(n for n in file.namelist() if n.startswith("xl/worksheets/sheet")):
            found[name] = [
                {re.sub("[0-9]", "", cell.get("r", "")): _cell(cell) for cell in row.iter(f"{MAIN}c")}
                for row in ElementTree.fromstring(file.read(name)).iter(f"{MAIN}row")
            ]
    return found


def _cell(cell: ElementTree.Element) -> str:
    if cell.find(f"{MAIN}f") is not None:
        return "<formula>"
    text = "".join(t.text or "" for t in cell.iter(f"{MAIN}t")) or cell.findtext(f"{MAIN}v") or ""
    return re.sub("_x([0-9A-F]{4})_", lambda m: chr(int(m[1], 16)), text)


def parquet(raw: bytes) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(raw)).to_pylist()
    return found
