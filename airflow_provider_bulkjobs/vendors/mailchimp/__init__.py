# SPDX-License-Identifier: Apache-2.0
"""Mailchimp: batches of operations on the contacts of an audience."""

from airflow_provider_bulkjobs.vendors.mailchimp.vendor import Mailchimp

__all__ = ["Mailchimp"]
