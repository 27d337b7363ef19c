"""Writes rows as a Parquet file with types: texts, lists of texts, numbers, flags, and times with their zone."""

from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from services.reporting.exports.kinds import LIST_SEPARATOR, Kind

BLOCK = 1024 * 1024
"""Bytes of CSV that are read at a time."""
ROW_GROUP = 20_000
"""Rows of a group, which is in memory until it is written."""
_READ = {"text": pa.string(), "texts": pa.string(), "json": pa.string(), "number": pa.float64(), "flag": pa.bool_()}


def write(rows: BufferedReader, file: BinaryIO, columns: Sequence[tuple[str, Kind]], zone: str) -> None:
    """Reads rows of CSV and writes the file, a group of rows at a time."""
    pa.set_cpu_count(1)
    time = pa.timestamp("us", zone)
    names = [name for name, _ in columns]
    written = {"texts": pa.list_(pa.string()), "time": time}
    schema = pa.schema([(name, written.get(kind) or _READ[kind]) for name, kind in columns])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        for batch in _batches(rows, names, {name: _READ.get(kind, time) for name, kind in columns}):
            values = [_value(batch.column(n), kind) for n, (_, kind) in enumerate(columns)]
            group.append(pa.RecordBatch.from_arrays(values, schema=schema))
            if sum(len(each) for each in group) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(group), ROW_GROUP)
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group), ROW_GROUP)


def _batches(rows: BufferedReader, names: list[str], types: dict[str, Any]) -> Iterator[Any]:
    if not rows.peek(1):  # PyArrow refuses a file without rows
        return
    yield from pyarrow.csv.open_csv(
        rows,
        pyarrow.csv.ReadOptions(column_names=names, block_size=BLOCK, use_threads=False),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        # PostgreSQL writes a null as nothing and an empty text as "".
        pyarrow.csv.ConvertOptions(
            column_types=types,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
        ),
    )


def _value(column: pa.Array, kind: Kind) -> pa.Array:
    if kind != "texts":
        return column
    lists = pc.call_function("split_pattern", [column], pc.SplitPatternOptions(LIST_SEPARATOR))
    return pc.call_function("coalesce", [lists, pa.scalar([], pa.list_(pa.string()))])
