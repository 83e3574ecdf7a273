# SPDX-License-Identifier: Apache-2.0
"""All simulated vendors, and the control operations, which HTTP and Python share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from airflow_provider_bulkjobs.simulator.faults import KINDS, Fault, Faults
from airflow_provider_bulkjobs.simulator.inputs import Fields, InvalidInputError
from airflow_provider_bulkjobs.simulator.jobs import Word
from airflow_provider_bulkjobs.simulator.limits import Limit
from airflow_provider_bulkjobs.simulator.settings import Settings
from airflow_provider_bulkjobs.simulator.traffic import Traffic
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor
from airflow_provider_bulkjobs.vendors import VENDORS

MAX_ITEMS = 100_000
TIMES = ("speed", "job_seconds", "token_seconds")


def simulated_vendors() -> list[type[SimulatedVendor]]:
    """Return the simulated sides of this package's vendors: ``Simulated<Name>`` in ``vendors/<name>/simulated.py``."""
    found = []
    for vendor in VENDORS:
        module = f"{type(vendor).__module__.rpartition('.')[0]}.simulated"
        if find_spec(module):
            found.append(getattr(import_module(module), f"Simulated{type(vendor).__name__}"))
    return found


class World:
    """The state of a simulator.

    :param settings: the initial settings, which a reset restores.
    :param vendors: vendors of other packages to serve in addition to this package's.
    :param enforce_limits: enforce the published rate limits.
    """

    def __init__(
        self,
        settings: Settings,
        vendors: Sequence[type[SimulatedVendor]] = (),
        *,
        enforce_limits: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        classes = {vendor.name: vendor for vendor in (*simulated_vendors(), *vendors)}
        self._choices = {key: values for vendor in classes.values() for key, values in vendor.choices.items()}
        self._limits = {name: rule for vendor in classes.values() for name, rule in vendor.limit_names().items()}
        settings.choices = {key: values[0] for key, values in self._choices.items()}
        if enforce_limits:
            settings.limits = {name: rule.limit for name, rule in self._limits.items() if rule.is_published}
        self._first_settings = replace(settings)
        self.settings = settings
        self.faults = Faults()
        self.elsewhere = Traffic()  # requests to the redirect target
        self.vendors = {name: vendor(settings, now) for name, vendor in classes.items()}
        self._names = {name: name for name in self.vendors}
        self._names |= {vendor.conn_type: vendor.name for vendor in self.vendors.values()}

    # Queries.

    def vendor(self, name: str) -> SimulatedVendor:
        """Return a vendor by its name or its connection type.

        :raises ValueError: there is no such vendor.
        """
        if name not in self._names:
            raise ValueError(f"no vendor {name!r}; choose one of: {', '.join(self.vendors)}")
        return self.vendors[self._names[name]]

    def state(self) -> dict[str, Any]:
        """Return statistics by vendor, and the active faults and settings."""
        statistics: dict[str, Any] = {name: vendor.statistics() for name, vendor in self.vendors.items()}
        return statistics | {"faults": self.faults.as_json(), "settings": self.settings.as_json()}

    # Commands.

    def add_fault(self, data: object) -> dict[str, Any]:
        """Add a fault."""
        known = ("vendor", "fault", "count", "path", "retry_after", "seconds", "status", "after")
        own: dict[str, list[SimulatedVendor]] = {}
        for vendor in self.vendors.values():
            for kind in vendor.own_faults():
                own.setdefault(kind, []).append(vendor)
        fields = Fields(data, known, "a fault")
        fault = Fault(
            vendor=self._vendor_in(fields).name if "vendor" in fields else None,
            fault=fields.choice("fault", (*KINDS, *own)),
            count=fields.integer("count", 1, minimum=1) if "count" in fields else None,
            path=fields.text("path"),
            retry_after=self._retry_after(fields),
            seconds=fields.number("seconds", 1.0),
            status=fields.integer("status", 500, minimum=200, maximum=599) if "status" in fields else None,
            after=fields.flag("after"),
        )
        if owners := own.get(fault.fault):
            names = [name for owner in owners for name in (owner.name, owner.conn_type)]
            only = owners[0].name if len(owners) == 1 else None
            vendor = self.vendor(fields.choice("vendor", dict.fromkeys(names), only))
            fault.vendor = vendor.name
            fault.path = fault.path or vendor.own_faults()[fault.fault][0].path
        self.faults.add(fault)
        return {"faults": self.faults.as_json()}

    def clear_faults(self) -> dict[str, Any]:
        """Remove all faults."""
        self.faults.clear()
        return {"faults": []}

    def add_job(self, data: object) -> dict[str, Any]:
        """Create a job with scripted states."""
        fields = Fields(data, ("vendor", "job_kind", "states", "items", "failed", "body"), "a job")
        vendor = self._vendor_in(fields)
        kind = fields.choice("job_kind", vendor.kinds, next(iter(vendor.kinds)))
        items = fields.integer("items", 1, maximum=MAX_ITEMS)
        failed = fields.integer("failed", 0, maximum=items)
        job = vendor.script(kind, self._words(fields), items, failed, fields.raw("body"))
        return {"job_id": job.id}

    def add_contacts(self, data: object) -> dict[str, Any]:
        """Create contacts, or other records; return the ids of the new ones, and all records that exist."""
        fields = Fields(data, ("vendor", "kind", "contacts"), "contacts")
        vendor = self._vendor_in(fields)
        store = vendor.stores[fields.choice("kind", vendor.stores, next(iter(vendor.stores)))]
        contacts = fields.raw("contacts") or []
        if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
            raise InvalidInputError("'contacts' must be a list of objects with the vendor's field names")
        return {"ids": [store.add(contact) for contact in contacts], "contacts": [dict(contact) for contact in store]}

    def expire(self, job_id: str) -> dict[str, Any]:
        """Expire a job.

        :raises KeyError: no vendor has this job.
        """
        for vendor in self.vendors.values():
            if vendor.jobs.pop(job_id, None):
                vendor.expired.add(job_id)
                return {"expired": job_id}
        raise KeyError(job_id)

    def change_settings(self, data: object) -> dict[str, Any]:
        """Change settings; if any value is invalid, nothing is changed."""
        fields = Fields(data, (*TIMES, *self._choices, "limits"), "the settings")
        changes: dict[str, Any] = {
            name: fields.number(name, above_zero=name != "job_seconds") for name in TIMES if name in fields
        }
        chosen = {key: fields.choice(key, values) for key, values in self._choices.items() if key in fields}
        changes["choices"] = self.settings.choices | chosen
        if "limits" in fields:
            changes["limits"] = self._changed_limits(fields.raw("limits"))
        self._apply(changes)
        return {"settings": self.settings.as_json()}

    def revoke_tokens(self) -> dict[str, Any]:
        """Revoke all issued tokens."""
        return {"revoked": sum(vendor.tokens.revoke_all() for vendor in self.vendors.values())}

    def reset(self) -> dict[str, Any]:
        """Delete all state, and restore the initial settings."""
        self.faults.clear()
        self.elsewhere = Traffic()
        self._apply(vars(self._first_settings))
        for vendor in self.vendors.values():
            vendor.clear()
        return {"reset": True}

    def _vendor_in(self, fields: Fields) -> SimulatedVendor:
        return self.vendor(fields.choice("vendor", self._names))

    def _apply(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(self.settings, name, value)

    def _changed_limits(self, data: object) -> dict[str, Limit]:
        by_name = Fields(data, (*self._limits, *self._names), "limits")
        limits = dict(self.settings.limits)
        for given in map(str, data if isinstance(data, dict) else ()):
            name: str = self._names.get(given, given)
            if given not in by_name:  # null disables the limit
                limits.pop(name, None)
                continue
            fields = Fields(by_name.raw(given), ("requests", "per_seconds"), f"the limit {given!r}")
            requests = fields.integer("requests", 0, minimum=1)
            seconds = fields.number("per_seconds", above_zero=True)
            if not requests or not seconds:
                raise InvalidInputError(f"the limit {given!r} needs both 'requests' and 'per_seconds'")
            limits[name] = Limit(requests, seconds)
        return limits

    def _words(self, fields: Fields) -> list[Word]:
        words = fields.raw("states")
        if words is None:
            return []
        if isinstance(words, list) and words and not any(isinstance(word, list | dict) for word in words):
            return words
        raise InvalidInputError(
            f"'states' is {words!r:.80}; it must be a non-empty list of the vendor's state names, or false"
        )

    def _retry_after(self, fields: Fields) -> float | str | None:
        if "retry_after" not in fields:
            return None
        value = fields.raw("retry_after")
        return value if isinstance(value, str) else fields.number("retry_after")
