# SPDX-License-Identifier: Apache-2.0
"""Records to submit, read one by one from a list or from a file of any size.

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
from airflow_provider_bulkjobs.submitting.record_source import RecordSource
from airflow_provider_bulkjobs.submitting.row import Row
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

__all__ = ["Row", "object_path", "read_records", "safe_repr"]

JSON_LINES = (".jsonl", ".ndjson", ".json")
ONE_DOCUMENT = (
    "the file is one JSON document. Write JSON Lines, one object per line: with jq -c '.[]' in.json > out.jsonl, or "
    "df.to_json(path, orient='records', lines=True)."
)
# Data frames and tables of other libraries, and how to convert them to lists of dicts: by one of these methods, or as
# in pandas.
FRAME_TYPES = ("Frame", "Table", "RecordBatch")
FROM_FRAMES = {
    "to_pylist": "table.to_pylist()",
    "to_dicts": "df.to_dicts()",
}
PANDAS_FRAME = "df.to_dict('records')"
MAX_LINE_BYTES = 32 * 1024 * 1024  # more than any request may have


def read_records(source: Any) -> Iterator[Row]:
    """Read records.

    :param source: an iterable of dicts, or the path or URI of a file.
    :raises BadArgumentError: the source is neither, or the file cannot be read.
    """
    if isinstance(source, str | os.PathLike) or hasattr(source, "fs"):
        return _read_file(source)
    if isinstance(source, RecordSource):
        return source.read_rows()
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
        what = "a dict of lists, not a list of dicts"
    raise BadArgumentError(
        f"records is {what}. Pass a list of dicts, a task's output, or the path of a file (.jsonl or .csv, also .gz)."
    )


def object_path(path: Any, name: str) -> ObjectStoragePath:
    """Return a path as Airflow's ``ObjectStoragePath``.

    :param name: name of the argument, for messages.
    :raises BadArgumentError: the value is not a path, or no filesystem is installed for it.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        found = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(os.fspath(path))
        found.fs  # noqa: B018  (raises an error if no filesystem is installed for this path)
    except (TypeError, ValueError, ImportError) as error:
        raise BadArgumentError(
            f"{name}={safe_repr(path)} cannot be opened: {redact(str(error))}. For remote storage, install its "
            "provider, such as apache-airflow-providers-amazon[s3fs] for s3."
        ) from None  # the message of the error may contain a signed URL
    return found


def safe_repr(path: Any) -> str:
    """Return the repr of a path without its query, which may contain a signature."""
    return repr(redact(str(path)))


def _read_list(items: Iterable[Any]) -> Iterator[Row]:
    for number, item in enumerate(items, 1):
        if isinstance(item, Mapping):
            yield Row(number, item)
        else:
            yield Row(number, {}, f"is a {type(item).__name__}, not a dict", hint=_item_hint(item))


def _item_hint(item: Any) -> str:
    """Return how to convert an item of a list to dicts."""
    if isinstance(item, str | os.PathLike):
        return (
            "records is a list of strings. Pass dicts, or the path of one file. For several files, map the operator "
            "over their paths with .partial(...).expand(records=...)."
        )
    if isinstance(item, list | tuple) and item and all(isinstance(one, Mapping) for one in item):
        return (
            "records is a list of lists of dicts, as a mapped task returns it. Pass one list: "
            "[record for records in parts for record in records]."
        )
    if hasattr(item, "_asdict"):
        return "Pass dicts: [row._asdict() for row in rows]."
    if isinstance(item, Iterable):
        return (
            "The records are rows without field names, as a SQL operator returns them. Pass dicts: "
            "[dict(zip(names, row)) for row in rows]."
        )
    return "Pass a list of dicts with the vendor's field names as keys."


def _read_file(source: str | os.PathLike[str]) -> Iterator[Row]:
    text = str(source).strip()
    if not text or text[0] in "[{" or "\n" in text:
        raise BadArgumentError(
            "records is a string, but not the path of a file. Pass the task's output (records=extract.output), or set "
            "render_template_as_native_obj=True on the DAG."
        )
    name = text.lower().partition("?")[0]
    is_gzipped = name.endswith(".gz")
    name = name.removesuffix(".gz")
    if not name.endswith((".csv", *JSON_LINES)):
        raise BadArgumentError(
            f"records={safe_repr(text)} is not JSON Lines (.jsonl) or CSV (.csv), plain or gzipped (.gz)"
        )
    read = read_csv if name.endswith(".csv") else _read_json_lines
    with _open(source, is_gzipped=is_gzipped) as file:
        yield from read(file, safe_repr(text))


@contextmanager
def _open(source: Any, *, is_gzipped: bool) -> Iterator[BinaryIO]:
    path = object_path(source, "records")
    try:
        # Opened with fsspec directly: Airflow's wrapper records each read, which is each line.
        with path.fs.open(path.path, "rb") as file:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_gzipped else file
    except BulkJobError:
        raise
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the file system)
        # Not "from error": its message may contain a signed URL.
        raise RecordsReadError(f"records={safe_repr(source)} cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError | zlib.error):
        return "corrupt gzip file"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _read_json_lines(file: BinaryIO, source: str) -> Iterator[Row]:
    number, is_first = 0, True
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES:
            raise BadArgumentError(f"records={source}: line {number} is longer than {MAX_LINE_BYTES} bytes")
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
        return Row(number, {}, "is not JSON: write one object per line")
    if isinstance(record, dict):
        return Row(number, record)
    return Row(number, {}, "is JSON, but not an object: write one object per line")


class _TwiceError(Exception):
    """An object has a key twice; only the last of its values would be read."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _TwiceError(names.most_common(1)[0][0])
    return found


def _is_document(line: bytes) -> bool:
    """Return whether the first line is the start of a JSON document that spans the file."""
    start = b"".join(line[:1024].split())
    return start in {b"{", b"["} or start.startswith(b"[{")
