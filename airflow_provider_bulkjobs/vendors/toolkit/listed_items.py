# SPDX-License-Identifier: Apache-2.0
"""Item results that are listed in the status of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Message, read_messages
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint


@dataclass(frozen=True, slots=True)
class ListedItems:
    """A list of items in a response.

    :param path: the path of the list. Missing or null is an empty list. PHP encodes a list with gaps as an object.
    :param status: the status of the items, or a function that returns that of one.
    :param errors: where an item has error messages.
    :param key: the key for items that are no objects, but single values such as ids.
    :param record: returns the record of an item in the form in which it was submitted, if the vendor returns it.
    """

    path: str
    status: str | Callable[[Mapping[str, Any]], str]
    errors: tuple[Message, ...] = ()
    key: str = "id"
    record: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] = lambda _item: None

    def values(self, body: Mapping[str, Any], vendor: str) -> list[Any]:
        """Return the items as the vendor lists them.

        :raises TransientError: the value is not a list; it is not treated as an empty one.
        """
        items = value_at(body, self.path)
        if items is None:
            return []
        if not isinstance(items, list | dict):
            raise TransientError(f"{vendor} response: {self.path!r} is not a list")
        return list(items.values()) if isinstance(items, dict) else items

    def read(self, body: Mapping[str, Any], vendor: str) -> list[ItemResult]:
        """Return the results of the items; raises like :meth:`values`."""
        return [
            self._result(item if isinstance(item, dict) else {self.key: item}) for item in self.values(body, vendor)
        ]

    def _result(self, item: Mapping[str, Any]) -> ItemResult:
        status = self.status if isinstance(self.status, str) else self.status(item)
        return ItemResult(status, read_messages(self.errors, item), item, self.record(item))


def listed_results(status: StatusEndpoint, *lists: ListedItems) -> Callable[[Account, str], ResultsFlow]:
    """Return the results flow of a :class:`JobKind` whose status lists the items.

    :param lists: their paths are relative to the status object.
    """

    def results(account: Account, job_id: str) -> ResultsFlow:
        body = yield from status.finished(account, job_id)
        for each in lists:
            yield each.read(body, status.states.vendor)

    return results
