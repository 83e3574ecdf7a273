# SPDX-License-Identifier: Apache-2.0
"""Fields that are secret: in the form, in messages, and in the account."""

import pytest

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.hooks.connection_form import form_fields, form_widgets
from airflow_provider_bulkjobs.vendors.spec.fields import Field

KEY = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
FIELDS = (
    Field("password", "Secret", "help"),
    Field("refresh_token", "Refresh token", "help", secret=True),
    Field("private_key", "Private key", "help", type="text", secret=True),
    Field("region", "Region", "help", choices=("us", "eu")),
)


def test_value_of_a_secret_field_is_a_secret_of_the_account() -> None:
    extra = {"refresh_token": "r-token", "private_key": KEY}
    account = read_account(FIELDS, conn_id="mine", password="pw", extra=extra)
    assert account.secrets == ("pw", "r-token", KEY)
    assert "r-token" not in repr(account)


def test_only_a_text_field_may_have_line_breaks() -> None:
    with pytest.raises(BadConnectionError, match="'refresh_token'"):
        read_account(FIELDS, conn_id="mine", extra={"refresh_token": KEY})


@pytest.mark.parametrize("field", ["refresh_token", "private_key"])
def test_masked_secret_is_an_error(field: str) -> None:
    with pytest.raises(BadConnectionError, match=rf"{field}.*\*\*\*"):
        read_account(FIELDS, conn_id="mine", extra={field: "***"})


def test_secret_in_the_wrong_field_is_not_shown() -> None:
    with pytest.raises(BadConnectionError) as caught:
        read_account(FIELDS, conn_id="mine", extra={"refresh_token": "abcd-1234", "region": "abcd"})
    assert "abcd" not in str(caught.value)


def test_form_hides_secrets() -> None:
    formats = {name: field["schema"].get("format") for name, field in form_fields(FIELDS).items()}
    assert formats == {"refresh_token": "password", "private_key": "password", "region": None}


def test_form_of_older_airflow_hides_secrets() -> None:
    pytest.importorskip("wtforms")
    kinds = {name: widget.field_class.__name__ for name, widget in form_widgets(FIELDS).items()}
    assert kinds == {"refresh_token": "PasswordField", "private_key": "PasswordField", "region": "StringField"}
