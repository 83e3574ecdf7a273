# SPDX-License-Identifier: Apache-2.0
"""All simulated vendors, and the control operations, which HTTP and Python share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.simulator.acquia import Acquia
from airflow_provider_bulkjobs.simulator.activecampaign import ActiveCampaign
from airflow_provider_bulkjobs.simulator.faults import KINDS, Fault, Faults
from airflow_provider_bulkjobs.simulator.inputs import Fields, InvalidInputError
from airflow_provider_bulkjobs.simulator.intercom import Intercom
from airflow_provider_bulkjobs.simulator.jobs import Word
from airflow_provider_bulkjobs.simulator.sendgrid import SendGrid
from airflow_provider_bulkjobs.simulator.settings import CHOICES, IMPORTS, Limit, Settings
from airflow_provider_bulkjobs.simulator.traffic import Traffic
from airflow_provider_bulkjobs.simulator.vendor import Vendor

VENDORS: tuple[type[Vendor], ...] = (Intercom, SendGrid, ActiveCampaign, Acquia)
MAX_ITEMS = 100_000


class World:
    """The state of a simulator.

    :param settings: the initial settings, which a reset restores.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._first_settings = replace(settings, limits=dict(settings.limits))
        self.settings = settings
        self.faults = Faults()
        self.elsewhere = Traffic()  # requests to the redirect target
        self.vendors = {vendor.name: vendor(settings, now) for vendor in VENDORS}

    # Queries.

    def state(self) -> dict[str, Any]:
        """Return statistics by vendor, and the active faults and settings."""
        statistics: dict[str, Any] = {name: vendor.statistics() for name, vendor in self.vendors.items()}
        return statistics | {"faults": self.faults.as_json(), "settings": self.settings.as_json()}

    # Commands.

    def add_fault(self, data: object) -> dict[str, Any]:
        """Add a fault."""
        known = ("vendor", "fault", "count", "path", "retry_after", "seconds", "status", "after")
        fields = Fields(data, known, "a fault")
        fault = Fault(
            vendor=fields.choice("vendor", self.vendors) if "vendor" in fields else None,
            fault=fields.choice("fault", KINDS),
            count=fields.integer("count", 1, minimum=1) if "count" in fields else None,
            path=fields.text("path"),
            retry_after=self._retry_after(fields),
            seconds=fields.number("seconds", 1.0),
            status=fields.integer("status", 500, minimum=200, maximum=599) if "status" in fields else None,
            after=fields.flag("after"),
        )
        if fault.fault == "import_limit":
            fault.vendor = fields.choice("vendor", ("activecampaign",), "activecampaign")
        self.faults.add(fault)
        return {"faults": self.faults.as_json()}

    def clear_faults(self) -> dict[str, Any]:
        """Remove all faults."""
        self.faults.clear()
        return {"faults": []}

    def add_job(self, data: object) -> dict[str, Any]:
        """Create a job with scripted states."""
        fields = Fields(data, ("vendor", "job_kind", "states", "items", "failed", "body"), "a job")
        vendor = self.vendors[fields.choice("vendor", self.vendors)]
        kind = fields.choice("job_kind", vendor.families, next(iter(vendor.families)))
        items = fields.integer("items", 1, maximum=MAX_ITEMS)
        failed = fields.integer("failed", 0, maximum=items)
        job = vendor.script(kind, self._words(fields), items, failed, fields.raw("body"))
        return {"job_id": job.id}

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
        times = ("speed", "job_seconds", "token_seconds")
        fields = Fields(data, (*times, *CHOICES, "limits"), "the settings")
        changes: dict[str, Any] = {
            name: fields.number(name, above_zero=name != "job_seconds") for name in times if name in fields
        }
        changes |= {name: fields.choice(name, choices) for name, choices in CHOICES.items() if name in fields}
        if "limits" in fields:
            changes["limits"] = self._limits(fields.raw("limits"))
        self._apply(changes)
        return {"settings": self.settings.as_json()}

    def revoke_tokens(self) -> dict[str, Any]:
        """Revoke all issued tokens."""
        revoked = sum(len(vendor.tokens) for vendor in self.vendors.values())
        for vendor in self.vendors.values():
            vendor.tokens.clear()
        return {"revoked": revoked}

    def reset(self) -> dict[str, Any]:
        """Delete all state, and restore the initial settings."""
        self.faults.clear()
        self.elsewhere = Traffic()
        first = self._first_settings
        self._apply(vars(first) | {"limits": dict(first.limits)})
        for vendor in self.vendors.values():
            vendor.clear()
        return {"reset": True}

    def _apply(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(self.settings, name, value)

    def _limits(self, data: object) -> dict[str, Limit]:
        names = (*self.vendors, IMPORTS)
        by_name = Fields(data, names, "limits")
        limits = dict(self.settings.limits)
        for name in data if isinstance(data, dict) else ():
            if name not in by_name:  # null disables the limit
                limits.pop(name, None)
                continue
            fields = Fields(by_name.raw(name), ("requests", "per_seconds"), f"the limit {name!r}")
            requests = fields.integer("requests", 0, minimum=1)
            seconds = fields.number("per_seconds", above_zero=True)
            if not requests or not seconds:
                raise InvalidInputError(f"the limit {name!r} needs both 'requests' and 'per_seconds'")
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
