# SPDX-License-Identifier: Apache-2.0
"""Twilio SendGrid Marketing Campaigns: contact imports and exports."""

from airflow_provider_bulkjobs.vendors.sendgrid.vendor import SendGrid

__all__ = ["SendGrid"]
