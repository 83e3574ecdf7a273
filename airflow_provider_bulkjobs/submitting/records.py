# SPDX-License-Identifier: Apache-2.0
"""Records to be submitted, one after the other: from a list, or from a file of any size.

A file is JSON Lines or CSV, gzipped or not, at any path or URI that Airflow's ObjectStoragePath can open:
https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/objectstorage.html
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, RecordsReadError
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.csv_rows import read_csv
from airflow_provider_bulkjobs.submitting.row import Row
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

__all__ = ["Row", "object_path", "read_records", "shown"]

JSON_LINES = (".jsonl", ".ndjson", ".json")
ONE_DOCUMENT = (
    "the file is one JSON document. Write JSON Lines, one object per line: with jq -c '.[]' in.json > out.jsonl, or "
    "df.to_json(path, orient='records', lines=True)."
)
# Data frames and tables of other libraries, and how they become lists of dicts: by a method that they have, or as in
# pandas.
FRAME_TYPES = ("Frame", "Table", "RecordBatch")
FROM_FRAMES = {
    "to_pylist": "table.to_pylist()",
    "to_dicts": "df.to_dicts()",
}
PANDAS_FRAME = "df.to_dict('records')"
LONGEST_LINE = 32 * 1024 * 1024  # bytes: longer than any request may be


def read_records(source: Any) -> Iterator[Row]:
    """Read records.

    :param source: an iterable of dicts, or the path or URI of a file.
    :raises BadArgumentError: it is neither, or the file cannot be read; names the line.
    """
    if isinstance(source, str | os.PathLike) or hasattr(source, "fs"):
        return _read_file(source)
    type_name = type(source).__name__
    if type_name.endswith(FRAME_TYPES):
        remedy = next(
            (code for method, code in FROM_FRAMES.items() if hasattr(source, method)), "df.to_dict('records')"
        )
        raise BadArgumentError(f"records is a {type_name}: pass {remedy}")
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        return _read_list(source)
    what = "None" if source is None else f"a {type_name}"
    if isinstance(source, Mapping) and any(isinstance(value, list | tuple) for value in source.values()):
        what = "a dict of lists, and not one dict for each record"
    raise BadArgumentError(
        f"records is {what}: give a list of dicts, a task's output, or the path of a file (.jsonl or .csv, also .gz)"
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
        ) from None  # the error may have a signed URL in its message
    return found


def shown(path: Any) -> str:
    """Return a path for a message, without a query, which may be a signature."""
    return repr(redact(str(path)))


def _read_list(items: Iterable[Any]) -> Iterator[Row]:
    for number, item in enumerate(items, 1):
        if isinstance(item, Mapping):
            yield Row(number, item)
        else:
            yield Row(number, {}, f"is a {type(item).__name__}, not a dict", hint=_item_hint(item))


def _item_hint(item: Any) -> str:
    """Return how to make dicts of what is in a list instead of them."""
    if isinstance(item, str | os.PathLike):
        return (
            "records is a list of text. Give dicts, or the path of one file; for several files map the operator over "
            "their paths, with .partial(...).expand(records=...)."
        )
    if isinstance(item, list | tuple) and item and all(isinstance(one, Mapping) for one in item):
        return (
            "records is a list of lists of dicts, as a mapped task returns it. Give one list: "
            "[record for records in parts for record in records]."
        )
    if hasattr(item, "_asdict"):
        return "Give dicts: [row._asdict() for row in rows]."
    if isinstance(item, Iterable):
        return (
            "The records are rows without the names of their fields, as a SQL operator returns them. Give dicts: "
            "[dict(zip(names, row)) for row in rows]."
        )
    return "Give a list of dicts, with the vendor's names of the fields as keys."


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
    read = read_csv if name.endswith(".csv") else _read_json_lines
    with _open(source, is_packed=is_packed) as file:
        yield from read(file, shown(text))


@contextmanager
def _open(source: Any, *, is_packed: bool) -> Iterator[BinaryIO]:
    path = object_path(source, "records")
    try:
        # From the filesystem itself: Airflow's own wrapper notes down each read, which is each line.
        with path.fs.open(path.path, "rb") as file:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file
    except BulkJobError:
        raise
    except Exception as error:  # noqa: BLE001  (each file system has errors of its own)
        # Not "from error": its message may hold a signed URL.
        raise RecordsReadError(f"records={shown(source)} cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError | zlib.error):
        return "it is broken"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _read_json_lines(file: BinaryIO, source: str) -> Iterator[Row]:
    number, is_first = 0, True
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise BadArgumentError(f"records={source}: line {number} is longer than {LONGEST_LINE} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        if is_first and _is_document(line):
            raise BadArgumentError(f"records={source}: {ONE_DOCUMENT}")
        is_first = False
        yield _json_row(number, line)


def _json_row(number: int, line: bytes) -> Row:
    try:
        record = json.loads(line.decode(), object_pairs_hook=_object)
    except UnicodeDecodeError:
        return Row(number, {}, "is not UTF-8", hint="Write the file in UTF-8.")
    except _TwiceError as error:
        return Row(number, {}, f"has field {safe_name(error)} twice: remove one of them")
    except (ValueError, RecursionError):
        return Row(number, {}, "is not JSON; give one object per line")
    if isinstance(record, dict):
        return Row(number, record)
    return Row(number, {}, "is JSON, but not an object; give one object per line")


class _TwiceError(Exception):
    """An object has a key twice; only the last of its values would be read."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _TwiceError(names.most_common(1)[0][0])
    return found


def _is_document(line: bytes) -> bool:
    """Return whether the first line begins an object, or a list of objects, that is the whole file."""
    start = b"".join(line[:1024].split())
    return start in {b"{", b"["} or start.startswith(b"[{")
