# SPDX-License-Identifier: Apache-2.0
"""Files of records that are almost right: nothing of them is lost, and nothing else is sent instead."""

from pathlib import Path

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.vendors.activecampaign.submits import IMPORT
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs


def problems(path: Path, data: bytes) -> list[str | None]:
    path.write_bytes(data)
    return [row.problem for row in read_records(path)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"email": "a@example.com", "email": "b@example.com"}',
        b'{"id": "1", "email": null, "email": "b@example.com"}',
        b'{"id": "1", "custom": {"email": 1, "email": 1}}',
        b'{"id": "1", "custom": [{"a": 1}, {"email": {}, "email": 2, "a": 3}]}',
    ],
)
def test_json_object_with_a_key_twice_is_a_problem(tmp_path: Path, line: bytes) -> None:
    found = problems(tmp_path / "a.jsonl", b'{"id": "0"}\n' + line + b"\n")
    assert found == [None, "has field 'email' twice: remove one of them"]


def test_same_key_in_different_objects_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "a.jsonl", b'{"a": 1, "b": {"a": 1, "b": [{"a": 1}, {"a": 1}]}}\n') == [None]


@pytest.mark.parametrize("header", ["e\0m\0ail,name", "\ufeffemail,name", "email,\u200b", "email,na\u00adme"])
def test_header_with_invisible_character_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(BadArgumentError, match="invisible character in the name of a column"):
        problems(tmp_path / "a.csv", f"\ufeff{header}\na@example.com,Ada\n".encode())


def test_utf_16_without_byte_order_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match="Write the file in UTF-8"):
        problems(tmp_path / "a.csv", "email,name\na@example.com,Ada\n".encode("utf-16-le"))


@pytest.mark.parametrize("text", ["<!DOCTYPE html>\n", "<html><body>Sign in</body></html>", "<?xml version='1.0'?>\n"])
def test_web_page_is_not_an_empty_csv_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadArgumentError, match="web page or an XML document"):
        problems(tmp_path / "a.csv", text.encode())


@pytest.mark.parametrize("again", ["EMAIL,FirstName", "Email , firstname", '"eMail","FIRSTNAME"'])
def test_header_again_in_another_case_is_a_problem(tmp_path: Path, again: str) -> None:
    found = problems(tmp_path / "a.csv", f"email,FirstName\na@example.com,Ada\n{again}\n".encode())
    assert found == [None, "repeats the header: remove this line"]


@pytest.mark.parametrize(
    "value", ["a\u200bb", "a@b\u200b.co", "a\0b", "a\nb", "a\u00adb", "a\u2060b", "a\u202eb", "a\xa0b"]
)
def test_identity_with_invisible_character_is_refused(value: str) -> None:
    assert needs("email")({"email": value}) == "has an invisible character in field 'email': remove it"


@pytest.mark.parametrize("value", ["a b", "ä@example.com", "名前", "a@example.com", "-"])
def test_identity_of_visible_characters_is_taken(value: str) -> None:
    assert needs("email")({"email": value}) is None


def test_value_that_cannot_be_compared_is_a_problem() -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

    assert "has a Odd in field 'email'" in str(needs("email")({"email": Odd()}))


@pytest.mark.parametrize("value", [7, 10**5000], ids=["short", "long"])
def test_number_is_no_email_address(value: int) -> None:
    assert IMPORT.check({"email": value}) == "has no e-mail address in field 'email'"
