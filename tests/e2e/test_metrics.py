# SPDX-License-Identifier: Apache-2.0
"""Metrics of workers and triggerers reach Airflow's metrics backend."""

import pytest
from e2e.runs import VENDORS_LEFT_OUT

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER
from airflow_provider_bulkjobs.simulator.world import simulated_vendors

VENDORS = sorted({vendor.conn_type for vendor in simulated_vendors()} - VENDORS_LEFT_OUT)


@pytest.fixture(params=VENDORS)
def metrics(outcome, request):
    return [metric for metric in outcome.metrics if metric.vendor == request.param]


def triggerers(metrics):
    return {metric.sender for metric in metrics if metric.name == "waits"}  # no other process sends this gauge


def test_waits_gauge_ends_at_zero(metrics):
    assert len(triggerers(metrics)) == 1
    waits = [(metric.value, metric.kind) for metric in metrics if metric.name == "waits"]
    assert waits[0] == (1, "g")
    assert waits[-1] == (0, "g")


def test_worker_and_triggerer_count_polls(metrics):
    polls = [metric for metric in metrics if metric.name == "polls"]
    assert {metric.kind for metric in polls} == {"c"}
    senders = {metric.sender for metric in polls}
    assert senders >= triggerers(metrics) != set()
    starts_in_trigger = STARTS_IN_TRIGGER and polls[0].vendor == "intercom"  # whose example has a sensor
    assert bool(senders - triggerers(metrics)) != starts_in_trigger


def test_detection_delay(outcome):
    metrics = [metric for metric in outcome.metrics if metric.vendor == "sendgrid"]
    delays = [metric for metric in metrics if metric.name == "detection_delay" and metric.sender in triggerers(metrics)]
    assert delays
    assert {metric.kind for metric in delays} == {"ms"}
    # The clock of a scripted job ends before its last state is returned: by minutes on a slow machine.
    assert all(0 <= metric.value < 600_000 for metric in delays)
