# SPDX-License-Identifier: Apache-2.0
"""Marketo: imports of leads, program members and custom objects."""

from airflow_provider_bulkjobs.vendors.marketo.vendor import Marketo

__all__ = ["Marketo"]
