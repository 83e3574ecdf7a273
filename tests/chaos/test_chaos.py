# SPDX-License-Identifier: Apache-2.0
"""No fault of Airflow, its database, its broker or the vendor loses a contact, sends it twice, or ends a wait."""


def test_scenario(scenario, outcomes):
    assert outcomes.of(scenario).problems(scenario) == []


def test_no_leaks(outcomes):
    assert outcomes.leaks() == []
