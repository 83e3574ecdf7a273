# SPDX-License-Identifier: Apache-2.0
"""A triggerer that dies takes no wait with it."""

from processes import tail_on_failure

POLLS = 20
RUN = "triggerer-lost"


def test_a_wait_survives_its_triggerer(airflow, simulator, processes):
    job_id = simulator.job("sendgrid", ["pending"] * POLLS + ["completed"], items=10)

    def polls():
        return simulator.polls()[job_id]

    with tail_on_failure(processes):
        airflow.trigger("e2e_long", RUN, {"job_id": job_id})
        airflow.wait_until(lambda: polls() >= 4, 60, "the trigger to ask")

        processes.kill("triggerer")
        before = polls()
        airflow.start_component("triggerer")

        seen = [task.state for task in airflow.watch(RUN, seconds=90)]
    assert before < POLLS  # it died in the middle of the wait
    assert polls() == POLLS + 1  # and another one went on, no poll more than was needed
    assert seen[0] == "deferred"
    assert seen[-1] == "success"
    assert airflow.xcom("e2e_long", RUN, "gate")["total"] == 10
