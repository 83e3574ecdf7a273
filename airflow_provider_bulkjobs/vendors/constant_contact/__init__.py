# SPDX-License-Identifier: Apache-2.0
"""Constant Contact: imports of contacts, and other bulk activities."""

from airflow_provider_bulkjobs.vendors.constant_contact.vendor import ConstantContact

__all__ = ["ConstantContact"]
