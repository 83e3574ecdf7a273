# SPDX-License-Identifier: Apache-2.0
"""The trigger's event: plain JSON on its way from the triggerer to the worker, and a closed set of them."""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.protocol.job import JobState

FINISHED = {state.value for state in JobState if state.is_finished}


class WaitTimedOutError(errors.BulkJobError):
    """The trigger waited until the deadline."""


def finished(result: dict[str, Any]) -> dict[str, Any]:
    """Return the event for jobs that have all finished."""
    return {"status": "finished", "result": result}


def timeout_message(how_it_stands: str) -> dict[str, Any]:
    """Return the event for the deadline."""
    return {"status": "timeout", "message": how_it_stands}


def failed(error: errors.BulkJobError) -> dict[str, Any]:
    """Return the event for a wait that an error has ended."""
    return {"status": "error", "error": type(error).__name__, "message": error.message, "hint": error.hint}


def checkpoint(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the event that lets Airflow store what is known so far: a worker defers again with these arguments.

    :param arguments: those of the trigger that continues the wait.
    """
    return {"status": "checkpoint", "trigger": arguments}


def read_checkpoint(event: Any) -> dict[str, Any] | None:
    """Return the arguments of the trigger that continues the wait, or ``None``: the event ends the wait."""
    match event:
        case {"status": "checkpoint", "trigger": {"job_ids": list(), "known_jobs": list(), "deadline": _} as arguments}:
            return dict(arguments)
    return None


def read_event(event: Any) -> dict[str, Any]:
    """Return the result in an event.

    :raises WaitTimedOutError: the event says so.
    :raises BulkJobError: the error in the event, as the class it was; also for an event that makes no sense,
        which must never pass for a success.
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
            error = getattr(errors, name, None)
            if isinstance(error, type) and issubclass(error, errors.BulkJobError):
                raise error(message).reworded(message, hint=hint)
            raise errors.BulkJobError(f"{name}: {message}")
    raise errors.BulkJobError(f"the trigger sent an event that nobody understands: {str(event)[:200]}")
