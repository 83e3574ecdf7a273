# SPDX-License-Identifier: Apache-2.0
"""What is counted in a worker and in the triggerer gets to where Airflow's metrics go."""

import pytest

VENDORS = ["activecampaign", "acquia_campaign_studio", "intercom", "sendgrid"]


@pytest.fixture(params=VENDORS)
def told(outcome, request):
    return [metric for metric in outcome.metrics if metric.vendor == request.param]


def triggerers(told):
    return {metric.sender for metric in told if metric.name == "waits"}  # nothing else tells of them


def test_the_triggerer_tells_of_its_waits_until_none_is_left(told):
    assert len(triggerers(told)) == 1
    waits = [(metric.value, metric.kind) for metric in told if metric.name == "waits"]
    assert waits[0] == (1, "g")
    assert waits[-1] == (0, "g")


def test_worker_and_triggerer_count_their_polls(told):
    polls = [metric for metric in told if metric.name == "polls"]
    assert {metric.kind for metric in polls} == {"c"}
    assert {metric.sender for metric in polls} > triggerers(told) != set()


def test_the_triggerer_tells_how_late_an_end_is_noticed(outcome):
    told = [metric for metric in outcome.metrics if metric.vendor == "sendgrid"]
    delays = [metric for metric in told if metric.name == "detection_delay" and metric.sender in triggerers(told)]
    assert delays
    assert {metric.kind for metric in delays} == {"ms"}
    # A scripted job has ended by the clock before its script says so: by minutes, where the machine is slow.
    assert all(0 <= metric.value < 300_000 for metric in delays)
