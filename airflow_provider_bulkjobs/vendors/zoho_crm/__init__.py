# SPDX-License-Identifier: Apache-2.0
"""Zoho CRM: bulk write jobs."""

from airflow_provider_bulkjobs.vendors.zoho_crm.vendor import ZohoCRM

__all__ = ["ZohoCRM"]
