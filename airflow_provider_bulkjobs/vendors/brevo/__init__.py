# SPDX-License-Identifier: Apache-2.0
"""Brevo: imports of contacts."""

from airflow_provider_bulkjobs.vendors.brevo.vendor import Brevo

__all__ = ["Brevo"]
