# SPDX-License-Identifier: Apache-2.0
"""Decorators for the methods of a simulated vendor: its endpoints, and the faults that only it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Route(NamedTuple):
    """An endpoint of a vendor.

    :param path: below the vendor's root; variable parts in braces: ``/jobs/{id}``.
    :param is_open: without authentication and rate limit.
    :param is_outside: the path is not below the vendor's root, as if it were on another host.
    """

    method: str
    path: str
    is_open: bool
    is_outside: bool


class OwnFault(NamedTuple):
    """A fault that only one vendor has.

    :param path: the fault applies to requests with this text in their path, unless the caller says otherwise.
    """

    name: str
    path: str


def route(method: str, path: str, *, is_open: bool = False, is_outside: bool = False) -> Callable[[F], F]:
    """Serve an endpoint with the decorated method; a method may serve several.

    The method gets an :class:`~airflow_provider_bulkjobs.simulator.incoming.IncomingRequest`, and returns the JSON of
    a 200, or an aiohttp response. The parameters are those of :class:`Route`.
    """
    return _mark(Route(method, path, is_open, is_outside))


def own_fault(name: str, path: str = "") -> Callable[[F], F]:
    """Declare a fault of this vendor; the decorated method returns the response. See :class:`OwnFault`."""
    return _mark(OwnFault(name, path))


def marked(of: type, kind: type[Any]) -> Iterator[tuple[Any, str]]:
    """Yield the routes or the faults of a class in the order of their definition, with the names of the methods."""
    names = dict.fromkeys(name for base in reversed(of.__mro__) for name in vars(base))
    for name in names:
        for mark in getattr(getattr(of, name, None), "marks", ()):
            if isinstance(mark, kind):
                yield mark, name


def _mark(mark: Any) -> Callable[[F], F]:
    def decorate(method: F) -> F:
        method.marks = [mark, *getattr(method, "marks", [])]  # type: ignore[attr-defined]
        return method

    return decorate
