# SPDX-License-Identifier: Apache-2.0
"""Mailjet: imports of contacts, as JSON and as CSV files."""

from airflow_provider_bulkjobs.vendors.mailjet.vendor import Mailjet

__all__ = ["Mailjet"]
