# SPDX-License-Identifier: Apache-2.0
"""The files that a path means: one file, or the part files of a folder, a prefix or a pattern, in the order of names.

Warehouses unload a table as many files without an ending, next to markers such as ``_SUCCESS``:
https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
https://docs.snowflake.com/en/sql-reference/sql/copy-into-location
https://cloud.google.com/bigquery/docs/exporting-data
"""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.paths import is_path, object_path, protocols, read_errors, safe_repr

WILDCARD = re.compile(r"[*?\[]")
HIDDEN = ("_", ".")  # markers and checksums, as Hadoop names them
ENDING = re.compile(r"\.[A-Za-z]\w*$")
WEB = {"http", "https"}


class Part(NamedTuple):
    """One file.

    :param files: its fsspec file system.
    :param path: its path there.
    :param name: its path within the folder that has all parts, for messages.
    """

    files: Any
    path: str
    name: str


def find_parts(sources: Sequence[Any]) -> list[Part]:
    """Return the files that some paths mean, in the order of their paths.

    :raises BadArgumentError: there is none, or one of them is found twice.
    :raises RecordsReadError: a file does not exist, or a folder cannot be listed.
    """
    found = sorted((file for source in sources for file in _expand(source)), key=lambda file: file[1])
    if twice := [path for path, times in Counter(map(_real_path, found)).items() if times > 1]:
        raise BadArgumentError(f"records names {safe_repr(twice[0])} twice, or a link to it. Remove one of them.")
    names = _names([path for _, path in found])
    return [Part(files, path, name) for (files, path), name in zip(found, names, strict=True)]


def check_is_no_part(sources: Any, path: Any) -> None:
    """Check that a file to be written is none of the files that some paths mean.

    :param sources: the argument ``records``.
    :param path: the argument ``results_path``.
    :raises BadArgumentError: it is one of them.
    """
    listed = sources if isinstance(sources, list | tuple) else [sources]
    if not listed or not is_path(listed[0]):  # records, not paths
        return
    target = object_path(path, "results_path")
    written = target.fs._strip_protocol(str(target.path))
    if not target.fs.exists(written):  # the usual case; a list of all parts would be requested twice
        return
    for source in filter(is_path, listed):
        if any(type(files) is type(target.fs) and part == written for files, part in _expand(source)):
            raise BadArgumentError(
                f"results_path={safe_repr(path)} is one of the files of records={safe_repr(source)}, which must not "
                "change. Use another name or folder."
            )


def _real_path(file: tuple[Any, str]) -> str:
    files, path = file
    return os.path.realpath(path) if "file" in protocols(files) else path


def _expand(source: Any) -> list[tuple[Any, str]]:
    if not is_path(source):
        raise BadArgumentError(
            f"records is a list of paths, and one of them is a {type(source).__name__}. Pass only paths, or only dicts."
        )
    text = str(source).strip()
    if not text or text[0] in "[{" or "\n" in text:
        raise BadArgumentError(
            "records is a string, but not the path of a file. Pass the task's output (records=extract.output), or set "
            "render_template_as_native_obj=True on the DAG."
        )
    found = object_path(source, "records")
    files = found.fs
    path = files._strip_protocol(str(found.path))  # as it lists its files: absolute where it is local
    if protocols(files) & WEB:  # a signed URL can be read, and nothing else
        return [(files, str(found.path))]
    with read_errors(source):
        kind = _kind(files, path)
        if text.endswith("/") and kind != "directory" and not WILDCARD.search(path):
            raise RecordsReadError(f"records={safe_repr(source)} cannot be read: there is no such folder")
        return [(files, each) for each in _list(files, path, kind, safe_repr(source))]


def _list(files: Any, path: str, kind: str | None, source: str) -> Iterable[str]:
    if kind == "file":
        return [path]
    if kind == "directory":
        listed = _visible(files.find(path), path)
        if not listed:
            raise BadArgumentError(f"records={source} is a folder without files. Check the task that writes them.")
        return listed
    is_pattern = WILDCARD.search(path)
    if not is_pattern and ENDING.search(path):
        return [path]  # the name of a file, and not the start of others: opening it says that it does not exist
    listed = _matches(files, path if is_pattern else f"{path}*")
    if not listed and not is_pattern:
        raise RecordsReadError(f"records={source} cannot be read: No such file or directory, and no file begins so")
    if not listed:
        raise BadArgumentError(f"records={source} matches no file. Check the pattern, and the task that writes them.")
    return listed


def _kind(files: Any, path: str) -> str | None:
    try:
        return str(files.info(path)["type"])
    except FileNotFoundError:
        return None


def _matches(files: Any, pattern: str) -> list[str]:
    """Return the files that match a pattern, and those in the folders that match it."""
    base = posixpath.dirname(WILDCARD.split(pattern)[0])
    found: set[str] = set()
    for path, info in files.glob(pattern, detail=True).items():
        found.update(files.find(path) if info["type"] == "directory" else [path])
    if posixpath.basename(pattern).startswith(HIDDEN):
        return sorted(found)
    return _visible(found, base)


def _visible(paths: Iterable[str], base: str) -> list[str]:
    """Return the paths without markers, checksums, temporary folders and the manifest of Redshift's UNLOAD."""
    return sorted(
        path
        for path in paths
        if not path.endswith("manifest")
        and not any(each.startswith(HIDDEN) for each in path.removeprefix(base).strip("/").split("/"))
    )


def _names(paths: list[str]) -> list[str]:
    common = posixpath.commonprefix([f"{posixpath.dirname(path)}/" for path in paths])
    common = common[: common.rfind("/") + 1]
    return [_printable(path.partition("?")[0].removeprefix(common)) for path in paths]


def _printable(name: str) -> str:
    name = redact(name) if "@" in name else name
    return "".join(char if char.isprintable() else "?" for char in name)
