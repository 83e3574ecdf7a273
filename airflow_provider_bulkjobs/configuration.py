# SPDX-License-Identifier: Apache-2.0
"""The section ``[bulkjobs]`` of Airflow's configuration; ``OPTIONS`` documents it in the provider metadata.

https://airflow.apache.org/docs/apache-airflow/stable/howto/set-config.html
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError

SECTION = "bulkjobs"
MAX_OUTAGE = 3600.0  # seconds
OPTIONS: dict[str, dict[str, Any]] = {
    "max_outage": {
        "description": (
            "Seconds without a usable response of the vendor after which a wait fails its try, unless its deadline "
            "comes first. Until then polls are retried. Submits are retried ten times."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "1800",
        "default": f"{MAX_OUTAGE:g}",
    },
    "rate_limit_storage": {
        "description": (
            "URL of a Redis (7 or later) through which all workers and triggerers share the requests_per_second of a "
            "connection. Needs the extra: pip install 'airflow-provider-bulkjobs[redis]'. Without it, each process "
            'has its own rate limiter, and slows down after a response "too many requests".'
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "redis://redis:6379/1",
        "default": "",
        "sensitive": True,
    },
}


def max_outage() -> float:
    """Return the seconds without a usable response after which a wait gives up.

    :raises BadArgumentError: the option is not a number of seconds.
    """
    from airflow_provider_bulkjobs._airflow import conf

    value = conf.get(SECTION, "max_outage", fallback=None) or MAX_OUTAGE
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0.0:
        raise BadArgumentError(
            f"[{SECTION}] max_outage in Airflow's configuration is {value!r}. Set a number of seconds, or remove it."
        )
    return seconds


def rate_limit_storage() -> str:
    """Return the URL of the storage of shared rate limits; empty if there is none.

    It may run a command or ask a secrets backend, so do not call it on an event loop.
    """
    from airflow_provider_bulkjobs._airflow import conf

    return conf.get(SECTION, "rate_limit_storage", fallback=None) or ""
