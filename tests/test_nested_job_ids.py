# SPDX-License-Identifier: Apache-2.0
"""The output of a mapped task that returns lists: lists of ids in a list, or in a lazy sequence."""

import re
from collections.abc import Sequence

import pytest

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.arguments import check_literal, read_job_ids


class LazySequence(Sequence):
    """A mapped task's output at run time: a sequence that is no list."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ([["b"], ["a", "c"]], ["b", "a", "c"]),
        (LazySequence(["a", 7], ["b"]), ["a", "7", "b"]),
        (LazySequence(LazySequence("a"), ("b",)), ["a", "b"]),
        ([[["a"], ["b"]], [["c"]]], ["a", "b", "c"]),
        (["a", ["b"]], ["a", "b"]),
        ([["a"], [], ["b"]], ["a", "b"]),
        ([["a"], None, ["b"]], ["a", "b"]),
        ([None, ["a"]], ["a"]),
        ([[], [["a"]]], ["a"]),
    ],
)
def test_nested_lists_are_flattened_in_order(given, ids):
    assert read_job_ids(given) == ids


@pytest.mark.parametrize("given", [[], (), [[]], [[], []], [[[]], []], [[], None], LazySequence(), LazySequence([])])
def test_nothing_but_empty_lists_is_an_error_of_its_own(given):
    with pytest.raises(errors.NoJobsError, match="empty list"):
        read_job_ids(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([["a"], ["b", "a"]], "'a' more than once"),
        ([["1"], [1]], "'1' more than once"),
        ([["a", None]], "None"),
        ([None], "None"),
        ([None, None], "None"),
        ([["a"], [""]], "empty"),
        ([["a"], {"job_id": "b"}], "dict"),
        ([["a"], [b"b"]], "bytes"),
        ([["a"], [".."]], "path"),
        ('[["a"], ["b"]]', "render_template_as_native_obj"),
        (["['a', 'b']"], "render_template_as_native_obj"),
        ([["a"], "LazyXComSequence(xcom_arg=..., ti=...)"], "render_template_as_native_obj"),
    ],
)
def test_what_is_wrong_in_a_nested_list_is_an_error(given, words):
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)) as raised:
        read_job_ids(given)
    assert not isinstance(raised.value, errors.NoJobsError)


def test_nested_literals_are_checked_when_the_dag_is_parsed():
    check_literal([["a"], ["{{ b }}"]], read_job_ids)
    check_literal([["a"], ["b"]], read_job_ids)
    with pytest.raises(errors.BadArgumentError, match="more than once"):
        check_literal([["a"], ["a"]], read_job_ids)


def test_output_of_an_operator_that_waits_is_explained():
    with pytest.raises(errors.BadArgumentError, match=r"job_id=import_contacts\.output\['job_ids'\]"):
        read_job_ids({"state": "succeeded", "job_ids": ["a"], "jobs": []})
