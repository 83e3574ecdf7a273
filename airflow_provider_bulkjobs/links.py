# SPDX-License-Identifier: Apache-2.0
"""The button of a task that leads to the vendor's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import BaseOperatorLink, xcom_value

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.http.client import Client
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind

PAGE_KEY = "vendor_page"  # in XCom


class VendorPageLink(BaseOperatorLink):
    """Leads to where people would look for the job in the vendor's pages, if there is such a page.

    Airflow 2 asks in the web server, Airflow 3 on the worker at the task's end. Neither knows the connection without
    reading it anew, so what the task has noted down is asked for.
    """

    name = "Vendor's page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the page, or nothing."""
        return xcom_value(ti_key, PAGE_KEY) or ""


def note_page(context: Context, client: Client, kind: JobKind) -> str | None:
    """Note down where the vendor shows such jobs, for the link; return it."""
    page = kind.page(client.account)
    if page and (task_instance := context.get("ti")):
        try:
            task_instance.xcom_push(key=PAGE_KEY, value=page)
        except Exception as error:  # noqa: BLE001  (whatever it is, a missing link must not fail an import)
            client.log.warning("The link to the vendor's page could not be pushed to XCom (%s)", type(error).__name__)
    return page
