# SPDX-License-Identifier: Apache-2.0
"""The status of a job as data, and reading its details."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, JobNotFinishedError, JobNotFoundError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.composite_ids import CompositeId


def as_list(value: Any) -> list[Any]:
    """Return a list: missing or null is an empty list, a single object is a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def as_dict(value: Any) -> Mapping[str, Any]:
    """Return an object: missing, null or malformed is an empty object."""
    return value if isinstance(value, dict) else {}


def object_in(vendor: str, body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object with the counts of a job, such as ``summary``; missing or null is an empty object.

    :raises TransientError: the value is not an object; it must not pass for "no counts".
    """
    value = body.get(key)
    if not isinstance(value, dict | None):
        raise TransientError(f"{vendor} response: {key!r} is not an object")
    return value or {}


def as_dicts(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list, which are read as by :func:`as_list` and :func:`as_dict`."""
    return [as_dict(each) for each in as_list(value)]


def request_details(vendor: str, path: str, max_age: float = 0.0) -> Flow[dict[str, Any]]:
    """Request details of a job as JSON. Raises like :func:`read_details`.

    :param max_age: the seconds for which all flows of the account may share the response.
    """
    return (yield from read_details(vendor, Request("GET", path, max_age=max_age))).json


def read_details(vendor: str, request: Request) -> Flow[Response]:
    """Request details of a job whose state was just read: its errors, or the results of its items.

    :raises TransientError: the details were not found (404). This does not mean that the job is gone: the retry
        reads its state first.
    """
    try:
        return (yield request)
    except JobNotFoundError as error:
        raise TransientError(f"{vendor} returned 404 for the job's details right after its state: {error}") from error


def require_finished(states: States, body: Mapping[str, Any]) -> str:
    """Return the vendor's name for the state of a finished job.

    :raises JobNotFinishedError: the job is not finished, so its results are incomplete.
    """
    state, word = states.read(body)
    if not state.is_finished:
        raise JobNotFinishedError(
            f"the job is still {word!r}. Wait for it with BulkJobSensor before reading its results."
        )
    return word


@dataclass(frozen=True, slots=True)
class StatusEndpoint:
    """The status of a job, requested with one path. Call it for the status flow of a :class:`JobKind`.

    Paths in the response are those of :func:`value_at`, relative to the status object. ``succeeded`` is a result, so an
    unfinished job has none. Where the vendor does not count it, it is ``processed`` or ``total``, without ``failed``.

    :param path: the path of the request. ``{job_id}`` is replaced by the id, as one path segment.
    :param states: the documented states.
    :param at: the path of the status object in the response.
    :param counts: the paths of the counts, by the names of the fields of :class:`BulkJob`, and ``processed``: the items
        that were processed, including the failed ones. Several paths are summed.
    :param times: the paths of the times, by the names of the fields of :class:`BulkJob`.
    :param headers: returns the headers of the request, in addition to the vendor's own.
    :param ids: the parts of the job id, which replace ``{name}`` in the path.
    :param numeric: the job id is a number, and the vendor's response to any other one does not say that it is wrong.
    :param adjust: returns the job from what was read and the status object, where the vendor is particular.
    """

    path: str
    states: States
    at: str = ""
    counts: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)
    headers: Callable[[Account], Mapping[str, str]] | None = None
    ids: CompositeId | None = None
    numeric: bool = False
    adjust: Callable[[BulkJob, Mapping[str, Any]], BulkJob] | None = None

    def __call__(self, account: Account, job_id: str) -> Flow[BulkJob]:
        """Request the status of a job."""
        return self.read((yield self.request(account, job_id)).json, job_id)

    def request(self, account: Account, job_id: str) -> Request:
        """Return the request.

        :raises BadArgumentError: the job id does not have the parts that the path needs, or is not a number.
        """
        if self.numeric and not (job_id.isascii() and job_id.isdecimal()):
            raise BadArgumentError(
                f"job_id={job_id[:80]!r} is no job id of {self.states.vendor}, which is a number. Pass the id that the "
                "submitting task returned."
            )
        path = self.path
        for name, part in (self.ids.split(job_id) if self.ids else {"job_id": job_id}).items():
            path = path.replace(f"{{{name}}}", path_segment(part))
        return Request("GET", path, self.headers(account)) if self.headers else Request("GET", path)

    def finished(self, account: Account, job_id: str) -> Flow[Mapping[str, Any]]:
        """Request the status; return the status object of a finished job, whose results are to be read.

        :raises JobNotFinishedError: the job is not finished.
        """
        found = as_dict(value_at((yield self.request(account, job_id)).json, self.at))
        require_finished(self.states, found)
        return found

    def read(self, body: Mapping[str, Any], job_id: str) -> BulkJob:
        """Return the job in a response.

        :raises TransientError: there is no state, or the job succeeded with a count that is not a number.
        :raises UnknownStateError: the state is not documented.
        """
        found = as_dict(value_at(body, self.at))
        state, word = self.states.read(found)
        fields: dict[str, Any] = {}
        for name, paths in self.counts.items():
            fields[name] = self._count(found, paths, state)
        processed = fields.pop("processed", None)
        if not state.is_finished:
            fields.pop("succeeded", None)
        elif "succeeded" not in fields:
            done = processed if "processed" in self.counts else fields.get("total")
            failed = fields.get("failed")
            fields["succeeded"] = None if done is None or failed is None else max(done - failed, 0)
        for name, path in self.times.items():
            fields[name] = utc_time(value_at(found, path))
        job = BulkJob(job_id, state, word, **fields)
        return self.adjust(job, found) if self.adjust else job

    def _count(self, found: Mapping[str, Any], paths: str | tuple[str, ...], state: JobState) -> int | None:
        if isinstance(paths, tuple):
            numbers = [self._count(found, path, state) for path in paths]
            known = [number for number in numbers if number is not None]
            return sum(known) if known else None
        value = value_at(found, paths)
        number = count(value)
        if number is None and value is not None and state is JobState.SUCCEEDED:
            # It must not pass for "nothing failed".
            raise TransientError(f"{self.states.vendor} returned a count that is not a number of items")
        return number
