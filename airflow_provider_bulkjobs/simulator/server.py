# SPDX-License-Identifier: Apache-2.0
"""The web application: routing, counting, fault injection and rate limits of requests."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from airflow_provider_bulkjobs.simulator.control import control_routes
from airflow_provider_bulkjobs.simulator.faults import inject
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, InvalidBodyError, RefusedError
from airflow_provider_bulkjobs.simulator.routes import Route
from airflow_provider_bulkjobs.simulator.traffic import Traffic
from airflow_provider_bulkjobs.simulator.vendor import Handler, SimulatedVendor
from airflow_provider_bulkjobs.simulator.world import World

# Far above the vendors' own limits, so that the simulated vendor rejects large requests.
MAX_BYTES = 256 * 1024 * 1024
# The pattern of a variable part of a route: in {noun:contacts|companies}, all but {noun}.
PATTERN = re.compile(r"(?<=\w):[^}]*(?=\})")


def make_app(world: World) -> web.Application:
    """Return the application that serves all vendors and the control calls."""
    app = web.Application(client_max_size=MAX_BYTES)
    app.add_routes(control_routes(world))
    app.router.add_route("*", "/elsewhere/{tail:.*}", partial(elsewhere, world))
    for vendor in world.vendors.values():
        for route, handler in vendor.routes():
            path = route.path if route.is_outside else f"/{vendor.name}{route.path}"
            label = f"{route.method} {PATTERN.sub('', route.path)}"
            app.router.add_route(route.method, path, Endpoint(world, vendor, label, route, handler).serve)
        everything = Route("*", "", is_open=False, is_outside=False)
        unknown = Endpoint(world, vendor, "unknown path", everything, partial(_not_found, vendor))
        app.router.add_route("*", f"/{vendor.name}/{{tail:.*}}", unknown.serve)
        app.router.add_route("*", f"/{vendor.name}", unknown.serve)
    return app


async def elsewhere(world: World, request: web.Request) -> web.Response:
    """Respond to clients that followed a redirect, as if the job were completed."""
    with world.elsewhere.record(request, "elsewhere"):
        return web.json_response({"id": "elsewhere", "status": "completed", "state": "completed"})


def _not_found(vendor: SimulatedVendor, request: IncomingRequest) -> web.Response:
    return vendor.error(404, f"There is no {request.method} {request.path}.")


class Endpoint:
    """The processing of requests to one endpoint: counting, faults, authentication, rate limits, handler.

    :param label: the endpoint in the statistics.
    """

    def __init__(self, world: World, vendor: SimulatedVendor, label: str, route: Route, handler: Handler) -> None:
        self.world = world
        self.vendor = vendor
        self.label = label
        self.route = route
        self.handler = handler

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Return the response, real or faulty."""
        vendor, traffic = self.vendor, self.vendor.traffic
        with traffic.record(request, self.label):
            respond: Callable[[], Awaitable[web.StreamResponse]] = partial(self._respond, request)
            fault = self.world.faults.next_for(vendor.name, request.path_qs)
            response = await (inject(fault, vendor, request, respond) if fault else respond())
            traffic.statuses["reset" if response.status == 499 else str(response.status)] += 1
            if not response.prepared:
                response.headers.update(vendor.headers)
            return response

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        """Return the real response of the vendor."""
        origin = str(request.url.origin())
        incoming = IncomingRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=await request.read(),
            params=request.match_info,
            origin=origin,
            root=f"{origin}/{self.vendor.name}",
        )
        if self.route.is_open:
            return self._handled(incoming)
        rejection = self.vendor.reject_credentials(incoming)
        if rejection is not None:
            return rejection
        exceeded, reported = self.vendor.count(incoming)
        response = self.vendor.too_many_requests(exceeded) if exceeded else self._handled(incoming)
        if reported:
            response.headers.update(self.vendor.rate_limit_headers(reported, is_rejected=reported is exceeded))
        return response

    def _handled(self, request: IncomingRequest) -> web.StreamResponse:
        try:
            response = self.handler(request)
        except RefusedError as refused:
            return refused.response
        except InvalidBodyError as error:
            return self.vendor.error(400, str(error))
        return response if isinstance(response, web.StreamResponse) else web.json_response(response)


def open_traffic(world: World, name: str) -> Traffic:
    """Return the traffic of a vendor, or of the redirect target ("elsewhere").

    :raises ValueError: there is no such vendor.
    """
    return world.elsewhere if name == "elsewhere" else world.vendor(name).traffic
