# SPDX-License-Identifier: Apache-2.0
import math
import re

import pytest

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.arguments import (
    is_literal,
    read_allowed_failures,
    read_conn_id,
    read_expected_items,
    read_job_ids,
)


class LazySequence:
    """What a mapped task's output is at run time: iterable, and no list."""

    def __iter__(self):
        return iter(["a", 7])


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("a", ["a"]),
        (7, ["7"]),
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        (LazySequence(), ["a", "7"]),
        ("a/../b?c=d#e", ["a/../b?c=d#e"]),
        ("é", ["é"]),
        ("...", ["..."]),
    ],
)
def test_job_ids(given, ids):
    assert read_job_ids(given) == ids


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "None"),
        ("", "empty"),
        (" \t", "empty"),
        ("None", "empty"),
        ([], "empty list"),
        ([""], "empty"),
        (["a", None], "None"),
        (True, "bool"),
        (1.5, "float"),
        (b"a", "bytes"),
        ({"id": "a"}, "dict"),
        (".", "path"),
        ("..", "path"),
        ("a\n", "control character"),
        ("a\x00b", "control character"),
        ("a\x7f", "control character"),
        ("a\u2028b", "control character"),
        ("x" * 513, "longer than 512"),
        (["a", "b", "a"], "'a' more than once"),
        ("['a', 'b']", "render_template_as_native_obj"),
        ("('a', 'b')", "submit.output"),
        ("LazyXComSequence(xcom_arg=..., ti=...)", "render_template_as_native_obj"),
        ("<generator object at 0x1>", "render_template_as_native_obj"),
    ],
)
def test_invalid_job_ids(given, words):
    with pytest.raises(errors.BadArgumentError, match=re.escape(words)):
        read_job_ids(given)


@pytest.mark.parametrize(
    ("given", "meant"),
    [(0, 0), (10, 10), ("10", 10), (0.05, 0.05), ("0.05", 0.05), (0.0, 0.0), (None, None)],
)
def test_allowed_failures(given, meant):
    read = read_allowed_failures(given)
    assert (read, type(read)) == (meant, type(meant))


@pytest.mark.parametrize(
    "given", [-1, True, False, 1.0, 1.5, -0.1, math.nan, math.inf, "", "None", "5%", "1e400", "nan", [], "-1", "1.0"]
)
def test_invalid_allowed_failures(given):
    with pytest.raises(errors.BadArgumentError, match=re.escape(f"allowed_failures={given!r}")):
        read_allowed_failures(given)


@pytest.mark.parametrize(("given", "meant"), [(1, 1), ("250", 250), (None, None)])
def test_expected_items(given, meant):
    assert read_expected_items(given) == meant


@pytest.mark.parametrize("given", [0, -1, True, 1.5, "0", "", "None", "many", "1.5", []])
def test_invalid_expected_items(given):
    with pytest.raises(errors.BadArgumentError, match=re.escape(f"expected_items={given!r}")):
        read_expected_items(given)


@pytest.mark.parametrize("given", ["", " ", None, 1])
def test_invalid_conn_id(given):
    with pytest.raises(errors.BadArgumentError, match="conn_id"):
        read_conn_id(given)


@pytest.mark.parametrize("value", ["a", 1, 0.5, None, True, ["a", 1], {"a": 1}])
def test_literals(value):
    assert is_literal(value)


@pytest.mark.parametrize("value", ["{{ x }}", "{% if x %}a{% endif %}", ["a", "{{ x }}"], object()])
def test_templates_are_not_literals(value):
    assert not is_literal(value)
