# SPDX-License-Identifier: Apache-2.0
"""Many waits on one account with a limit: they share its rate limiter, and none is rejected."""

import asyncio
import logging
import time
from collections import Counter

import pytest
from face.firing import make_trigger

from airflow_provider_bulkjobs.http import rate_limiter as turns

WAITS = 120
PER_SECOND = 40
ROUNDS = 2


async def crowd(crowded, quiet):
    """Run the waits of the crowd until all are over, and tell how long another connection's wait took meanwhile."""
    began = time.monotonic()
    tasks = [asyncio.ensure_future(anext(one.run())) for one in crowded]
    await anext(quiet.run())
    seconds = time.monotonic() - began
    return seconds, await asyncio.gather(*tasks)


@pytest.fixture
def told(sim, account, monkeypatch, caplog):
    monkeypatch.setattr(turns, "LONG_QUEUE", 1.0)
    sim.settings(limits={"activecampaign": {"requests": PER_SECOND, "per_seconds": 1}})
    conn_id = account("activecampaign", extra={"requests_per_second": PER_SECOND})
    other = account("sendgrid")
    words = ["waiting"] * ROUNDS + ["completed"]
    jobs = [sim.job("activecampaign", states=words) for _ in range(WAITS)]
    pace = {"poke_interval": 0.2, "deadline": time.time() + 60}
    with caplog.at_level(logging.WARNING, "airflow_provider_bulkjobs"):
        seconds, events = asyncio.run(
            crowd(
                [make_trigger(conn_id, "ActiveCampaignHook", job_ids=[job_id], **pace) for job_id in jobs],
                make_trigger(other, job_ids=[sim.job("sendgrid", states=["pending", "completed"])], **pace),
            )
        )
    return seconds, events, caplog


def test_a_crowd_takes_turns(sim, told):
    seconds, events, caplog = told
    books = sim.state()["activecampaign"]
    assert {event.payload["status"] for event in events} == {"finished"}
    assert "429" not in {str(status) for status in books["statuses"]}
    asked = Counter(request.path_qs for request in sim.requests("activecampaign"))
    assert set(asked.values()) == {ROUNDS + 1}
    assert seconds < WAITS / PER_SECOND  # another connection does not wait in that queue
    assert len([one for one in caplog.get_records("setup") if "are queued" in one.message]) == 1
