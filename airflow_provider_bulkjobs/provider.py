# SPDX-License-Identifier: Apache-2.0
"""The provider metadata for Airflow. An exception in here would hide all other providers, so it only combines the
vendors' declarations: no Airflow, no I/O.

https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs.configuration import OPTIONS, SECTION
from airflow_provider_bulkjobs.hooks.connection_form import form_behaviour, form_fields
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

PACKAGE = __name__.partition(".")[0]
HOOKS_MODULE = f"{PACKAGE}.hooks.bulk_job"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata."""
    return {
        "package-name": "airflow-provider-bulkjobs",
        "name": "Bulk jobs",
        "description": "Submit bulk contact imports to marketing and CRM vendors, wait, and gate on their result.",
        "integrations": [
            {"integration-name": vendor.label, "external-doc-url": vendor.docs_url, "tags": ["service"]}
            for vendor in VENDORS
        ],
        "hooks": [{"integration-name": v.label, "python-modules": [HOOKS_MODULE]} for v in VENDORS],
        "operators": [
            {"integration-name": v.label, "python-modules": [f"{PACKAGE}.operators.bulk_job"]} for v in VENDORS
        ],
        "sensors": [{"integration-name": v.label, "python-modules": [f"{PACKAGE}.sensors.bulk_job"]} for v in VENDORS],
        "triggers": [
            {"integration-name": v.label, "python-modules": [f"{PACKAGE}.triggers.bulk_job"]} for v in VENDORS
        ],
        "config": {
            SECTION: {"description": "Waits, and the rate limits of connections.", "options": OPTIONS},
        },
        "extra-links": [f"{PACKAGE}.links.VendorPageLink"],
        "connection-types": [
            connection_type(vendor, f"{HOOKS_MODULE}.{type(vendor).__name__}Hook") for vendor in VENDORS
        ],
    }


def connection_type(vendor: Vendor, hook_class_name: str) -> dict[str, Any]:
    """Return the metadata of a vendor's connection type, with its form, also for the provider of another package.

    :param hook_class_name: the full name of the hook class: ``my_package.hook.MyHook``.
    """
    return {
        "connection-type": vendor.conn_type,
        "hook-class-name": hook_class_name,
        "hook-name": vendor.label,
        "ui-field-behaviour": form_behaviour(vendor.fields, hidden="hidden-fields"),
        "conn-fields": form_fields(vendor.fields),
    }
