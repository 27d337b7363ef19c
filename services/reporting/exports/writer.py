"""Writes an export as XLSX or Parquet, in a process of its own: `python -m services.reporting.exports.writer`.

Standard input has a line of JSON (format, columns, zone), then the rows as CSV; the file goes to standard output. The
process has no secrets, and the service's memory and event loop are not affected by it.
"""

import json
import os
import resource
import signal
import sys
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, BinaryIO

MOST_MEMORY = 2 * 1024 * 1024 * 1024
MOST_FILE = 16 * 1024 * 1024 * 1024
"""Bytes of a temporary file."""
_ROOT = Path(__file__).resolve().parents[3]


def process_environment(folder: str) -> dict[str, Any]:
    """How the process is started: without the service's environment, which has passwords."""
    environment = {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ.get("PATH", "")}
    return {"env": {**environment, "TMPDIR": folder}, "cwd": _ROOT}


def main(rows: BufferedReader, file: BinaryIO) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the service decides when its processes end
    for limit, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_FSIZE, MOST_FILE)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most, hard))
    about = json.loads(rows.readline())
    columns = [tuple(column) for column in about["columns"]]
    if about["format"] == "xlsx":
        from services.reporting.exports import workbook  # each process needs one of the two libraries

        workbook.write(rows, file, columns)
    else:
        from services.reporting.exports import parquet

        parquet.write(rows, file, columns, about["zone"])
    file.flush()


if __name__ == "__main__":
    main(BufferedReader(FileIO(sys.stdin.fileno()), 1 << 18), sys.stdout.buffer)
