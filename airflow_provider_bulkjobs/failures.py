# SPDX-License-Identifier: Apache-2.0
"""What ends a task for good: trying again would give the same, and ``soft_fail`` turns it into a skip."""

from __future__ import annotations

from airflow_provider_bulkjobs._airflow import AirflowFailException, AirflowSkipException


class JobFailedError(AirflowFailException):
    """The job failed, was canceled, or too many of its items failed."""


class JobExpiredError(AirflowFailException):
    """The job was there and is gone (expired or deleted), so its result cannot be known."""


class PartialSubmitError(AirflowFailException):
    """A submit ended halfway, and another try could send records twice; the message tells what was accepted.

    It is never skipped: half an import is no quiet day.
    """


def before_skip(error: BaseException) -> BaseException:
    """Return the error that ``soft_fail`` or ``never_fail`` has turned into a skip, or the error itself."""
    return error.__cause__ if isinstance(error, AirflowSkipException) and error.__cause__ else error
