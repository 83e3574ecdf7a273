# SPDX-License-Identifier: Apache-2.0
"""Eloqua: imports of contacts."""

from airflow_provider_bulkjobs.vendors.eloqua.vendor import Eloqua

__all__ = ["Eloqua"]
