# SPDX-License-Identifier: Apache-2.0
"""Where the operator takes its records from: part files, columns, and arguments that are wrong."""

import gzip
import json

import pytest
from face.submit_cases import books, both_modes, each_once, run, submit

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

REDSHIFT = {"delimiter": "|", "null_values": ["\\N"]}
COLUMNS = {"EMAIL": "email", "FIRST_NAME": "first_name"}


@pytest.fixture
def unload(tmp_path):
    """Three part files with two contacts each, as a warehouse writes them."""
    for part in range(3):
        lines = ["EMAIL|FIRST_NAME|LTV", *(f"contact-{2 * part + one}@example.com|\\N|7" for one in (1, 2))]
        (tmp_path / f"000{part}_part_00").write_bytes(gzip.compress("\n".join(lines).encode()))
    (tmp_path / "_SUCCESS").touch()
    return tmp_path


@both_modes
def test_part_files_are_submitted_as_one_source(mode, sim, account, unload):
    arguments = {"columns": COLUMNS, "read_options": REDSHIFT, "format": "csv"}
    result = run(mode, conn_id=account("activecampaign"), records=str(unload), **arguments)
    assert (result["submitted"], result["created"]) == (6, 6)
    assert len(books(sim, "activecampaign")) == len(each_once(6))


def test_file_and_line_of_invalid_records_are_named(sim, account, unload, tmp_path):
    with gzip.open(unload / "0001_part_00", "at") as file:
        file.write("\n\\N|Ada|7\n")
    arguments = {"columns": COLUMNS, "read_options": REDSHIFT, "format": "csv", "records": str(unload)}
    with pytest.raises(BadArgumentError, match="nothing was sent: 0001_part_00 line 4 lacks field 'email'"):
        submit(conn_id=account("activecampaign"), **arguments)
    assert sim.requests("activecampaign") == []
    path = tmp_path / "rejected.jsonl"
    submit(conn_id=account("activecampaign"), **arguments, skip_invalid=True, results_path=str(path))
    [row] = map(json.loads, path.read_text().splitlines())
    assert (row["file"], row["line"], row["item"]) == ("0001_part_00", 4, {"first_name": "Ada"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"columns": {"EMAIL": "email", "CITY": "city"}}, "records lack 'CITY'. There are 3 columns: 'EMAIL'"),
        ({"columns": {"EMAIL": "email", "LTV": "email"}}, "columns has field 'email' twice"),
        ({"read_options": {"sep": "|"}}, "Unknown read_options 'sep'"),
        ({"format": None}, "set format"),
        ({"format": "xlsx"}, "Invalid format='xlsx'"),
        ({"records": "{}/no_*"}, "matches no file"),
        ({"records": "{}/000?_part_00", "read_options": {}}, "columns of the first line are separated by vertical"),
    ],
    ids=str,
)
def test_nothing_is_sent_where_an_argument_is_wrong(arguments, words, sim, account, unload):
    good = {"records": "{}", "columns": COLUMNS, "read_options": REDSHIFT, "format": "csv"}
    given = {**good, **arguments}
    given["records"] = given["records"].format(unload)
    with pytest.raises(BadArgumentError, match=words):
        submit(conn_id=account("activecampaign"), **given)
    assert sim.requests("activecampaign") == []


@pytest.mark.parametrize(
    "arguments", [{"columns": "email"}, {"read_options": {"delimiter": ";;"}}, {"format": "xlsx"}], ids=str
)
def test_argument_that_is_wrong_is_refused_when_the_dag_is_parsed(arguments):
    [name] = arguments
    with pytest.raises(BadArgumentError, match=name):
        BulkJobOperator(task_id="a", conn_id="b", records="c.csv", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"columns": "{{ columns }}"},
        {"columns": {"EMAIL": "{{ field }}", "MAIL": "{{ field }}"}},
        {"read_options": {"delimiter": "{{ delimiter }}"}},
        {"format": "{{ format }}"},
    ],
    ids=str,
)
def test_templates_are_checked_when_the_task_runs(arguments):
    operator = BulkJobOperator(task_id="a", conn_id="b", records="c.csv", **arguments)
    assert set(arguments) <= set(operator.template_fields)


def test_table_without_a_known_column_names_the_remedy(sim, account):
    described = [[[name, 1, 0, 0, 0, 0, None] for name in ("EMAIL_ADDRESS", "CITY")], [["a@example.com", "x"]]]
    with pytest.raises(
        BadArgumentError, match=r"none of the 2 columns is .*'email'.* Set columns to the vendor's field"
    ):
        submit(conn_id=account("klaviyo"), records=described)
    assert sim.requests("klaviyo") == []
