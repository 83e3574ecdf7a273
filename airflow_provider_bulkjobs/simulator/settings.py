# SPDX-License-Identifier: Apache-2.0
"""The settings of the simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bulkjobs.simulator.limits import Limit


@dataclass
class Settings:
    """The settings; changed durations apply to jobs and tokens that start later.

    :param choices: the settings that vendors declare, by key.
    :param limits: the enforced rate limits by name; other limits are only sent in headers.
    """

    speed: float = 1.0
    job_seconds: float = 3.0
    token_seconds: float = 3600.0
    choices: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """The duration of a job in seconds."""
        return self.job_seconds / self.speed

    def as_json(self) -> dict[str, Any]:
        """Return the settings in the format of the control API."""
        times = {"speed": self.speed, "job_seconds": self.job_seconds, "token_seconds": self.token_seconds}
        return times | self.choices | {"limits": {name: limit._asdict() for name, limit in self.limits.items()}}
