# SPDX-License-Identifier: Apache-2.0
"""How vendors name the next page of a list."""

import json
from functools import partial
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import TransientError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult
from airflow_provider_bulkjobs.vendors.toolkit.paging import (
    Cursor,
    CursorInLink,
    NextLink,
    NextPage,
    Offset,
    Pages,
    list_pages,
)

PATH = "/items?limit=2"
BASE = "https://api.example.com/v1"


def read(following: NextPage, *bodies: dict[str, Any], max_pages: int = 9) -> tuple[list[str], list[Any], bool]:
    """Return the requested paths, the items, and whether the list is complete."""
    pages = list_pages("Vendor", "items", PATH, items="data.items", following=following, max_pages=max_pages)
    script, paths, items = list(bodies), [], []
    while pages.has_next:
        flow = pages.read_next()
        try:
            request = next(flow)
            assert isinstance(request, Request)
            paths.append(request.path)
            flow.send(Response(200, {}, json.dumps(script.pop(0)).encode()))
        except StopIteration as end:
            items += [item["id"] for item in end.value]
    return paths, items, pages.is_complete


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"data": {"items": [{"id": item} for item in items]}, **more}


def test_offset_ends_with_a_short_page() -> None:
    paths, items, is_complete = read(Offset(2), page(1, 2), page(3, 4), page(5))
    assert paths == [PATH, f"{PATH}&offset=2", f"{PATH}&offset=4"]
    assert (items, is_complete) == ([1, 2, 3, 4, 5], True)


def test_offset_ends_where_the_vendor_says() -> None:
    following = Offset(2, more="hasMore")
    paths, items, is_complete = read(following, page(1, hasMore=True), page(2, 3, hasMore=False))
    assert (paths[1:], items, is_complete) == ([f"{PATH}&offset=1"], [1, 2, 3], True)


def test_offset_of_another_page_is_noticed() -> None:
    following = Offset(2, more="hasMore", echo="offset")
    first, second = page(1, 2, hasMore=True, offset=0), page(3, hasMore=False, offset=2)
    assert read(following, first, second)[1:] == ([1, 2, 3], True)
    with pytest.raises(TransientError, match="the page at offset 0 instead of 2"):
        read(following, first, first)


@pytest.mark.parametrize("bad", [page(1), page(1, hasMore=None), page(1, hasMore="yes"), page(hasMore=True)])
def test_offset_without_a_clear_end_is_retried(bad: Any) -> None:
    with pytest.raises(TransientError, match=r"Vendor, list of items: the response"):
        read(Offset(2, more="hasMore"), bad)


@pytest.mark.parametrize(
    ("following", "announce"),
    [
        (Cursor("meta.after", "after"), lambda value: {"meta": {"after": value}}),
        (Cursor("paging.next", "after", key="after"), lambda value: {"paging": {"next": {"after": value}}}),
        (
            CursorInLink("links.next", "after"),
            lambda value: {"links": {"next": f"https://x.example/?a=1&after={value}"}},
        ),
    ],
)
def test_cursor_is_sent_as_a_parameter(following: NextPage, announce: Any) -> None:
    paths, items, is_complete = read(following, page(1, **announce("n&1")), page(2, **announce(7)), page(3))
    if isinstance(following, CursorInLink):
        assert paths[1:] == [f"{PATH}&after=n", f"{PATH}&after=7"]
    else:
        assert paths[1:] == [f"{PATH}&after=n%261", f"{PATH}&after=7"]
    assert (items, is_complete) == ([1, 2, 3], True)


