# SPDX-License-Identifier: Apache-2.0
"""The contacts of a simulated vendor, which exist or do not; every change of one is an outcome of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_bulkjobs.simulator.jobs import CREATED, DELETED, FAILED, UPDATED, Row

INVALID_EMAIL = "A valid email is required."
NO_IDENTITY = "No identifier was given."
NOT_FOUND = "Item was not found."
EXISTS = "An item with these identifiers already exists."

Contact = Mapping[str, Any]


def is_bad_address(email: object) -> bool:
    """Return whether a vendor can write to no such address: no ``@``, or in the reserved domain ``.invalid``.

    This is the only rule for addresses of the simulator. RFC 2606 reserves the domain, so no real contact has it.
    """
    return "@" not in str(email) or str(email).strip().lower().endswith(".invalid")


class ContactStore:
    """The contacts, or other records, of one vendor.

    :param identities: the fields that identify a contact, in the order in which they are looked up.
    :param new_id: returns a new id in the vendor's format.
    """

    def __init__(self, identities: Sequence[str], new_id: Callable[[], str]) -> None:
        self._identities = identities
        self._new_id = new_id
        self._by_id: dict[str, dict[str, Any]] = {}
        self._ids: dict[tuple[str, str], str] = {}  # by field and value

    def __iter__(self) -> Iterator[Contact]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, contact_id: object) -> bool:
        return str(contact_id) in self._by_id

    def find(self, item: Contact) -> str | None:
        """Return the id of the contact that an item identifies."""
        return next((self._ids[key] for key in self._keys(item) if key in self._ids), None)

    def add(self, item: Contact) -> str:
        """Create a contact, with the item's own ``id`` if it has one; return the id."""
        contact_id = str(item.get("id") or self._new_id())
        self._by_id[contact_id] = {}
        self._write(contact_id, item)
        return contact_id

    def create(self, item: Contact, *, is_unique: bool = True) -> Row:
        """Create the contact of an item.

        :param is_unique: it fails if the contact exists.
        """
        key = self._key(item)
        if error := self._error(item):
            return Row(key, FAILED, error=error)
        if is_unique and (existing := self.find(item)):
            return Row(key, FAILED, existing, EXISTS)
        return Row(key, CREATED, self.add({**item, "id": None}))

    def upsert(self, item: Contact) -> Row:
        """Create the contact of an item, or update the one that exists; it fails without an identifier."""
        key = self._key(item)
        error = self._error(item) or ("" if self._keys(item) else NO_IDENTITY)
        if error:
            return Row(key, FAILED, error=error)
        if existing := self.find(item):
            self._write(existing, item)
            return Row(key, UPDATED, existing)
        return Row(key, CREATED, self.add({**item, "id": None}))

    def update(self, contact_id: object, item: Contact) -> Row:
        """Update a contact; it fails if there is none with this id."""
        if contact_id not in self:
            return self._missing(contact_id)
        if error := self._error(item):
            return Row(str(contact_id), FAILED, str(contact_id), error)
        self._write(str(contact_id), item)
        return Row(str(contact_id), UPDATED, str(contact_id))

    def delete(self, contact_id: object) -> Row:
        """Delete a contact; it fails if there is none with this id."""
        contact = self._by_id.pop(str(contact_id), None)
        if contact is None:
            return self._missing(contact_id)
        self._forget(contact)
        return Row(str(contact_id), DELETED, str(contact_id))

    def _write(self, contact_id: str, item: Contact) -> None:
        contact = self._by_id[contact_id]
        self._forget(contact)
        contact.update(item, id=contact_id)
        self._ids.update(dict.fromkeys(self._keys(contact), contact_id))

    def _forget(self, contact: Contact) -> None:
        for key in self._keys(contact):
            if self._ids.get(key) == contact["id"]:  # contacts that need not be unique share their identifiers
                del self._ids[key]

    def _keys(self, item: Contact) -> list[tuple[str, str]]:
        return [(name, str(item[name]).strip().lower()) for name in self._identities if item.get(name)]

    def _key(self, item: Contact) -> str:
        """Return the item's first identifier, or a new one for an item that has none."""
        keys = self._keys(item)
        return keys[0][1] if keys else f"without identifier {self._new_id()}"

    def _error(self, item: Contact) -> str:
        return INVALID_EMAIL if item.get("email") is not None and is_bad_address(item["email"]) else ""

    def _missing(self, contact_id: object) -> Row:
        return Row(str(contact_id or f"without id {self._new_id()}"), FAILED, error=NOT_FOUND)
