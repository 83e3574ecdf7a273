# SPDX-License-Identifier: Apache-2.0
"""The web application: which request belongs to whom, and what happens to it on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from airflow_provider_bulkjobs.simulator.control import control_routes
from airflow_provider_bulkjobs.simulator.faults import play
from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.traffic import Traffic
from airflow_provider_bulkjobs.simulator.vendor import Handler, RefusedError, Vendor
from airflow_provider_bulkjobs.simulator.world import World

# Far above any vendor's own limit, so that it is the vendor who says no.
MAX_BYTES = 256 * 1024 * 1024


def make_app(world: World) -> web.Application:
    """Return the application that serves all vendors and the control calls."""
    app = web.Application(client_max_size=MAX_BYTES)
    app.add_routes(control_routes(world))
    app.router.add_route("*", "/elsewhere/{tail:.*}", partial(elsewhere, world))
    for vendor in world.vendors.values():
        visit = partial(Visit, world, vendor)
        for method, path, handler in vendor.routes():
            # Two slashes: beside the vendor's root, not below it.
            absolute = path[1:] if path.startswith("//") else f"/{vendor.name}{path}"
            route = f"{method} {path.removeprefix('/') if path.startswith('//') else path}"
            app.router.add_route(method, absolute, _served(visit, route, handler))
        unknown = _served(visit, "unknown path", partial(_not_found, vendor))
        app.router.add_route("*", f"/{vendor.name}{{tail:.*}}", unknown)
    return app


async def elsewhere(world: World, request: web.Request) -> web.Response:
    """Receive those who followed a redirect, with an answer that would please them."""
    with world.elsewhere.visit(request, "elsewhere"):
        return web.json_response({"id": "elsewhere", "status": "completed", "state": "completed"})


def _served(visit: Callable[[str, Handler], Visit], route: str, handler: Handler) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await visit(route, handler).serve(request)

    return serve


async def _not_found(vendor: Vendor, request: web.Request) -> web.Response:
    return vendor.error(404, f"There is no {request.method} {request.path}.")


class Visit:
    """One request on its way through a vendor: counted, perhaps spoilt, checked, answered."""

    def __init__(self, world: World, vendor: Vendor, route: str, handler: Handler) -> None:
        self.world = world
        self.vendor = vendor
        self.route = route
        self.handler = handler

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Return the answer, right or wrong."""
        vendor, traffic = self.vendor, self.vendor.traffic
        with traffic.visit(request, self.route):
            answer: Callable[[], Awaitable[web.StreamResponse]] = partial(self.answer, request)
            fault = self.world.faults.take(vendor.name, request.path_qs)
            response = await (play(fault, vendor, request, answer) if fault else answer())
            traffic.statuses["reset" if response.status == 499 else str(response.status)] += 1
            if not response.prepared:
                response.headers.update(vendor.own_headers())
            return response

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Return what the vendor says."""
        try:
            return await self._checked(request)
        except RefusedError as refused:
            return refused.response

    async def _checked(self, request: web.Request) -> web.StreamResponse:
        vendor = self.vendor
        if request.path.startswith(vendor.open_paths):
            return await self.handler(request)
        refusal = vendor.refusal(request)
        if refusal is not None:
            return refusal
        fits, reading = self._count()
        try:
            response = await self.handler(request) if fits else vendor.throttled(reading)
        except RefusedError as refused:
            response = refused.response
        response.headers.update(vendor.rate_headers(reading))
        return response

    def _count(self) -> tuple[bool, Reading]:
        enforced = self.world.settings.limits.get(self.vendor.name)
        limit = enforced or self.vendor.told_limit
        return self.vendor.meter.count(limit, self.vendor.now(), enforced=enforced is not None)


def open_traffic(world: World, name: str) -> Traffic:
    """Return the traffic of a vendor, or of the place where redirects lead.

    :raises KeyError: there is no such vendor.
    """
    return world.elsewhere if name == "elsewhere" else world.vendors[name].traffic
