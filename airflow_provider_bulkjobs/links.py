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

    Airflow 2 calls it in the web server, Airflow 3 on the worker when the task ends, and stores the result in XCom.
    Both would have to read the connection again, so the task pushes the link, and it is read from there. From Airflow 3
    on that is where Airflow stores it, too, so the link is there while the task waits.
    """

    name = "Vendor's page"
    xcom_key = PAGE_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL, or an empty string."""
        page = getattr(operator, "vendor_page", None)
        return (xcom_value(ti_key, PAGE_KEY) if page is None else page) or ""


def push_page_link(context: Context, client: Client, kind: JobKind) -> str:
    """Push the URL of the page that lists such jobs to XCom, for the link; return it, or an empty string."""
    page = kind.page(client.account) or ""
    if page and (task_instance := context.get("ti")):
        try:
            task_instance.xcom_push(key=PAGE_KEY, value=page)
        except Exception as error:  # noqa: BLE001  (a missing link must not fail an import)
            client.log.warning(NOT_PUSHED, type(error).__name__)
    return page


async def push_page_link_async(task_instance: Any, client: Client, kind: JobKind) -> str:
    """Push the URL, as :func:`push_page_link`, from the triggerer (3.3 and later)."""
    page = kind.page(client.account) or ""
    if page:
        try:
            await push_xcom_async(task_instance, PAGE_KEY, page)
        except Exception as error:  # noqa: BLE001  (a missing link must not fail an import)
            client.log.warning(NOT_PUSHED, type(error).__name__)
    return page
