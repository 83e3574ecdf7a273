# SPDX-License-Identifier: Apache-2.0
"""HubSpot: imports of CRM records."""

from airflow_provider_bulkjobs.vendors.hubspot.vendor import HubSpot

__all__ = ["HubSpot"]
