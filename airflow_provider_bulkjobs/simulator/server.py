# SPDX-License-Identifier: Apache-2.0
"""The web application: routing, counting, fault injection and rate limits of requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from airflow_provider_bulkjobs.simulator.control import control_routes
from airflow_provider_bulkjobs.simulator.faults import inject
from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.traffic import Traffic
from airflow_provider_bulkjobs.simulator.vendor import Handler, RefusedError, Vendor
from airflow_provider_bulkjobs.simulator.world import World

# Far above the vendors' own limits, so that the simulated vendor rejects large requests.
MAX_BYTES = 256 * 1024 * 1024


def make_app(world: World) -> web.Application:
    """Return the application that serves all vendors and the control calls."""
    app = web.Application(client_max_size=MAX_BYTES)
    app.add_routes(control_routes(world))
    app.router.add_route("*", "/elsewhere/{tail:.*}", partial(elsewhere, world))
    for vendor in world.vendors.values():
        pipeline = partial(RequestPipeline, world, vendor)
        for method, path, handler in vendor.routes():
            # Two slashes: an absolute path, not below the vendor's root.
            absolute = path[1:] if path.startswith("//") else f"/{vendor.name}{path}"
            route = f"{method} {path.removeprefix('/') if path.startswith('//') else path}"
            app.router.add_route(method, absolute, _served(pipeline, route, handler))
        unknown = _served(pipeline, "unknown path", partial(_not_found, vendor))
        app.router.add_route("*", f"/{vendor.name}{{tail:.*}}", unknown)
    return app


async def elsewhere(world: World, request: web.Request) -> web.Response:
    """Respond to clients that followed a redirect, as if the job were completed."""
    with world.elsewhere.record(request, "elsewhere"):
        return web.json_response({"id": "elsewhere", "status": "completed", "state": "completed"})


def _served(pipeline: Callable[[str, Handler], RequestPipeline], route: str, handler: Handler) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await pipeline(route, handler).serve(request)

    return serve


async def _not_found(vendor: Vendor, request: web.Request) -> web.Response:
    return vendor.error(404, f"There is no {request.method} {request.path}.")


class RequestPipeline:
    """The processing of one request to a vendor: counting, fault injection, authentication, rate limit, handler."""

    def __init__(self, world: World, vendor: Vendor, route: str, handler: Handler) -> None:
        self.world = world
        self.vendor = vendor
        self.route = route
        self.handler = handler

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Return the response, real or faulty."""
        vendor, traffic = self.vendor, self.vendor.traffic
        with traffic.record(request, self.route):
            respond: Callable[[], Awaitable[web.StreamResponse]] = partial(self.respond, request)
            fault = self.world.faults.next_for(vendor.name, request.path_qs)
            response = await (inject(fault, vendor, request, respond) if fault else respond())
            traffic.statuses["reset" if response.status == 499 else str(response.status)] += 1
            if not response.prepared:
                response.headers.update(vendor.own_headers())
            return response

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Return the real response of the vendor."""
        try:
            return await self._checked(request)
        except RefusedError as refused:
            return refused.response

    async def _checked(self, request: web.Request) -> web.StreamResponse:
        vendor = self.vendor
        if request.path.startswith(vendor.open_paths):
            return await self.handler(request)
        rejection = vendor.reject_credentials(request)
        if rejection is not None:
            return rejection
        fits, reading = self._count()
        try:
            response = await self.handler(request) if fits else vendor.too_many_requests(reading)
        except RefusedError as refused:
            response = refused.response
        response.headers.update(vendor.rate_headers(reading))
        return response

    def _count(self) -> tuple[bool, Reading]:
        enforced = self.world.settings.limits.get(self.vendor.name)
        limit = enforced or self.vendor.advertised_limit
        return self.vendor.meter.count(limit, self.vendor.now(), enforced=enforced is not None)


def open_traffic(world: World, name: str) -> Traffic:
    """Return the traffic of a vendor, or of the redirect target ("elsewhere").

    :raises KeyError: there is no such vendor.
    """
    return world.elsewhere if name == "elsewhere" else world.vendors[name].traffic
