# SPDX-License-Identifier: Apache-2.0
"""The first line of a CSV file: a header with commas, or an error that names no person."""

from pathlib import Path

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.submitting.record_check import RecordCheck
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.sendgrid.submits import _field_ids

PEOPLE = ("Zebediah", "Quackenbush", "zeb@", "5550006")
OPERATIONS = {
    f"{vendor.conn_type}-{kind.name}-{operation.name}": operation
    for vendor in VENDORS
    for kind in vendor.kinds
    for operation in kind.operations
    if operation.max_items
}


def refusal(folder: Path, text: str) -> str:
    (folder / "a.csv").write_bytes(text.encode())
    with pytest.raises(BadArgumentError) as caught:
        list(read_records(folder / "a.csv"))
    message = str(caught.value)
    assert "a.csv" in message
    assert not [word for word in PEOPLE if word in message]
    return message


@pytest.mark.parametrize(
    ("delimiter", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"), ("\x01", "\\x01"), ("^", "^")]
)
def test_another_delimiter_is_refused(tmp_path: Path, delimiter: str, word: str) -> None:
    for header in ("email,firstname", "email,firstname,city"):
        message = refusal(tmp_path, f"{header}\nzeb@example.com,Zebediah\n".replace(",", delimiter))
        assert f"separated by {word}. Write the file with commas" in message
    message = refusal(tmp_path, '"email","firstname"\n'.replace(",", delimiter))
    assert "line 1 is not CSV" in message
    assert "If the file has another delimiter, write it with commas" in message


def test_another_delimiter_is_refused_also_with_commas_in_the_names(tmp_path: Path) -> None:
    assert "semicolons" in refusal(tmp_path, "email;name, first;city\nzeb@example.com;Zebediah;Paris\n")


def test_a_line_in_one_pair_of_quotes_is_refused(tmp_path: Path) -> None:
    assert "commas inside quotes" in refusal(tmp_path, '"email,firstname"\n"zeb@example.com,Zebediah"\n')


@pytest.mark.parametrize("line", ["sep=;", "sep=,", "SEP=\t", '"sep=;"', "sep=|", "\ufeffsep=;", "sep="])
def test_the_line_for_excel_is_refused(tmp_path: Path, line: str) -> None:
    assert "Remove it, and separate the columns by commas" in refusal(
        tmp_path, f"{line}\nemail;name\nzeb@example.com;Zebediah\n"
    )


@pytest.mark.parametrize(
    "cell",
    [
        *("zeb@example.com", "Zebediah <zeb@example.com>", "15005550006", "+1 (500) 555-0006", "3.5", "0"),
        *("2026-03-14", "2026-03-14T12:00:00Z", "12:30", "6f1c9a52-0000-4000-8000-5550006abcde"),
    ],
)
def test_data_in_the_first_line_is_refused(tmp_path: Path, cell: str) -> None:
    for line in (f"Zebediah,{cell}", cell, f"{cell},,Quackenbush"):
        message = refusal(tmp_path, f"{line}\n{line}\n")
        assert "the first line is data, not a header" in message
        assert f"the {line.count(',') + 1} columns" in message


@pytest.mark.parametrize(
    "header", ["email,1st_name", "e-mail,Ort", "email,straße", "_rf0_T,_rf2_T", "email,address line 1"]
)
def test_a_header_is_taken(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\na@example.com,b\n", encoding="utf-8")
    [row] = read_records(tmp_path / "a.csv")
    assert row.problem is None
    assert row.columns == tuple(header.split(","))


@pytest.mark.parametrize("again", ["email,name", "email , name ", "\ufeffemail,name"])
def test_the_header_again_is_a_problem_of_its_line(tmp_path: Path, again: str) -> None:
    (tmp_path / "a.csv").write_text(f"email,name\na,b\n{again}\nc,d\n", encoding="utf-8")
    problems = {row.line: row.problem for row in read_records(tmp_path / "a.csv") if row.problem}
    assert problems == {3: "repeats the header: remove this line"}


WITH_NAMES = [name for name, operation in OPERATIONS.items() if operation.header_names]


@pytest.mark.parametrize("operation", WITH_NAMES)
def test_a_file_with_no_column_that_is_known_is_refused_without_its_names(tmp_path: Path, operation: str) -> None:
    (tmp_path / "a.csv").write_text("Zebediah,Quackenbush,Paris\nAnna,Zimmermann,Rome\n")
    check = RecordCheck(OPERATIONS[operation], {})
    with pytest.raises(BadArgumentError, match="none of the 3 columns in the first line of the file is '") as caught:
        [check(row) for row in read_records(tmp_path / "a.csv")]
    assert not [word for word in (*PEOPLE, "Paris") if word in str(caught.value)]


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in WITH_NAMES])
def test_the_remedy_names_no_column_of_a_file_that_may_have_no_header(tmp_path: Path, operation: str) -> None:
    (tmp_path / "a.csv").write_text("Zebediah,Quackenbush,Paris\nAnna,Zimmermann\n")
    required = {option.name: "Zebediah" for option in OPERATIONS[operation].options if option.required}
    check = RecordCheck(OPERATIONS[operation], required)
    problems = [check(row) for row in read_records(tmp_path / "a.csv")]
    assert problems == ["has 2 columns, and the header has 3"]
    assert check.remedy == "Check the first line of the file. It must name its 3 columns."


def test_the_remedy_names_the_columns_of_a_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("EMAIL,FIRSTNAME\nzeb@example.com,Zebediah\n")
    check = RecordCheck(OPERATIONS["activecampaign-contacts-import"], {})
    assert [check(row) for row in read_records(tmp_path / "a.csv")] == ["lacks field 'email'"]
    assert check.remedy == "Check the names of the fields; the first record has 'EMAIL', 'FIRSTNAME'."


def test_sendgrid_names_unknown_columns_only_with_a_known_one() -> None:
    def message_for(*columns: str) -> str:
        asking = _field_ids(columns)
        next(asking)
        with pytest.raises(BadArgumentError) as caught:
            asking.send(Response(200, {}, b'{"reserved_fields": [{"id": "_rf0_T", "name": "email"}]}'))
        return str(caught.value)

    assert "no field for any of the 2 columns" in (message := message_for("Zebediah", "Quackenbush"))
    assert not [word for word in PEOPLE if word in message]
    assert "no field for column 'city'" in message_for("email", "city")
