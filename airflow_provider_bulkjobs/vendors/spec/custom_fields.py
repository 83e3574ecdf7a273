# SPDX-License-Identifier: Apache-2.0
"""Custom fields that records name, and that the vendor takes by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.vendors.spec.fields import Account

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of the account.

    :param names: the names by which records may call it; upper and lower case are the same.
    """

    id: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomFields:
    """How an operation takes custom fields.

    :param own: the vendor's own fields; the names of others may be those of custom fields.
    :param named: returns the custom fields of a record that are called by name, with their values.
    :param with_ids: returns a record with these fields by id instead, given the record and their values by id; or its
        problem.
    :param list_all: the flow that lists the custom fields of the account.
    """

    own: frozenset[str]
    named: Callable[[Record], Record]
    with_ids: Callable[[Record, Mapping[str, Any]], Record | str]
    list_all: Callable[[Account], Flow[list[CustomField]]]
