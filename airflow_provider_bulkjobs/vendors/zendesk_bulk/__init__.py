# SPDX-License-Identifier: Apache-2.0
"""Zendesk: bulk jobs on users, organizations, memberships and tickets."""

from airflow_provider_bulkjobs.vendors.zendesk_bulk.vendor import Zendesk

__all__ = ["Zendesk"]
