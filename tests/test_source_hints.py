# SPDX-License-Identifier: Apache-2.0
"""Records of another shape: the error says what was given and what to give, and repeats no value."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from vendors.scripted import make_account

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
SendGrid = next(vendor for vendor in VENDORS if vendor.conn_type == "sendgrid")
PERSON = ("ada@example.com", "Lovelace")


class Contact(NamedTuple):
    email: str
    city: str


class DataFrame:
    def __iter__(self) -> Any:
        return iter(["email", "city"])


class LazyFrame(DataFrame):
    to_dicts = None


class Table(DataFrame):
    to_pylist = None


def error(source: Any) -> str:
    kind = SendGrid.kinds[0]
    hook = HOOK_OF["sendgrid"]("mine")
    hook.account = make_account(SendGrid, "https://vendor.example.com")
    submission = Submission(hook, kind.name, kind.operations[0], {}, None)
    with submission, pytest.raises(BadArgumentError) as caught:
        submission.prepare(read_records(source), None)
    message = str(caught.value)
    assert not [word for word in PERSON if word in message]
    assert "the first record has ." not in message
    return message


@pytest.mark.parametrize(
    ("source", "problem", "remedy"),
    [
        ([PERSON], "line 1 is a tuple, not a dict", "[dict(zip(names, row)) for row in rows]"),
        ([list(PERSON)], "line 1 is a list, not a dict", "[dict(zip(names, row)) for row in rows]"),
        ([Contact(*PERSON)], "line 1 is a Contact, not a dict", "[row._asdict() for row in rows]"),
        ([[{"email": PERSON[0]}], []], "line 1 is a list, not a dict", "[record for records in parts for record in"),
        (["a.csv", {"email": PERSON[0]}], "one of them is a dict", "Pass only paths"),
        ([{"email": PERSON[0]}, "a.csv"], "line 2 is a str, not a dict", "leave them out"),
        ([7], "line 1 is a int, not a dict", "Pass a list of dicts"),
        ([None], "line 1 is a NoneType, not a dict", "Pass a list of dicts"),
        ([{}], "line 1 is empty", "Check the upstream task."),
        ([{"Email": PERSON[0]}], "line 1 lacks field 'email'", "the first record has 'Email'."),
        (DataFrame(), "records is a DataFrame", "pass df.to_dict('records')"),
        (LazyFrame(), "records is a LazyFrame", "pass df.to_dicts()"),
        (Table(), "records is a Table", "pass table.to_pylist()"),
        ({"email": [PERSON[0]]}, "records is a dict of lists", "Pass a list of dicts"),
        ({"email": PERSON[0]}, "records is a dict.", "Pass a list of dicts"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_says_what_was_given_and_what_to_give(source: Any, problem: str, remedy: str) -> None:
    message = error(source)
    assert problem in message
    assert remedy in message
    assert message.index(problem) < message.index(remedy)


@pytest.mark.parametrize(
    "text",
    [
        '[{"email": "ada@example.com"}]',
        '[\n  {"email": "ada@example.com"}\n]\n',
        '{\n  "email": "ada@example.com"\n}\n',
        '[{"email": "ada@example.com"},\n{"email": "ada@example.com"}]\n',
    ],
)
def test_file_of_one_json_document_must_become_json_lines(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert "a.json': the file is one JSON document. Write JSON Lines" in error(tmp_path / "a.json")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_json_lines_in_another_encoding_are_reported(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"email": "ada@example.com", "city": "Zürich"}'.encode(encoding))
    message = error(tmp_path / "a.jsonl")
    assert "line 1 is not UTF-8" in message
    assert message.endswith("Write the file in UTF-8.")


def test_surrogate_bytes_in_json_lines_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"email": "\xed\xa0\x80"}\n')
    assert "line 1 is not UTF-8" in error(tmp_path / "a.jsonl")


def test_ragged_table_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("email,city\nada@example.com\n")
    assert error(tmp_path / "a.csv").endswith("Check the names of the fields; the first record has 'email', 'city'.")


def test_good_records_among_others_have_the_usual_remedy() -> None:
    message = error([{"email": PERSON[0]}, PERSON])
    assert "1 of 2 records cannot be submitted" in message
    assert message.endswith("Correct them, or set skip_invalid=True to leave them out.")
