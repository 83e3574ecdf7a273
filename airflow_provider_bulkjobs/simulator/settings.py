# SPDX-License-Identifier: Apache-2.0
"""What can be changed while the simulator runs, and the limits the vendors publish."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Limit(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    per_seconds: float


# Under its own name, because ActiveCampaign counts imports apart from all other requests.
IMPORTS = "activecampaign_imports"

PUBLISHED_LIMITS = {
    "intercom": Limit(1667, 10),  # 10,000 a minute, told and counted in windows of ten seconds
    "activecampaign": Limit(5, 1),
    IMPORTS: Limit(100, 60),
}

CHOICES = {
    "sendgrid_reset": ("epoch", "delta"),
    "sendgrid_errors_shape": ("list", "object"),
    "acquia_error_shape": ("new", "old"),
    "acquia_api": ("on", "no_basic_auth", "off"),
    "sendgrid_scopes": ("marketing", "mail"),
    "intercom_region": ("US", "EU", "AU"),
    # The newest specification of Intercom misspells the key.
    "intercom_export_key": ("job_identifier", "job_identfier"),
}


@dataclass
class Settings:
    """The switches of a simulator; a change of the times concerns jobs and tokens that start later.

    :param limits: the limits that are enforced, by vendor name; the others are only told in headers.
    """

    speed: float = 1.0
    job_seconds: float = 3.0
    token_seconds: float = 3600.0
    sendgrid_reset: str = "epoch"
    sendgrid_errors_shape: str = "list"
    acquia_error_shape: str = "new"
    acquia_api: str = "on"
    sendgrid_scopes: str = "marketing"
    intercom_region: str = "US"
    intercom_export_key: str = "job_identifier"
    limits: dict[str, Limit] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds that a job takes."""
        return self.job_seconds / self.speed

    def as_json(self) -> dict[str, Any]:
        """Return the settings the way the control call takes them."""
        return asdict(self) | {"limits": {name: limit._asdict() for name, limit in self.limits.items()}}
