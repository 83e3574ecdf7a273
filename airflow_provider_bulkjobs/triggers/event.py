# SPDX-License-Identifier: Apache-2.0
"""The events of the trigger: plain JSON from the triggerer to the worker, with a fixed set of statuses."""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.protocol.job import JobState

FINISHED = {state.value for state in JobState if state.is_finished}
# Of errors. Not those of single items, which have personal data.
ATTRIBUTES = ("status", "vendor_message", "retry_after", "job_ids")


class WaitTimedOutError(errors.BulkJobError):
    """The jobs did not finish before the deadline."""


def finished(result: dict[str, Any], page: str | None) -> dict[str, Any]:
    """Return the event if all jobs have finished.

    :param page: the URL of the vendor's page, which the worker need not read from XCom then; empty if there is none.
    """
    return {"status": "finished", "result": result, "page": page}


def timeout_message(progress_summary: str) -> dict[str, Any]:
    """Return the event at the deadline."""
    return {"status": "timeout", "message": progress_summary}


def failed(error: errors.BulkJobError) -> dict[str, Any]:
    """Return the event of an error that ended the wait."""
    public = next(each for each in type(error).__mro__ if getattr(errors, each.__name__, None) is each)
    attributes = {name: value for name in ATTRIBUTES if (value := getattr(error, name, None)) is not None}
    return {
        "status": "error",
        "error": public.__name__,
        "message": error.message,
        "hint": error.hint,
        "attributes": attributes,
    }


def checkpoint(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the event that makes a worker defer again with these arguments, so that Airflow stores them.

    :param arguments: the arguments of the trigger that continues the wait.
    """
    return {"status": "checkpoint", "trigger": arguments}


def start_on_worker(reason: str, started_at: float | None) -> dict[str, Any]:
    """Return the event that makes a worker start the wait, because the triggerer could not.

    :param started_at: when the wait started, in epoch seconds.
    """
    return {"status": "start_on_worker", "reason": reason, "started_at": started_at}


def read_start_on_worker(event: Any) -> tuple[str, float | None] | None:
    """Return why a worker has to start the wait, and when the wait started; ``None`` for any other event."""
    match event:
        case {"status": "start_on_worker", "reason": str(reason), "started_at": float() | None as started_at}:
            return reason, started_at
    return None


def read_checkpoint(event: Any) -> dict[str, Any] | None:
    """Return the arguments of the trigger that continues the wait, or ``None`` if the event ends the wait."""
    match event:
        case {"status": "checkpoint", "trigger": {"job_ids": list(), "known_jobs": list(), "deadline": _} as arguments}:
            return dict(arguments)
    return None


def read_resume_kwargs(event: Any) -> dict[str, Any]:
    """Return the arguments of ``execute_complete`` that the trigger was given; empty if there are none."""
    kwargs = event.get("resume_kwargs") if isinstance(event, dict) else None
    return dict(kwargs) if isinstance(kwargs, dict) else {}


def read_page(event: Any) -> str | None:
    """Return the URL of the vendor's page in an event; empty if there is none, ``None`` if it is not known."""
    page = event.get("page") if isinstance(event, dict) else None
    return page if isinstance(page, str) else None


def read_event(event: Any) -> dict[str, Any]:
    """Return the result in an event.

    :raises WaitTimedOutError: the event is a timeout.
    :raises BulkJobError: the error in the event, with its class and attributes; also for an invalid event, which must
        never count as a success.
    """
    match event:
        case {
            "status": "finished",
            "result": {"state": str(state), "total": _, "failed": _, "jobs": list(), "job_count": int()} as result,
        } if state in FINISHED:
            return dict(result)
        case {"status": "timeout", "message": str(message)}:
            raise WaitTimedOutError(message)
        case {"status": "error", "error": str(name), "message": str(message), "hint": str(hint)}:
            kind = getattr(errors, name, None)
            if not (isinstance(kind, type) and issubclass(kind, errors.BulkJobError)):
                raise errors.BulkJobError(f"{name}: {message}")
            error = kind(message).reworded(message, hint=hint)
            attributes = event.get("attributes", {})
            for attribute in ATTRIBUTES:
                if attribute in attributes:
                    setattr(error, attribute, attributes[attribute])
            raise error
    raise errors.BulkJobError(f"Unexpected trigger event: {str(event)[:200]}")
