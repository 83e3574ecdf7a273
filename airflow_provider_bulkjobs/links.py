# SPDX-License-Identifier: Apache-2.0
"""The extra link of a task to the vendor's web UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import BaseOperatorLink, push_xcom_async, xcom_value

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.http.client import Client
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind

PAGE_KEY = "vendor_page"  # in XCom
NOT_PUSHED = "The link to the vendor's page could not be pushed to XCom (%s)"


class VendorPageLink(BaseOperatorLink):
    """Links to the page of the vendor's web UI that lists the jobs, if there is one.

    Airflow 2 calls it in the web server, Airflow 3 on the worker when the task ends. Both would have to read the
    connection again, so the link is read from the XCom that the task has pushed.
    """

    name = "Vendor's page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the URL, or an empty string."""
        return xcom_value(ti_key, PAGE_KEY) or ""


def push_page_link(context: Context, client: Client, kind: JobKind) -> str | None:
    """Push the URL of the page that lists such jobs to XCom, for the link; return it."""
    page = kind.page(client.account)
    if page and (task_instance := context.get("ti")):
        try:
            task_instance.xcom_push(key=PAGE_KEY, value=page)
        except Exception as error:  # noqa: BLE001  (a missing link must not fail an import)
            client.log.warning(NOT_PUSHED, type(error).__name__)
    return page


async def push_page_link_async(task_instance: Any, client: Client, kind: JobKind) -> str | None:
    """Push the URL, and the link itself, from the triggerer, where Airflow does not make the link; return the URL."""
    page = kind.page(client.account)
    if page:
        try:
            for key in (PAGE_KEY, VendorPageLink().xcom_key):
                await push_xcom_async(task_instance, key, page)
        except Exception as error:  # noqa: BLE001  (a missing link must not fail an import)
            client.log.warning(NOT_PUSHED, type(error).__name__)
    return page
