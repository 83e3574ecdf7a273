# SPDX-License-Identifier: Apache-2.0
"""Simulated APIs of the vendors on localhost, for demos and DAG tests.

From a shell: ``python -m airflow_provider_bulkjobs.simulator``. From Python:

>>> from airflow_provider_bulkjobs.simulator import Simulator
>>> with Simulator(job_seconds=0.5) as sim:
...     sim.url_of("sendgrid")
'http://127.0.0.1:40321/sendgrid'
"""

from airflow_provider_bulkjobs.simulator.credentials import (
    ACQUIA_CLIENT_ID,
    ACQUIA_CLIENT_SECRET,
    ACQUIA_PASSWORD,
    ACQUIA_USER,
    ACTIVECAMPAIGN_KEY,
    INTERCOM_TOKEN,
    SENDGRID_KEY,
)
from airflow_provider_bulkjobs.simulator.thread import Simulator

__all__ = [
    "ACQUIA_CLIENT_ID",
    "ACQUIA_CLIENT_SECRET",
    "ACQUIA_PASSWORD",
    "ACQUIA_USER",
    "ACTIVECAMPAIGN_KEY",
    "INTERCOM_TOKEN",
    "SENDGRID_KEY",
    "Simulator",
]
