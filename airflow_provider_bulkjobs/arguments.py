# SPDX-License-Identifier: Apache-2.0
"""Validate arguments from users and templates, before any request is sent."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, NoJobsError

AllowedFailures = int | float | None
MAX_JOB_ID_LENGTH = 512
# A list, or a mapped task's results, rendered to a string by a template.
RENDERED_LIST = re.compile(r"\s*(\[.*\]|[({].*[,'\"].*[)}])\s*|<.*>|Lazy\w*Sequence\(.*\)", re.DOTALL)


def is_literal(value: Any) -> bool:
    """Return whether a value is final, as opposed to a template or the output of another task."""
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    if isinstance(value, list | tuple | set):
        return all(is_literal(item) for item in value)
    return value is None or isinstance(value, int | float | dict)


def check_literal(value: Any, read: Callable[[Any], Any]) -> None:
    """Validate a literal value when the DAG is parsed; skip templates.

    :raises BadArgumentError: it is invalid.
    """
    if is_literal(value):
        read(value)


def read_conn_id(value: Any) -> str:
    """Return the id of a connection.

    :raises BadArgumentError: it is empty or not a string.
    """
    if not isinstance(value, str) or not value.strip():
        raise BadArgumentError(f"conn_id={value!r} is invalid. Pass the id of a connection.")
    return value


def read_job_ids(value: Any) -> list[str]:
    """Return the job ids as strings, in their order.

    :param value: one id (a string or an integer), or an iterable of ids. A mapped task that returns lists gives a list
        of lists; nested lists are flattened.
    :raises NoJobsError: there are no ids.
    :raises BadArgumentError: an id is empty, invalid or a duplicate.
    """
    ids = list(_flatten(value))
    if not ids:
        raise NoJobsError("job_id is an empty list. Check the task that submits the jobs.")
    duplicates = [job_id for job_id, times in Counter(ids).items() if times > 1]
    if duplicates:
        raise BadArgumentError(f"job_id contains {_short_repr(duplicates[0])} more than once. Remove the duplicates.")
    return ids


def _flatten(value: Any) -> Iterator[str]:
    if isinstance(value, str) and RENDERED_LIST.fullmatch(value):
        raise BadArgumentError(
            f"job_id={_short_repr(value)} is a list that a template has rendered to a string. Pass the task output "
            "(job_id=submit.output), or set render_template_as_native_obj=True on the DAG."
        )
    if not _is_list(value):
        yield read_job_id(value)
        return
    items = list(value)
    has_lists = any(_is_list(item) for item in items)
    for item in items:
        # Among the lists of a mapped task, None is an instance that submitted nothing. Among ids, it is a missing id.
        if item is not None or not has_lists:
            yield from _flatten(item)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def read_job_id(value: Any) -> str:
    """Return one job id as a string.

    :raises BadArgumentError: it is empty or invalid.
    """
    if isinstance(value, Mapping) and "job_ids" in value:
        raise BadArgumentError(
            "job_id is the output of a BulkJobOperator that waits, a dict. Pass its job ids: "
            "job_id=import_contacts.output['job_ids'], where import_contacts is that operator."
        )
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadArgumentError(
            f"job_id is {'None' if value is None else 'a ' + type(value).__name__}. Pass the vendor's job id "
            "(a string or an integer), or a list of ids. Check the output of the submitting task."
        )
    job_id = str(value)
    if not job_id.strip() or job_id in {"None", "null"}:
        raise BadArgumentError(f"job_id={_short_repr(job_id)} is empty. Check the output of the submitting task.")
    if job_id in {".", ".."}:
        raise BadArgumentError(
            f"job_id={_short_repr(job_id)} would change the path of the request. Pass a valid job id."
        )
    if not job_id.isprintable():
        raise BadArgumentError(
            f"job_id={_short_repr(job_id)} contains a control character or line break. Strip it where the id is read."
        )
    if len(job_id) > MAX_JOB_ID_LENGTH:
        raise BadArgumentError(
            f"job_id={_short_repr(job_id)} is longer than {MAX_JOB_ID_LENGTH} characters. Pass a valid job id."
        )
    return job_id


def _short_repr(value: str) -> str:
    return repr(value if len(value) <= 80 else f"{value[:80]}…")


def read_allowed_failures(value: Any) -> AllowedFailures:
    """Return ``allowed_failures`` as given or rendered.

    :raises BadArgumentError: it is not a number of items, a fraction below 1 or ``None``.
    """
    number = value
    if isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            try:
                number = float(value)
            except ValueError:
                number = value
    is_items = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    is_fraction = isinstance(number, float) and math.isfinite(number) and 0 <= number < 1
    if number is None or is_items or is_fraction:
        return number  # type: ignore[no-any-return]
    raise BadArgumentError(
        f"Invalid allowed_failures={value!r}. Pass a number of items (0, 10), a fraction of all items below 1 (0.05), "
        "or None for no limit."
    )


def read_expected_items(value: Any) -> int | None:
    """Return ``expected_items`` as given or rendered.

    :raises BadArgumentError: it is not a positive integer or ``None``.
    """
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}\s*", value) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if number is None or (isinstance(number, int) and not isinstance(number, bool) and number > 0):
        return number
    raise BadArgumentError(f"Invalid expected_items={value!r}. Pass the number of items submitted, 1 or more, or None.")
