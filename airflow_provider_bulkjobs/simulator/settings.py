# SPDX-License-Identifier: Apache-2.0
"""The settings of the simulator, and the published rate limits of the vendors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Limit(NamedTuple):
    """A rate limit: a number of requests per window of seconds."""

    requests: int
    per_seconds: float


# A separate limit, because ActiveCampaign counts imports separately.
IMPORTS = "activecampaign_imports"

PUBLISHED_LIMITS = {
    "intercom": Limit(1667, 10),  # 10,000 per minute, counted in windows of 10 seconds
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
    # The latest specification of Intercom misspells the key.
    "intercom_export_key": ("job_identifier", "job_identfier"),
}


@dataclass
class Settings:
    """The settings; changed durations apply to jobs and tokens that start later.

    :param limits: the enforced rate limits by vendor name; other limits are only sent in headers.
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
        """The duration of a job in seconds."""
        return self.job_seconds / self.speed

    def as_json(self) -> dict[str, Any]:
        """Return the settings in the format of the control API."""
        return asdict(self) | {"limits": {name: limit._asdict() for name, limit in self.limits.items()}}