@pytest.mark.parametrize(
    ("following", "more"),
    [
        (Cursor("meta.after", "after"), {"meta": []}),
        (Cursor("meta.after", "after"), {"meta": {"after": ""}}),
        (Cursor("meta.after", "after"), {"meta": {"after": True}}),
        (Cursor("paging.next", "after", key="after"), {"paging": {"next": {}}}),
        (Cursor("paging.next", "after", key="after"), {"paging": {"next": "x"}}),
        (CursorInLink("links.next", "after"), {"links": {"next": "https://x.example/?a=1"}}),
        (CursorInLink("links.next", "after"), {"links": {"next": 3}}),
        (NextLink("next", BASE), {"next": ""}),
        (NextLink("next", BASE), {"next": 7}),
        (NextLink("next", BASE), {"next": "http://[x"}),
    ],
)
def test_next_page_that_is_not_named_is_retried(following: NextPage, more: Any) -> None:
    with pytest.raises(TransientError, match=r"Vendor, list of items: the response"):
        read(following, page(1, **more))


@pytest.mark.parametrize("link", ["/v1/items?page=2", f"{BASE}/items?page=2", "items?page=2"])
def test_link_is_followed_on_the_own_host(link: str) -> None:
    first = {"data": {"items": [{"id": 1}], "next": link}}
    paths, items, is_complete = read(NextLink("data.next", BASE), first, page(2))
    assert (paths, items, is_complete) == ([PATH, "/items?page=2"], [1, 2], True)


@pytest.mark.parametrize(
    "link", ["https://evil.example/v1/items", "//evil.example/", "http://api.example.com/v1/items"]
)
def test_link_to_another_host_is_not_followed(link: str) -> None:
    with pytest.raises(UntrustedResponseError, match="another host"):
        read(NextLink("next", BASE), page(1, next=link))


@pytest.mark.parametrize("following", [Offset(1), Cursor("next", "after"), NextLink("next", BASE)])
def test_endless_and_repeated_pages_are_incomplete(following: NextPage) -> None:
    pages = [page(number, next=f"/v1/items?{number}") for number in range(9)]
    assert read(following, *pages, max_pages=3)[2] is False
    if not isinstance(following, Offset):
        paths, _, is_complete = read(following, *[page(1, next="/v1/items?limit=2")] * 3)
        assert is_complete is False
        assert len(paths) <= 2


def play(flow: Any, *bodies: dict[str, Any]) -> tuple[list[Any], Any]:
    """Return the results that a flow yields, and what it returns."""
    script, results = [Response(200, {}, json.dumps(body).encode()) for body in bodies], []
    try:
        part = next(flow)
        while True:
            if not isinstance(part, Request):
                results.append(part)
            part = flow.send(script.pop(0) if isinstance(part, Request) else None)
    except StopIteration as end:
        return results, end.value


def pages_of(max_pages: int = 9) -> Pages:
    return list_pages("Vendor", "items", PATH, items="data.items", following=Offset(2), max_pages=max_pages)


def test_all_items_or_their_results_are_read() -> None:
    bodies = [page(1, 2), {"data": {"items": ["no object"]}}]
    assert play(pages_of().read_all(), *bodies) == ([], [{"id": 1}, {"id": 2}, {}])
    first, second, third = [ItemResult("created", None, item) for item in ({"id": 1}, {"id": 2}, {})]
    assert play(pages_of().results(partial(ItemResult, "created", None)), *bodies)[0] == [[first, second], [third]]


@pytest.mark.parametrize("read", [Pages.read_all, lambda pages: pages.results(partial(ItemResult, "created", None))])
def test_incomplete_list_is_an_error(read: Any) -> None:
    with pytest.raises(UntrustedResponseError, match="the list of items did not end after 1 pages"):
        play(read(pages_of(max_pages=1)), page(1, 2))


def test_page_without_the_list_is_retried() -> None:
    with pytest.raises(TransientError, match="Vendor response has no list of items"):
        read(Offset(2), {"data": None})


def test_pages_may_be_shared() -> None:
    pages = list_pages("Vendor", "items", PATH, items="items", following=Offset(2), max_pages=9, max_age=60.0)
    request = next(pages.read_next())
    assert isinstance(request, Request)
    assert request.max_age == 60.0
