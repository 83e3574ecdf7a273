# SPDX-License-Identifier: Apache-2.0
"""The errors, by what the user must do about them.

::

    BulkJobError
    ├── BadArgumentError          mend the DAG: an argument makes no sense (also a ValueError)
    │   └── NoJobsError           nothing, where no records were submitted: the sensor turns it into a skip
    ├── BadConnectionError        mend the connection: missing, of another type, incomplete
    ├── ConnectionLookupError     check Airflow's API server, database and secrets backend, then retry
    ├── VendorAPIError         the vendor said no; its own words are in the message
    │   ├── AuthenticationError      renew the key or token
    │   ├── PermissionDeniedError grant the permission
    │   └── JobNotFoundError      check the job id, the region, the host and the account
    ├── JobDisappearedError          the job was seen and is gone: its result can no longer be known
    ├── JobNotFinishedError          wait for the job before asking for its results
    ├── UnknownStateError         report the word, so that it gets a meaning
    ├── UntrustedResponseError         the vendor pointed elsewhere; credentials do not follow
    ├── TransientError            nothing: it is tried again, and only seen where patience is not wanted
    ├── UnknownOutcomeError           look at the vendor's pages: nobody knows whether a submit was taken
    ├── RateLimitDelayError          nothing: the caller would rather do something else than wait that long
    ├── DeadlineExceededError      nothing: the sensor turns it into AirflowSensorTimeout
    └── VendorUnavailableError    wait, then resume with the job ids in the message

None of these is an ``AirflowException``: a broken sensor must never be skipped by ``soft_fail`` as if it had
been a quiet day. What ends a task for good stands in :mod:`airflow_provider_bulkjobs.failures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """One item of a request that the vendor named as invalid.

    :param index: its position in the request, from 0.
    :param field: the vendor's name of the invalid field.
    :param message: the vendor's own words, not redacted.
    """

    index: int
    field: str | None
    message: str | None


class BulkJobError(Exception):
    """Anything this package raises of its own."""


class BadArgumentError(BulkJobError, ValueError):
    """An argument of a sensor, trigger or hook makes no sense."""


class NoJobsError(BadArgumentError):
    """``job_id`` is an empty list, or has only empty lists in it."""


class BadConnectionError(BulkJobError):
    """The connection is missing, of another type, or incomplete."""


class ConnectionLookupError(BulkJobError):
    """Airflow could not read the connection: its API server, its database or a secrets backend failed."""


class VendorAPIError(BulkJobError):
    """The vendor refused; retrying the same request would be refused again.

    :param invalid_items: the items for which the vendor refused it, where it names them.
    """

    def __init__(self, message: str, *, invalid_items: Sequence[InvalidItem] = ()) -> None:
        super().__init__(message)
        self.invalid_items = invalid_items


class AuthenticationError(VendorAPIError):
    """The vendor does not accept the key, token or password."""


class PermissionDeniedError(VendorAPIError):
    """The credentials are good but may not do this."""


class JobNotFoundError(VendorAPIError):
    """The vendor does not know what was asked for."""


class JobDisappearedError(BulkJobError):
    """The vendor knew the job during this wait and does not any more."""


class JobNotFinishedError(BulkJobError):
    """The results of a job were asked for before it was over."""


class UnknownStateError(BulkJobError):
    """The vendor used a state that it documents nowhere."""


class UntrustedResponseError(BulkJobError):
    """The answer points to another host, or is larger than any answer has to be."""


class TransientError(BulkJobError):
    """One exchange failed in a way that may well pass.

    :param retry_after: how many seconds the vendor asked to be left alone, if it did.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class VendorUnavailableError(BulkJobError):
    """The vendor was down, throttled or talking nonsense for longer than patience lasts.

    :param retry_after: how many seconds the vendor asked to be left alone, if it did.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownOutcomeError(BulkJobError):
    """A request that must not be sent twice may have been obeyed or not: its answer got lost, or made no sense."""


class RateLimitDelayError(BulkJobError):
    """The next request would have to wait for longer than the caller wants to.

    :param seconds: how long.
    """

    def __init__(self, message: str, *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class DeadlineExceededError(BulkJobError):
    """The deadline came while the next request had to wait."""
