# SPDX-License-Identifier: Apache-2.0
"""Arguments as users and templates give them, checked before anything is sent."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, NoJobsError

AllowedFailures = int | float | None
LONGEST = 512
# What a list, or a mapped task's results, look like after a template has turned them into text.
RENDERED_LIST = re.compile(r"\s*(\[.*\]|[({].*[,'\"].*[)}])\s*|<.*>|Lazy\w*Sequence\(.*\)", re.DOTALL)


def is_literal(value: Any) -> bool:
    """Tell whether a value is final already, and not yet to be filled in by a template or another task."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    if isinstance(value, list | tuple | set):
        return all(is_literal(item) for item in value)
    return value is None or isinstance(value, int | float | dict)


def check_literal(value: Any, read: Callable[[Any], Any]) -> None:
    """Check when the DAG is parsed what is final by then.

    :raises BadArgumentError: it makes no sense.
    """
    if is_literal(value):
        read(value)


def read_conn_id(value: Any) -> str:
    """Return the id of a connection.

    :raises BadArgumentError: it is empty or not a string.
    """
    if not isinstance(value, str) or not value.strip():
        raise BadArgumentError(f"conn_id={value!r} is empty: give the id of a connection")
    return value


def read_job_ids(value: Any) -> list[str]:
    """Return the job ids as strings, in their order.

    :param value: one id (a string or an integer), or an iterable of ids. A mapped task that returns lists gives lists
        of ids in a list; they are flattened, whatever the depth.
    :raises NoJobsError: there is none.
    :raises BadArgumentError: one is blank or cannot be an id, or one is there twice.
    """
    ids = list(_flatten(value))
    if not ids:
        raise NoJobsError("job_id is an empty list: there is no job. Check the task that submits the jobs.")
    twice = [job_id for job_id, times in Counter(ids).items() if times > 1]
    if twice:
        raise BadArgumentError(
            f"job_id has {_shown(twice[0])} more than once: each job is counted once, so remove the duplicates"
        )
    return ids


def _flatten(value: Any) -> Iterator[str]:
    if isinstance(value, str) and RENDERED_LIST.fullmatch(value):
        raise BadArgumentError(
            f"job_id={_shown(value)} is a list that a template has turned into one string: hand over the task's "
            "output itself (job_id=submit.output), or set render_template_as_native_obj=True on the DAG"
        )
    if not _is_list(value):
        yield read_job_id(value)
        return
    items = list(value)
    has_lists = any(_is_list(item) for item in items)
    for item in items:
        # Among the lists of a mapped task, None is an instance that submitted nothing. Among ids, one is missing.
        if item is not None or not has_lists:
            yield from _flatten(item)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def read_job_id(value: Any) -> str:
    """Return one job id as a string.

    :raises BadArgumentError: it is empty, or cannot be an id.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadArgumentError(
            f"job_id is {'None' if value is None else 'a ' + type(value).__name__}: give the vendor's job id "
            "(a string or an integer); check what the submitting task returned"
        )
    job_id = str(value)
    if not job_id.strip() or job_id in {"None", "null"}:
        raise BadArgumentError(f"job_id={_shown(job_id)} is empty: check what the submitting task returned")
    if job_id in {".", ".."}:
        raise BadArgumentError(f"job_id={_shown(job_id)} would change the path of the request")
    if not job_id.isprintable():
        raise BadArgumentError(
            f"job_id={_shown(job_id)} has a control character or line break: strip it where the id is read"
        )
    if len(job_id) > LONGEST:
        raise BadArgumentError(f"job_id={_shown(job_id)} is longer than {LONGEST} characters: that is no job id")
    return job_id


def _shown(value: str) -> str:
    return repr(value if len(value) <= 80 else f"{value[:80]}…")


def read_allowed_failures(value: Any) -> AllowedFailures:
    """Return ``allowed_failures`` as given or rendered.

    :raises BadArgumentError: it is neither a number of items nor a share below 1, nor ``None``.
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
    is_share = isinstance(number, float) and math.isfinite(number) and 0 <= number < 1
    if number is None or is_items or is_share:
        return number  # type: ignore[no-any-return]
    raise BadArgumentError(
        f"allowed_failures={value!r} makes no sense: give a whole number of items (0, 10), a share of all items "
        "below 1 (0.05), or None for any number of failed items"
    )


def read_expected_items(value: Any) -> int | None:
    """Return ``expected_items`` as given or rendered.

    :raises BadArgumentError: it is not a whole number above 0, nor ``None``.
    """
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}\s*", value) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if number is None or (isinstance(number, int) and not isinstance(number, bool) and number > 0):
        return number
    raise BadArgumentError(
        f"expected_items={value!r} makes no sense: give the number of items submitted, 1 or more, or None"
    )
