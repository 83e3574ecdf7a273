# SPDX-License-Identifier: Apache-2.0
"""The control API. Requests and responses are JSON, and need no credentials.

GET    /control/state            return statistics by vendor, and the active faults and settings
POST   /control/faults           inject a fault into requests:
                                 {"vendor": "sendgrid", "fault": "rate_limit", "count": 3, "path": "/imports/",
                                  "retry_after": 2, "seconds": 1, "status": 503, "after": false}
                                 Only "fault" is needed: rate_limit, server_error (status), reset, half_body,
                                 not_json (status), slow (seconds), outage, unauthorized, redirect, huge_body, or one
                                 of a vendor (see below). Without a vendor it applies to all of them, without a count
                                 until it is cleared. "after": the request is executed first, and only its response
                                 fails. "retry_after": seconds, or a date as text.
DELETE /control/faults           remove all faults
POST   /control/jobs             create a job with scripted states:
                                 {"vendor": "acquia", "job_kind": "contacts", "states": ["queued", "completed"],
                                  "items": 5, "failed": 2, "body": null}
                                 The states have the vendor's names, one per poll; the last one is repeated. "body"
                                 is returned unchanged for each poll. Returns {"job_id": "..."}.
DELETE /control/jobs/{job_id}    expire a job
POST   /control/contacts         create contacts, which jobs can then update and delete:
                                 {"vendor": "intercom", "kind": "contacts", "contacts": [{"id": "7", "email": "…"}]}
                                 Returns the ids of the new ones, and all that exist.
POST   /control/settings         change settings:
                                 {"speed": 1, "job_seconds": 3, "token_seconds": 3600,
                                  "limits": {"intercom": {"requests": 5, "per_seconds": 1}, "sendgrid": null}}
                                 and those of the vendors (see below)
POST   /control/tokens/revoke    revoke all access tokens
POST   /control/reset            delete all state, and restore the initial settings
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.inputs import InvalidInputError
from airflow_provider_bulkjobs.simulator.world import World

Handler = Callable[[web.Request], Awaitable[web.Response]]


def control_routes(world: World) -> list[web.RouteDef]:
    """Return the routes of the control API."""
    return [
        web.get("/", _page(world)),
        web.get("/control/state", _plain(world.state)),
        web.post("/control/faults", _with_body(world.add_fault)),
        web.delete("/control/faults", _plain(world.clear_faults)),
        web.post("/control/jobs", _with_body(world.add_job)),
        web.delete("/control/jobs/{job_id}", _expire(world)),
        web.post("/control/contacts", _with_body(world.add_contacts)),
        web.post("/control/settings", _with_body(world.change_settings)),
        web.post("/control/tokens/revoke", _plain(world.revoke_tokens)),
        web.post("/control/reset", _plain(world.reset)),
    ]


def describe(world: World, url: str) -> str:
    """Return the vendors with their URLs and credentials."""
    return "\n".join(f"  {v.label:26}{url}/{v.name:24}{v.credentials()}" for v in world.vendors.values())


def _particulars(world: World) -> str:
    """Return the settings, limits and faults of each vendor."""
    lines = []
    for vendor in world.vendors.values():
        settings = [f"{key} ({', '.join(values)})" for key, values in vendor.choices.items()]
        lines += [
            f"  {vendor.label}",
            f"    job kinds: {', '.join(vendor.kinds)}; contacts: {', '.join(vendor.stores)}",
            f"    limits: {', '.join(vendor.limit_names())}",
            *([f"    settings: {', '.join(settings)}"] if settings else []),
            *([f"    faults: {', '.join(vendor.own_faults())}"] if vendor.own_faults() else []),
        ]
    return "\n".join(lines)


def _plain(call: Callable[[], dict[str, Any]]) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        return web.json_response(call())

    return handle


def _with_body(call: Callable[[object], dict[str, Any]]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(call(json.loads(await request.read() or b"{}")))
        except InvalidInputError as error:
            return web.json_response({"error": str(error)}, status=400)
        except ValueError:
            return web.json_response({"error": "the body is not JSON"}, status=400)

    return handle


def _expire(world: World) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        job_id = request.match_info["job_id"]
        try:
            return web.json_response(world.expire(job_id))
        except KeyError:
            return web.json_response({"error": f"no vendor has a job {job_id!r}"}, status=404)

    return handle


def _page(world: World) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        vendors = describe(world, str(request.url.origin()))
        return web.Response(text=f"Bulk job simulator\n\n{vendors}\n\n{__doc__}\n{_particulars(world)}\n")

    return handle
