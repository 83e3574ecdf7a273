# SPDX-License-Identifier: Apache-2.0
"""Requests to the simulator whose responses are checked against the forms that a vendor documents, in ``schemas``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import requests

from airflow_provider_bulkjobs.simulator import Simulator

SCHEMAS = Path(__file__).parent / "schemas"


@cache
def _forms(vendor: str) -> dict[str, Any]:
    forms: dict[str, Any] = json.loads((SCHEMAS / f"{vendor}.json").read_text())["$defs"]
    return forms


def check_form(vendor: str, form: str, value: Any) -> None:
    """Check a value against one of a vendor's forms."""
    jsonschema.validate(value, {"$ref": f"#/$defs/{form}", "$defs": _forms(vendor)})


def checked_caller(sim: Simulator, vendor: str, **defaults: Any) -> Callable[..., requests.Response]:
    """Return a function that sends a request, and checks the status and the form of its response.

    :param defaults: arguments of ``requests.request`` where a call has no others: the credentials.
    """

    def call(method: str, path: str, form: str | None = None, status: int = 200, **how: Any) -> requests.Response:
        response = requests.request(method, sim.url_of(vendor) + path, timeout=10, **(defaults | how))
        assert response.status_code == status, response.text
        if form:
            check_form(vendor, form, response.json())
        return response

    return call
