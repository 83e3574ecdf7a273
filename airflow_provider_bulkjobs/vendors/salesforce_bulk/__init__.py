# SPDX-License-Identifier: Apache-2.0
"""Salesforce Bulk API 2.0: ingest jobs for any object."""

from airflow_provider_bulkjobs.vendors.salesforce_bulk.vendor import SalesforceBulk

__all__ = ["SalesforceBulk"]
