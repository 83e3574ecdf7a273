# SPDX-License-Identifier: Apache-2.0
"""The contract of every vendor, in memory: what is derived from the sample files, and the hand-written fixtures.

A new vendor needs only its files in ``fixtures``. A failure lists all problems, each with the case it was found in.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from vendors import result_rules, status_rules, submit_rules, vendor_rules
from vendors.fixture_loader import FIXTURES, SAMPLES, VENDOR_SAMPLES, Sample, VendorSample
from vendors.submit_cases import CASES, Case, each_case, each_kind

from airflow_provider_bulkjobs.vendors import VENDORS

Rule = Callable[[Any], Iterable[str]]


def assert_none(problems: Iterable[str]) -> None:
    found = list(problems)
    assert not found, "\n".join(found)


def each_rule(rules: dict[str, Rule]) -> Any:
    return pytest.mark.parametrize("rule", rules.values(), ids=[name.removesuffix("_problems") for name in rules])


@each_rule(vendor_rules.RULES)
@pytest.mark.parametrize("of", VENDOR_SAMPLES.values(), ids=list(VENDOR_SAMPLES))
def test_vendor(of: VendorSample, rule: Rule) -> None:
    assert_none(rule(of))


@each_rule(status_rules.RULES)
@each_kind
def test_status(sample: Sample, rule: Rule) -> None:
    assert_none(rule(sample))


@each_rule(result_rules.RULES)
@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.kind.results], ids=str)
def test_results(sample: Sample, rule: Rule) -> None:
    assert_none(rule(sample))


@each_rule(submit_rules.RULES)
@each_case
def test_submit(case: Case, rule: Rule) -> None:
    assert_none(rule(case))


def test_conn_types_are_unique() -> None:
    assert len({vendor.conn_type for vendor in VENDORS}) == len(VENDORS)


def test_every_file_belongs_to_a_vendor() -> None:
    kinds = {FIXTURES.joinpath(*sample.key) for sample in SAMPLES}
    files = {kind / f"{name}.json" for kind in kinds for name in ("sample", "status", "results", "cancel")}
    files |= {FIXTURES.joinpath(*case.key[:2], "submit", f"{case.key[2]}.json") for case in CASES}
    files |= {FIXTURES / vendor.conn_type / "vendor.json" for vendor in VENDORS} | {FIXTURES / "schema.json"}
    assert {path for path in FIXTURES.rglob("*") if path.is_file()} - files == set()


def test_kinds_with_results_have_fixtures() -> None:
    missing = [f"{sample}/results.json" for sample in SAMPLES if bool(sample.kind.results) is not bool(sample.results)]
    assert missing == [], "missing, or for a kind without results"
