# SPDX-License-Identifier: Apache-2.0
"""A wait survives the loss of its triggerer."""

from processes import tail_on_failure

POLLS = 20
RUN = "triggerer-lost"


def test_wait_survives_triggerer(airflow, simulator, processes):
    job_id = simulator.job("sendgrid", ["pending"] * POLLS + ["completed"], items=10)

    def polls():
        return simulator.polls()[job_id]

    with tail_on_failure(processes):
        airflow.trigger("e2e_long", RUN, {"job_id": job_id})
        airflow.wait_until(lambda: polls() >= 4, 60, "the first polls of the trigger")

        processes.kill("triggerer")
        before = polls()
        airflow.start_component("triggerer")

        seen = [task.state for task in airflow.watch(RUN, seconds=90)]
    assert before < POLLS  # the triggerer was killed during the wait
    assert polls() == POLLS + 1  # the next one continued without an additional poll
    assert seen[0] == "deferred"
    assert seen[-1] == "success"
    assert airflow.xcom("e2e_long", RUN, "gate")["total"] == 10
