# SPDX-License-Identifier: Apache-2.0
"""No vendor has marks of the skeleton that ``make vendor`` writes."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from vendors.fixture_loader import FIXTURES

from airflow_provider_bulkjobs import vendors
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

MARK = re.compile(r'FILL IN[^"|]*')
PROJECT = Path(__file__).parent.parent.parent
PACKAGES = Path(vendors.__file__).parent


def marks(paths: Iterable[Path]) -> list[str]:
    """Return the marked lines, as ``file:line: what to fill in``."""
    return [
        f"{path.relative_to(PROJECT)}:{number}: {mark[0].strip()}"
        for path in sorted(paths)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (mark := MARK.search(line))
    ]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_vendor_is_filled_in(vendor: Vendor) -> None:
    code = (PACKAGES / type(vendor).__module__.split(".")[-2]).glob("*.py")
    left = marks([*code, *(FIXTURES / vendor.conn_type).rglob("*.json")])
    assert not left, "\n".join([f"{vendor.label} is not complete. Replace what is marked:", *left])


def test_docs_are_filled_in() -> None:
    left = marks([PROJECT / "README.md", PROJECT / "docs" / "submitting.md", *(PROJECT / "changes").glob("*.md")])
    assert not left, "\n".join(["Complete the rows of the new vendor:", *left])
