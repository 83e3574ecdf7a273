# SPDX-License-Identifier: Apache-2.0
"""The hook of the connection type."""

from __future__ import annotations

from airflow_provider_acme_mail.vendor import AcmeMail
from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook


class AcmeMailHook(BulkJobHook):
    """The bulk jobs of an Acme Mail account."""

    vendor = AcmeMail()
