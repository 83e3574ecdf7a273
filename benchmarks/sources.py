# SPDX-License-Identifier: Apache-2.0
"""The same rows in each kind of source, read by this package and by a hand-written loop."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

PARTS = 200
BATCH_ROWS = 4096
Row = tuple[str, ...]


class CsvFile:
    """One CSV file."""

    def server(self) -> AbstractContextManager[Any]:
        """Run what the source needs."""
        return nullcontext()

    def write(self, where: Path, columns: Row, rows: Iterator[Row]) -> str:
        """Write the rows; return where they are."""
        with (path := where.with_suffix(".csv")).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns])
            csv.writer(file, lineterminator="\n").writerows(rows)
        return str(path)

    def records(self, where: str) -> Any:
        """Return the argument ``records``."""
        return where

    def by_hand(self, where: str) -> Iterator[dict[str, Any]]:
        """Read the rows without any check."""
        with Path(where).open(newline="") as file:
            yield from csv.DictReader(file)


class Parts(CsvFile):
    """A folder of CSV files, as a warehouse unloads them."""

    def write(self, where: Path, columns: Row, rows: Iterator[Row]) -> str:
        where.mkdir()
        everything = list(rows)
        for number in range(PARTS):
            super().write(where / f"part-{number:05}", columns, iter(everything[number::PARTS]))
        return str(where)

    def by_hand(self, where: str) -> Iterator[dict[str, Any]]:
        for path in sorted(Path(where).iterdir()):
            yield from super().by_hand(str(path))


class JsonLines(CsvFile):
    """One JSON Lines file."""

    def write(self, where: Path, columns: Row, rows: Iterator[Row]) -> str:
        with (path := where.with_suffix(".jsonl")).open("w") as file:
            file.writelines(f"{json.dumps(dict(zip(columns, row, strict=True)))}\n" for row in rows)
        return str(path)

    def by_hand(self, where: str) -> Iterator[dict[str, Any]]:
        with Path(where).open() as file:
            yield from map(json.loads, file)


class Parquet(CsvFile):
    """One Parquet file, with row groups of 100,000 rows."""

    def write(self, where: Path, columns: Row, rows: Iterator[Row]) -> str:
        import pyarrow as pa
        from pyarrow import parquet

        path = where.with_suffix(".parquet")
        schema = pa.schema([(name, pa.string()) for name in columns])
        with parquet.ParquetWriter(path, schema) as writer:
            while part := list(islice(rows, 100_000)):
                writer.write_table(pa.table(list(zip(*part, strict=True)), schema=schema))
        return str(path)

    def by_hand(self, where: str) -> Iterator[dict[str, Any]]:
        from pyarrow import parquet

        with parquet.ParquetFile(where) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield from batch.to_pylist()


class Postgres(CsvFile):
    """A table in PostgreSQL, read with a server-side cursor."""

    def server(self) -> AbstractContextManager[Any]:
        sys.path.append(str(Path(__file__).parents[1] / "tests"))
        from postgres_server import postgres_server, programs

        folder = programs()
        if folder is None:
            raise SystemExit("PostgreSQL's programs (initdb, postgres) are not installed: apt-get install postgresql")
        return postgres_server(folder)

    def write(self, where: Path, columns: Row, rows: Iterator[Row]) -> str:
        path = Path(super().write(where, columns, rows))
        table = f"rows_{abs(hash(where.name))}"
        with _connect() as connection, connection.cursor() as cursor, path.open() as file:
            cursor.execute(f"CREATE TABLE {table} (n serial, {', '.join(f'{name} text' for name in columns)})")
            copy = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv, HEADER)"
            cursor.copy_expert(copy, file)
        return f"SELECT {', '.join(columns)} FROM {table} ORDER BY n"

    def records(self, where: str) -> Any:
        from airflow_provider_bulkjobs.records import SqlRecords

        values = {"conn_type": "postgres", "host": os.environ["PGHOST"], "login": "postgres", "schema": "postgres"}
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps(values)
        return SqlRecords("warehouse", where)

    def by_hand(self, where: str) -> Iterator[dict[str, Any]]:
        with _connect() as connection, connection.cursor("rows") as cursor:
            cursor.itersize = BATCH_ROWS
            cursor.execute(where)
            names: Sequence[str] = ()
            for row in cursor:
                names = names or [column.name for column in cursor.description]
                yield dict(zip(names, row, strict=True))


def _connect() -> Any:
    import psycopg2

    return psycopg2.connect(host=os.environ["PGHOST"], user="postgres", dbname="postgres")


SOURCES = {"csv": CsvFile(), "parts": Parts(), "jsonl": JsonLines(), "parquet": Parquet(), "postgres": Postgres()}
