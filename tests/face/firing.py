# SPDX-License-Identifier: Apache-2.0
"""Run a trigger to its event."""

import time

from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger


def make_trigger(conn_id="sendgrid_default", hook="SendGridHook", **arguments):
    now = time.time()
    return BulkJobTrigger(
        **{
            "hook_class": f"airflow_provider_bulkjobs.hooks.bulk_job.{hook}",
            "conn_id": conn_id,
            "job_kind": "contacts",
            "started_at": now,
            "deadline": now + 30,
            "first_poll_at": now,
            "poke_interval": 0.05,
            **arguments,
        }
    )


async def fire(trigger):
    [event] = [event async for event in trigger.run()]
    return event.payload
