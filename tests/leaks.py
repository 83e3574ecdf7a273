# SPDX-License-Identifier: Apache-2.0
"""What must not be found anywhere: the secrets of the connections, and the people in the records."""

import base64
import re

from airflow_provider_bulkjobs import simulator as credentials
from airflow_provider_bulkjobs.simulator.world import simulated_vendors

BASIC = base64.b64encode(f"{credentials.ACQUIA_USER}:{credentials.ACQUIA_PASSWORD}".encode()).decode()
SECRETS = [*(vendor.password for vendor in simulated_vendors()), credentials.ACQUIA_CLIENT_SECRET, BASIC]
PERSON = re.compile(r"[\w.+-]+@example\.com")


def leaks(text: str) -> list[str]:
    """Return the secrets and the people in a text."""
    return [secret for secret in SECRETS if secret in text] + PERSON.findall(text)
