# SPDX-License-Identifier: Apache-2.0
"""Klaviyo: bulk import jobs for profiles."""

from airflow_provider_bulkjobs.vendors.klaviyo.vendor import Klaviyo

__all__ = ["Klaviyo"]
