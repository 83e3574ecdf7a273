# SPDX-License-Identifier: Apache-2.0
"""All exceptions of this package, grouped by what the user has to do.

::

    BulkJobError                        not an AirflowException: Airflow retries the task, and soft_fail never skips it
    ├── correct the DAG
    │   └── BadArgumentError            an argument is invalid (also a ValueError)
    │       └── NoJobsError             an empty list of job ids; the sensor skips
    ├── correct the data or the storage
    │   ├── RecordsReadError            the source of the records cannot be read
    │   └── OutputWriteError            a results file or a temporary file cannot be written
    ├── correct the connection
    │   ├── BadConnectionError          missing, of another type, incomplete, or not trusted
    │   └── ConnectionLookupError       Airflow could not read it: check the API server, database and secrets backend
    ├── VendorAPIError                  the vendor rejected the request; it is not retried
    │   ├── AuthenticationError         renew the key or token
    │   ├── PermissionDeniedError       grant the permission
    │   └── JobNotFoundError            check the job id, the region, the host and the account
    ├── report it, or check the vendor's web pages
    │   ├── UnknownStateError           an undocumented state
    │   ├── UntrustedResponseError      a response that points to another host, does not end, or is too large
    │   └── UnknownOutcomeError         a request that is not idempotent may have been executed or not
    ├── wait, then retry
    │   ├── VendorUnavailableError      down or rate limited; the message has the job ids to resume with
    │   └── JobNotFinishedError         results were requested before the job had finished
    └── handled inside the package
        ├── TransientError              a failed exchange, which is retried
        ├── RateLimitDelayError         a delay longer than the caller accepts
        ├── DeadlineExceededError       becomes AirflowSensorTimeout
        └── JobDisappearedError         becomes JobExpiredError

    AirflowFailException                Airflow does not retry the task
    ├── JobFailedError                  failed, canceled, or too many failed items; soft_fail skips
    ├── JobExpiredError                 the job was seen and no longer exists; soft_fail skips
    └── PartialSubmitError              a submit that must not be retried; never skipped

The three below ``AirflowFailException`` need Airflow, which the vendors' declarations do without. So they are made when
they are first used.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AirflowFailException

    class JobFailedError(AirflowFailException):
        """The job failed, was canceled, or too many of its items failed.

        Remedy: Read the failed items with a ``BulkJobResultsOperator``, and import them again. To accept them, increase
        ``allowed_failures``, and wait for the same jobs with a ``BulkJobSensor``.
        """

    class JobExpiredError(AirflowFailException):
        """The job existed and does not any more (expired or deleted), so its result is unknown.

        Remedy: Check the imported contacts at the vendor. Wait with ``deferrable=True`` and a shorter ``poke_interval``
        where the vendor deletes finished jobs early.
        """

    class PartialSubmitError(AirflowFailException):
        """A submit ended halfway, and a retry could send records twice; the message has what was accepted.

        It is never skipped.

        Remedy: Look up the batch whose outcome is unknown at the vendor, then submit the lines that are missing.
        """


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """One item of a request that the vendor named as invalid.

    :param index: its position in the request, from 0.
    :param field: the vendor's name of the invalid field.
    :param message: the vendor's message about it, not redacted.
    """

    index: int
    field: str | None
    message: str | None


class BulkJobError(Exception):
    """The base of all exceptions of this package that Airflow retries.

    :param message: what happened, and where.
    :param hint: what to do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return " ".join(sentence(part) for part in (self.message, self.hint)) if self.hint else self.message

    def reworded(self, message: str, *, hint: str | None = None) -> Self:
        """Return the same exception with another message, and another hint if one is given."""
        changed = copy.copy(self)
        changed.args = (message,)
        changed.message = message
        changed.hint = self.hint if hint is None else hint
        return changed


class BadArgumentError(BulkJobError, ValueError):
    """An argument of an operator, sensor, trigger or hook is invalid.

    Remedy: Correct the argument in the DAG; the message names it. For invalid records, correct the line that it names,
    or set ``skip_invalid=True``.
    """


class NoJobsError(BadArgumentError):
    """``job_id`` is an empty list, or has only empty lists in it.

    Remedy: Check the task that submits the jobs. The sensor skips instead of raising it if the list comes from a task.
    """


class RecordsReadError(BulkJobError):
    """The source of the records cannot be read: it is missing, corrupt, or its storage failed.

    Remedy: Check the file or the query, and the connection of the storage or database. Nothing was sent.
    """


