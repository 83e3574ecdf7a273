# SPDX-License-Identifier: Apache-2.0
"""The provider metadata for Airflow."""

from __future__ import annotations

from typing import Any

from airflow_provider_acme_mail.vendor import AcmeMail
from airflow_provider_bulkjobs.provider import connection_type


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata."""
    return {
        "package-name": "airflow-provider-acme-mail",
        "name": "Acme Mail",
        "description": "Bulk contact imports of Acme Mail.",
        "connection-types": [connection_type(AcmeMail(), "airflow_provider_acme_mail.hook.AcmeMailHook")],
    }
