# SPDX-License-Identifier: Apache-2.0
"""The sensor's modes and flags, and mapping, as a real scheduler treats them."""

import pytest
from e2e.runs import SCRIPTS


@pytest.mark.parametrize(
    ("task_id", "state"),
    [
        ("poke", "success"),
        ("reschedule", "success"),
        ("soft_fail_job_failed", "skipped"),
        ("soft_fail_sensor_broken", "failed"),  # a broken sensor must not look like a quiet day
        ("never_fail_sensor_broken", "skipped"),
        ("finished_already", "success"),
    ],
)
def test_every_task_ends_as_it_should(outcome, task_id, state):
    assert outcome.states("e2e_modes")[task_id] == {state}


def test_only_what_has_to_wait_is_deferred(outcome):
    deferred = {task_id for task_id in SCRIPTS if outcome.log("e2e_modes", task_id, where="trigger")}
    assert deferred == {"soft_fail_job_failed", "soft_fail_sensor_broken", "never_fail_sensor_broken"}
    assert "UP_FOR_RESCHEDULE" in outcome.log("e2e_modes", "reschedule")


def test_a_word_nobody_knows_is_named(outcome):
    assert "a word nobody knows" in outcome.log("e2e_modes", "soft_fail_sensor_broken")


def test_a_gate_can_be_mapped_over_jobs(outcome, mapped_jobs):
    assert outcome.states("e2e_mapped") == {"job_ids": {"success"}, "gate": {"success"}, "add_up": {"success"}}
    results = [outcome.result("e2e_mapped", "gate", number) for number in range(len(mapped_jobs))]
    assert [result["jobs"][0]["job_id"] for result in results] == mapped_jobs
    assert outcome.result("e2e_mapped", "add_up") == 1 + 2 + 7
