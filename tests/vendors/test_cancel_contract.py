# SPDX-License-Identifier: Apache-2.0
"""The contract for canceling jobs, with fixtures in ``fixtures/<conn_type>/<job_kind>/cancel``."""

from typing import Any

import pytest
from vendors.fixture_loader import CANCELS, CREDENTIALS, KindKey
from vendors.scripted import DRIVERS, Script, make_account

from airflow_provider_bulkjobs.exceptions import PermissionDeniedError
from airflow_provider_bulkjobs.vendors import VENDORS

KIND_OF = {(vendor.conn_type, kind.name): (vendor, kind) for vendor in VENDORS for kind in vendor.kinds}
JOB = "j-1"
each_driver = pytest.mark.parametrize("transport", DRIVERS)
each_kind = pytest.mark.parametrize(
    "key", [key for key, (_, kind) in KIND_OF.items() if kind.cancel is not None], ids="-".join
)


@each_kind
def test_kind_has_required_fixtures(key: KindKey) -> None:
    missing = {True, False} - {content["canceled"] for each, _, content in CANCELS if each == key}
    assert not missing, f"{'/'.join(key)}/cancel has no fixture where 'canceled' is {missing}"


def test_cancel_fixtures_belong_to_cancelable_kinds() -> None:
    assert all(KIND_OF[key][1].cancel is not None for key, _, _ in CANCELS)


@each_driver
@pytest.mark.parametrize("prefix", ["", "/prefix"], ids=["root", "prefix"])
@pytest.mark.parametrize(
    ("key", "content"),
    [(key, content) for key, _, content in CANCELS],
    ids=[f"{'-'.join(key)}-{name}" for key, name, _ in CANCELS],
)
def test_cancel_requests_and_result(
    script: Script, key: KindKey, content: dict[str, Any], prefix: str, transport: str
) -> None:
    vendor, kind = KIND_OF[key]
    account = make_account(vendor, script.url(prefix))
    script.play(content["answers"])
    assert DRIVERS[transport](vendor, account, lambda: kind.stop(account, JOB)) is content["canceled"]
    assert [[seen.method, seen.path] for seen in script.seen] == [
        [method, prefix + path] for method, path in content["expected_requests"]
    ]
    header, value = CREDENTIALS[vendor.conn_type]
    assert {seen.headers[header] for seen in script.seen} == {value}


@each_driver
@each_kind
def test_rejected_cancel_is_an_error(script: Script, key: KindKey, transport: str) -> None:
    vendor, kind = KIND_OF[key]
    account = make_account(vendor, script.url())
    script.play([{"status": 403, "body": {}}])
    assert type(DRIVERS[transport](vendor, account, lambda: kind.stop(account, JOB))) is PermissionDeniedError
    assert len(script.seen) == 1


@each_driver
@each_kind
def test_job_id_is_one_path_segment(script: Script, key: KindKey, transport: str) -> None:
    vendor, kind = KIND_OF[key]
    account = make_account(vendor, script.url())
    script.play([{"status": 200, "body": {}}])
    DRIVERS[transport](vendor, account, lambda: kind.stop(account, "../a?b"))
    assert "..%2Fa%3Fb" in script.seen[0].path
