# SPDX-License-Identifier: Apache-2.0
"""Errors of GraphQL APIs: they have status 200.

https://spec.graphql.org/October2021/#sec-Errors
https://shopify.dev/docs/api/usage/limits
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs.vendors.spec.body_path import find, text_at

USER_ERRORS = "data.*.userErrors"
COST = "extensions.cost"


def graphql_failed(body: Any) -> bool:
    """Return whether a response has errors of the request, or of its data; for ``Errors.failed``."""
    return any([*find(body, "errors"), *find(body, USER_ERRORS)])


def graphql_cost_pause(body: Any) -> float | None:
    """Return the seconds until the cost of a throttled query is available; for ``Throttling.retry_after``.

    ``None`` if it is available already: then it is something else that is limited.
    """
    bucket = f"{COST}.throttleStatus"
    texts = [text_at(body, path) for path in (f"{COST}.requestedQueryCost", f"{bucket}.currentlyAvailable")]
    try:
        requested, available = map(float, texts)
        seconds = (requested - available) / float(text_at(body, f"{bucket}.restoreRate"))
    except (ValueError, ZeroDivisionError):
        return None
    return seconds if seconds > 0 else None
