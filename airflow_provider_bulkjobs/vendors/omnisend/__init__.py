# SPDX-License-Identifier: Apache-2.0
"""Omnisend: batches of contacts."""

from airflow_provider_bulkjobs.vendors.omnisend.vendor import Omnisend

__all__ = ["Omnisend"]
