# SPDX-License-Identifier: Apache-2.0
"""The sensor's modes and flags, and mapping, with a real scheduler."""

import pytest
from e2e.runs import SCRIPTS


@pytest.mark.parametrize(
    ("task_id", "state"),
    [
        ("poke", "success"),
        ("reschedule", "success"),
        ("soft_fail_job_failed", "skipped"),
        ("soft_fail_sensor_error", "failed"),  # an error of the sensor must not be skipped
        ("never_fail_sensor_error", "skipped"),
        ("finished_already", "success"),
    ],
)
def test_final_states(outcome, task_id, state):
    assert outcome.states("e2e_modes")[task_id] == {state}


def test_finished_job_is_not_deferred(outcome):
    deferred = {task_id for task_id in SCRIPTS if outcome.log("e2e_modes", task_id, where="trigger")}
    assert deferred == {"soft_fail_job_failed", "soft_fail_sensor_error", "never_fail_sensor_error"}
    assert "UP_FOR_RESCHEDULE" in outcome.log("e2e_modes", "reschedule")


def test_undocumented_state_is_logged(outcome):
    assert "an undocumented state" in outcome.log("e2e_modes", "soft_fail_sensor_error")


def test_mapped_sensor(outcome, mapped_jobs):
    assert outcome.states("e2e_mapped") == {"job_ids": {"success"}, "gate": {"success"}, "add_up": {"success"}}
    results = [outcome.result("e2e_mapped", "gate", number) for number in range(len(mapped_jobs))]
    assert [result["jobs"][0]["job_id"] for result in results] == mapped_jobs
    assert outcome.result("e2e_mapped", "add_up") == 1 + 2 + 7
