# SPDX-License-Identifier: Apache-2.0
"""Dotdigital imports and deletions: the status has the counts, and all results.

https://developer.dotdigital.com/reference/getimportstatus
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.errors import Message
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems, listed_results
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, object_in

DOCS_URL = "https://developer.dotdigital.com/reference/getimportstatus"
LABEL = "Dotdigital"
IMPORTS, DELETIONS = "/contacts/v3/import", "/contacts/v3/delete"

FINISHED = "Finished"
MATCH_BY_ID = "contactId"
IDENTIFIERS = ("email", "mobileNumber", MATCH_BY_ID)  # an account can have more

IMPORT_STATES = States(
    LABEL,
    DOCS_URL,
    "status",
    {
        "NotFinished": JobState.RUNNING,  # or still queued
        FINISHED: JobState.SUCCEEDED,  # or partially failed: depends on the summary and the failures
        "RejectedByWatchdog": JobState.FAILED,  # people review it; it must not be sent again before that
        "Failed": JobState.FAILED,
        "ExceedsAllowedContactLimit": JobState.FAILED,
    },
    remarks={"RejectedByWatchdog": "People at Dotdigital review the import: ask them, and do not send it again"},
)
DELETE_STATES = States(
    LABEL,
    DOCS_URL,
    "status",
    {
        "NotStarted": JobState.PENDING,
        "NotFinished": JobState.RUNNING,
        FINISHED: JobState.SUCCEEDED,  # or partially failed
        "Failed": JobState.FAILED,
    },
)
CREATED, UPDATED, DELETED = (ListedItems(name, name) for name in ("created", "updated", "deleted"))
REASONS = (Message("failures", "failureCode", "description"),)
LOST = ("globallySuppressed", "invalidEntries", "duplicateIdentifiers")
UNDELETED = ("unknownContacts", "invalidEntries")


def _summed(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"summary.{name}" for name in names)


def _lacks(found: Mapping[str, Any], *names: str) -> bool:
    """Return whether the summary lacks any of these counts."""
    summary = object_in(LABEL, found, "summary")
    return any(summary.get(name) is None for name in names)


def _count_import(job: BulkJob, found: Mapping[str, Any]) -> BulkJob:
    """Count the failed contacts; if a count is missing, it is unknown how many there are.

    Contacts that were not imported are counted in the summary, and listed as failures: the larger number counts. A
    contact that was imported, but not added to a list, a preference or a consent record, is only listed. It is another
    one, and counts as failed, because a campaign may not reach it.
    """
    if job.vendor_state != FINISHED:
        return replace(job, failed=None)
    if _lacks(found, *LOST) or job.created is None or job.updated is None:
        return job.with_unknown_failures()
    failures = [as_dict(each) for each in FAILED.values(found, LABEL)]
    incomplete = _imported(failures, found)
    lost = max(job.failed or 0, len(failures) - len(incomplete))
    failed = lost + len({str(each["contactId"]) for each in incomplete})
    imported = job.created + job.updated
    return replace(job, total=imported + lost, succeeded=imported, failed=failed)


def _imported(failures: list[Mapping[str, Any]], found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the failures of contacts that were imported: their contact id is listed as created or updated.

    Without these lists, those with any contact id, unless the record was matched by it.
    """
    entries = [as_dict(each) for listed in (CREATED, UPDATED) for each in listed.values(found, LABEL)]
    imported = {str(each.get("contactId")) for each in entries}
    with_id = [each for each in failures if each.get("contactId") is not None]
    if imported:
        return [each for each in with_id if str(each["contactId"]) in imported]
    return [each for each in with_id if each.get("matchIdentifier") != MATCH_BY_ID]


def _count_deletion(job: BulkJob, found: Mapping[str, Any]) -> BulkJob:
    """Count the failed contacts: those that were not found, and invalid identifiers."""
    if job.vendor_state != FINISHED:
        return replace(job, failed=None)
    if _lacks(found, "requestedContacts", "deletedContacts", *UNDELETED):
        return job.with_unknown_failures()
    return replace(job, succeeded=job.deleted, failed=max(job.failed or 0, len(NOT_DELETED.values(found, LABEL))))


IMPORT_STATUS = StatusEndpoint(
    f"{IMPORTS}/{{job_id}}",
    IMPORT_STATES,
    counts={"created": "summary.newContacts", "updated": "summary.updatedContacts", "failed": _summed(LOST)},
    adjust=_count_import,
)
DELETE_STATUS = StatusEndpoint(
    f"{DELETIONS}/{{job_id}}",
    DELETE_STATES,
    counts={
        "total": "summary.requestedContacts",
        "deleted": "summary.deletedContacts",
        "failed": _summed(UNDELETED),
    },
    adjust=_count_deletion,
)


def default_match(identifiers: Mapping[str, Any]) -> str:
    """Return the identifier that finds an existing contact, if the record does not say."""
    return next((name for name in IDENTIFIERS if name in identifiers), IDENTIFIERS[0])


def record_of(match: Any, identifiers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with these identifiers, as it is submitted."""
    own = {name: value for name, value in identifiers.items() if name in (*IDENTIFIERS, match)}
    others = {name: value for name, value in identifiers.items() if name not in own}
    is_default = match in (None, default_match(identifiers))
    return {**({} if is_default else {"matchIdentifier": match}), **own, **({"identifiers": others} if others else {})}


def _failed_contact(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match, identifiers = entry.get("matchIdentifier"), as_dict(entry.get("identifiers"))
    if match == MATCH_BY_ID and entry.get("contactId") is not None:  # it is not among the identifiers
        identifiers = {**identifiers, "contactId": entry["contactId"]}
    return record_of(match, identifiers) or None


# A contact may be created or updated, and have failed as well.
FAILED = ListedItems("failures", "failed", REASONS, record=_failed_contact)
import_results = listed_results(IMPORT_STATUS, CREATED, UPDATED, FAILED)
NOT_DELETED = ListedItems("failures", "failed", REASONS, record=lambda entry: as_dict(entry.get("identifier")) or None)
delete_results = listed_results(DELETE_STATUS, DELETED, NOT_DELETED)
