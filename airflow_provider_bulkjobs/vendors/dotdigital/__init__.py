# SPDX-License-Identifier: Apache-2.0
"""Dotdigital: imports and deletions of contacts."""

from airflow_provider_bulkjobs.vendors.dotdigital.vendor import Dotdigital

__all__ = ["Dotdigital"]
