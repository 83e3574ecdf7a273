# SPDX-License-Identifier: Apache-2.0
"""Records to be submitted, one after the other: from a list, or from a file of any size.

A file is JSON Lines or CSV, gzipped or not, at any path or URI that Airflow's ObjectStoragePath can open:
https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/objectstorage.html
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from airflow_provider_bulkjobs.errors import BadArgumentError
from airflow_provider_bulkjobs.redact import redact

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

JSON_LINES = (".jsonl", ".ndjson", ".json")
LONGEST_LINE = 32 * 1024 * 1024  # bytes: longer than any request may be


class Row(NamedTuple):
    """One record, or what is wrong with it.

    :param line: the line it begins in, or its number in a list; from 1.
    :param columns: the names of all columns, where it comes from a table.
    """

    line: int
    record: Mapping[str, Any]
    problem: str | None = None
    columns: tuple[str, ...] = ()


def read_records(source: Any) -> Iterator[Row]:
    """Read records.

    :param source: an iterable of dicts, or the path or URI of a file.
    :raises BadArgumentError: it is neither, or the file cannot be read; names the line.
    """
    if isinstance(source, str | os.PathLike) or hasattr(source, "fs"):
        return _read_file(source)
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        return _read_list(source)
    raise BadArgumentError(
        f"records is {'None' if source is None else 'a ' + type(source).__name__}: give a list of dicts, a task's "
        "output, or the path of a file (.jsonl or .csv, also .gz)"
    )


def object_path(path: Any, name: str) -> ObjectStoragePath:
    """Return a path as Airflow's.

    :param name: of the argument, for messages.
    :raises BadArgumentError: it is no path, or no filesystem is installed for it.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        found = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(os.fspath(path))
        found.fs  # noqa: B018  (it tells whether there is one for this path)
    except (TypeError, ValueError, ImportError) as error:
        raise BadArgumentError(
            f"{name}={shown(path)} cannot be opened: {redact(str(error))}. Another storage than local files "
            "needs its provider, such as apache-airflow-providers-amazon[s3fs] for s3."
        ) from error
    return found


def shown(path: Any) -> str:
    """Return a path for a message, without a query, which may be a signature."""
    return repr(redact(str(path)))


def _read_list(items: Iterable[Any]) -> Iterator[Row]:
    for number, item in enumerate(items, 1):
        if isinstance(item, Mapping):
            yield Row(number, item)
        else:
            yield Row(number, {}, f"is a {type(item).__name__}, not a dict")


def _read_file(source: str | os.PathLike[str]) -> Iterator[Row]:
    text = str(source).strip()
    if not text or text[0] in "[{" or "\n" in text:
        raise BadArgumentError(
            "records is text, but not the path of a file: hand over the task's output itself (records=extract.output), "
            "or set render_template_as_native_obj=True on the DAG"
        )
    name = text.lower().partition("?")[0]
    is_packed = name.endswith(".gz")
    name = name.removesuffix(".gz")
    if not name.endswith((".csv", *JSON_LINES)):
        raise BadArgumentError(
            f"records={shown(text)} is neither JSON Lines (.jsonl) nor CSV (.csv), nor either with .gz"
        )
    read = _read_csv if name.endswith(".csv") else _read_json_lines
    with _open(source, is_packed=is_packed) as file:
        yield from read(file, text)


@contextmanager
def _open(source: Any, *, is_packed: bool) -> Iterator[BinaryIO]:
    path = object_path(source, "records")
    try:
        # From the filesystem itself: Airflow's own wrapper notes down each read, which is each line.
        with path.fs.open(path.path, "rb") as file:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is broken"
        raise BadArgumentError(f"records={shown(source)} cannot be read: {reason}") from error


def _read_json_lines(file: BinaryIO, name: str) -> Iterator[Row]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise BadArgumentError(f"records={shown(name)}: line {number} is longer than {LONGEST_LINE} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, {}, "is not JSON; give one object per line")
            continue
        if isinstance(record, dict):
            yield Row(number, record)
        else:
            yield Row(number, {}, "is JSON, but not an object; give one object per line")


def _read_csv(file: BinaryIO, name: str) -> Iterator[Row]:
    """Read a table. What an empty cell means only its writer knows; here it is a value that is not given."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, strict=True)
    try:
        names = tuple(cell.strip() for cell in next(rows, []))
        if names and (not all(names) or len(set(names)) < len(names)):
            raise BadArgumentError(f"records={shown(name)}: the first line must name each column, and no two alike")
        begins = rows.line_num + 1  # a quoted cell may go over several lines
        for cells in rows:
            line, begins = begins, rows.line_num + 1
            if not cells:
                continue
            if len(cells) != len(names):
                yield Row(line, {}, f"has {len(cells)} columns, and the first line names {len(names)}")
            else:
                yield Row(line, {key: cell for key, cell in zip(names, cells, strict=True) if cell}, columns=names)
    except csv.Error as error:
        raise BadArgumentError(f"records={shown(name)}: line {rows.line_num} is not CSV: {error}") from error
    except UnicodeDecodeError as error:
        raise BadArgumentError(f"records={shown(name)}: not UTF-8 after line {rows.line_num}") from error
    finally:
        text.detach()  # whoever has opened the file closes it
