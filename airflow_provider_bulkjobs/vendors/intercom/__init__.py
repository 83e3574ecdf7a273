# SPDX-License-Identifier: Apache-2.0
"""Intercom: bulk jobs for contacts and companies, and message exports."""

from airflow_provider_bulkjobs.vendors.intercom.vendor import Intercom

__all__ = ["Intercom"]
