# SPDX-License-Identifier: Apache-2.0
"""The control calls over HTTP. They take and answer JSON, and need no credentials.

GET    /control/state            what happened so far, by vendor; the faults and settings in force
POST   /control/faults           let requests go wrong:
                                 {"vendor": "sendgrid", "fault": "rate_limit", "count": 3, "path": "/imports/",
                                  "retry_after": 2, "seconds": 1, "status": 503, "after": false}
                                 Only "fault" is needed: rate_limit, server_error (status), reset, half_body,
                                 not_json (status), slow (seconds), outage, unauthorized, redirect, huge_body,
                                 import_limit (ActiveCampaign's 400). Without a vendor it befalls all of them,
                                 without a count until it is cleared. "after": the request is obeyed first, then
                                 its answer goes wrong. "retry_after": seconds, or a date as text.
DELETE /control/faults           let all be well again
POST   /control/jobs             take in a job that answers as told:
                                 {"vendor": "acquia", "job_kind": "contacts", "states": ["queued", "completed"],
                                  "items": 5, "failed": 2, "body": null}
                                 The states are the vendor's own words, one per poll, the last one stays; "body"
                                 is answered as it is, whatever the state. Answers {"job_id": "..."}.
DELETE /control/jobs/{job_id}    let a job expire
POST   /control/settings         {"speed": 1, "job_seconds": 3, "token_seconds": 3600,
                                  "limits": {"activecampaign": {"requests": 5, "per_seconds": 1},
                                             "activecampaign_imports": {"requests": 100, "per_seconds": 60},
                                             "intercom": null},
                                  "sendgrid_reset": "epoch" or "delta",
                                  "sendgrid_errors_shape": "list" or "object",
                                  "acquia_error_shape": "new" or "old",
                                  "intercom_export_key": "job_identifier" or "job_identfier"}
POST   /control/tokens/revoke    let no access token be good any more
POST   /control/reset            forget everything
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.inputs import InvalidInputError
from airflow_provider_bulkjobs.simulator.vendor import Handler
from airflow_provider_bulkjobs.simulator.world import World


def control_routes(world: World) -> list[web.RouteDef]:
    """Return the control calls."""
    return [
        web.get("/", _page(world)),
        web.get("/control/state", _plain(world.state)),
        web.post("/control/faults", _with_body(world.add_fault)),
        web.delete("/control/faults", _plain(world.clear_faults)),
        web.post("/control/jobs", _with_body(world.add_job)),
        web.delete("/control/jobs/{job_id}", _expire(world)),
        web.post("/control/settings", _with_body(world.change_settings)),
        web.post("/control/tokens/revoke", _plain(world.revoke_tokens)),
        web.post("/control/reset", _plain(world.reset)),
    ]


def describe(world: World, url: str) -> str:
    """Return the vendors, where they are and what they accept."""
    lines = [f"  {v.label:24}{url}/{v.name:16}{v.credentials}" for v in world.vendors.values()]
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
        return web.Response(text=f"Bulk job simulator\n\n{vendors}\n\n{__doc__}")

    return handle
