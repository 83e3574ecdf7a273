# SPDX-License-Identifier: Apache-2.0
"""A submit's response has the id of a job only if that id can be waited for."""

import pytest

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id


@pytest.mark.parametrize(("job_id", "text"), [("a", "a"), (7, "7"), ("a/../b", "a/../b")])
def test_id_is_read_as_text(job_id, text):
    assert accepted_job_id("Vendor", {"id": job_id}, "id") == text


@pytest.mark.parametrize(
    "job_id", [None, True, 1.5, [], ["a"], {}, "", " ", "null", "None", ".", "..", "a\nb", "a\x00", "x" * 513], ids=repr
)
def test_unusable_id_counts_as_missing(job_id):
    with pytest.raises(TransientError, match="has no job id"):
        accepted_job_id("Vendor", {"id": job_id}, "id")
    assert accepted_job_id("Vendor", {"id": job_id, "other": "a"}, "id", "other") == "a"