class OutputWriteError(BulkJobError):
    """A results file, or a temporary file, cannot be written.

    Remedy: Check the permissions and the free space of the path that the message names; temporary files are in
    ``TMPDIR``.
    """


class BadConnectionError(BulkJobError):
    """The connection is missing, of another type, incomplete, or leads to a server that is not trusted.

    Remedy: Correct the field of the connection that the message names, and test it with ``airflow connections test``.
    """


class ConnectionLookupError(BulkJobError):
    """Airflow could not read the connection: its API server, its database or a secrets backend failed.

    Remedy: Check the part of Airflow that the message names. Airflow retries the task.
    """


class VendorAPIError(BulkJobError):
    """The vendor rejected the request. The same request would be rejected again.

    Remedy: Correct what the vendor's message says; ``invalid_items`` has the records that it names.

    :param status: the HTTP status of the response, if it came with one.
    :param vendor_message: the vendor's own message, redacted.
    :param invalid_items: the items for which the vendor rejected it, where it names them.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        vendor_message: str | None = None,
        invalid_items: Sequence[InvalidItem] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.vendor_message = vendor_message
        self.invalid_items = invalid_items


class AuthenticationError(VendorAPIError):
    """The vendor does not accept the key, token or password.

    Remedy: Renew the key, and enter it in the connection. A wait that is running notices a new key by itself.
    """


class PermissionDeniedError(VendorAPIError):
    """The credentials are valid and lack a permission.

    Remedy: Grant the permission; the vendor's page lists those that are needed.
    """


class JobNotFoundError(VendorAPIError):
    """The vendor has no such job.

    Remedy: Check the job id, the ``job_kind``, and the account, region and host of the connection. A job that ended
    long ago may have expired.
    """


class JobDisappearedError(BulkJobError):
    """The vendor had the job during this wait and does not have it any more."""


class JobNotFinishedError(BulkJobError):
    """The results of a job were requested before it had finished.

    Remedy: Wait for the job with a ``BulkJobSensor`` first.
    """


class UnknownStateError(BulkJobError):
    """The vendor responded with an undocumented state.

    Remedy: Look the job up in the vendor's web pages, and report the state to this project: it is never taken for a
    success.
    """


class UntrustedResponseError(BulkJobError):
    """The response points to another host, has pages without end, or is too large.

    Remedy: Check the host of the connection, and proxies. If the host is right, report it to this project.
    """


class TransientError(BulkJobError):
    """One exchange failed in a way that is worth a retry.

    :param retry_after: the seconds that the vendor asked to wait, if it did.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class VendorUnavailableError(BulkJobError):
    """The vendor was down, limited the rate, or sent unusable responses until the retries were used up.

    Remedy: Retry the task, or start a ``BulkJobSensor`` with the job ids in the message. If other programs use the
    account, lower ``requests_per_second`` of the connection.

    :param retry_after: the seconds that the vendor asked to wait, if it did.
    :param job_ids: the unfinished jobs, to resume with.
    """

    def __init__(
        self, message: str, *, hint: str = "", retry_after: float | None = None, job_ids: Sequence[str] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.job_ids = job_ids


class UnknownOutcomeError(BulkJobError):
    """A request that is not idempotent may have been executed: its response was lost, or unusable.

    Remedy: Check at the vendor whether it was executed. A ``BulkJobOperator`` raises ``PartialSubmitError`` instead.
    """


class RateLimitDelayError(BulkJobError):
    """The next request would be delayed for longer than the caller accepts.

    :param seconds: the delay.
    """

    def __init__(self, message: str, *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class DeadlineExceededError(BulkJobError):
    """The deadline came before the next request could be sent."""


def sentence(text: str) -> str:
    """Return a text with a period at its end, unless it has an end already."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


_FAILURES = {
    "JobFailedError": "The job failed, was canceled, or too many of its items failed.",
    "JobExpiredError": "The job existed and does not any more (expired or deleted), so its result is unknown.",
    "PartialSubmitError": "A submit ended halfway, and a retry could send records twice. It is never skipped.",
}


def __getattr__(name: str) -> Any:
    if name not in _FAILURES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow.providers.common.compat.sdk import AirflowFailException

    for each, doc in _FAILURES.items():
        globals()[each] = type(each, (AirflowFailException,), {"__doc__": doc, "__module__": __name__})
    return globals()[name]
