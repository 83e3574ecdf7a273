# SPDX-License-Identifier: Apache-2.0
"""The connection form, in the two formats that Airflow reads, generated from a vendor's list of fields.

Airflow 3.2 and later read only the provider metadata, earlier versions read only the hook's methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from airflow_provider_bulkjobs.vendors.spec.fields import STANDARD_FIELDS, Field

# Fields of Airflow's form that no vendor uses. "extra" is hidden because its keys are separate fields.
UNUSED_FIELDS = ("port", "schema", "extra")


def form_behaviour(fields: Iterable[Field], *, hidden: str = "hidden_fields", drawn: bool = False) -> dict[str, Any]:
    """Return which standard fields are shown, and their labels.

    :param hidden: the key for the hidden fields: the methods use an underscore, the metadata a hyphen.
    :param drawn: for Airflow 2: its Test button fails, for every type, on a page that was loaded without an "extra".
    """
    fields = list(fields)
    used = {field.name: field for field in fields if field.is_standard}
    with_placeholder = (field for field in fields if field.placeholder and (field.is_standard or _is_text(field)))
    return {
        hidden: [
            name for name in (*UNUSED_FIELDS, *STANDARD_FIELDS) if name not in used and not (drawn and name == "extra")
        ],
        "relabeling": {name: field.label for name, field in used.items()},
        # Airflow 3 shows placeholders in its own fields only.
        "placeholders": {field.name: _placeholder(field) for field in with_placeholder},
    }


def _placeholder(field: Field) -> str:
    # Airflow shows help for extra fields only, so for standard fields the placeholder says where to find the value.
    return f"{field.placeholder} ({field.where})" if field.where else field.placeholder


def _is_text(field: Field) -> bool:
    return field.type == "string" and not field.choices


def form_fields(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the extra fields as provider metadata (``conn-fields``)."""
    return {field.name: _form_field(field) for field in fields if not field.is_standard}


def _form_field(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["number" if field.type == "number" else "string", "null"]}
    if field.is_secret:
        schema["format"] = "password"
    if field.choices:
        schema["enum"] = [*field.choices]
    if field.default is not None:
        schema["default"] = field.default
    if field.type == "number":
        schema["minimum"] = 0
    return {"label": field.label, "schema": schema, "description": help_of(field)}


def help_of(field: Field) -> str:
    """Return the help of an extra field, with an example because Airflow 3 shows no placeholder in such a field."""
    has_example = field.placeholder and field.default is None and _is_text(field)
    return f"{field.help} Example: {field.placeholder}" if has_example else field.help


def form_widgets(fields: Iterable[Field], *, drawn: bool = False) -> dict[str, Any]:
    """Return the extra fields as the form fields of Airflow up to 3.1.

    Plain wtforms: without Flask AppBuilder, importing its widgets would lose all labels and fields.

    :param drawn: the form is rendered from these fields, as in Airflow 2; Airflow 3 only reads their attributes.
    """
    return {field.name: _form_widget(field, drawn=drawn) for field in fields if not field.is_standard}


def _form_widget(field: Field, *, drawn: bool) -> Any:
    from wtforms import PasswordField, StringField
    from wtforms.validators import Optional, any_of

    widget = None
    if drawn and field.choices:
        widget = _list_of(field.choices)
    else:
        with suppress(ImportError):
            from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget

            widget = BS3PasswordFieldWidget() if field.is_secret else BS3TextFieldWidget()
    return (PasswordField if field.is_secret else StringField)(
        field.label,
        # Airflow 3 renders the choices of any_of as a list.
        validators=[Optional(), *([any_of([*field.choices])] if field.choices else [])],
        description=help_of(field),
        default=None if field.default is None else str(field.default),
        widget=widget,
    )


def _list_of(choices: Iterable[str]) -> Callable[..., Any]:
    """Return a widget that renders a text field as a list: Airflow 2 does not accept a SelectField."""

    def render(field: Any, **attributes: Any) -> Any:
        from wtforms.widgets import Select, html_params
        from wtforms.widgets.core import Markup

        options = "".join(Select.render_option(choice, choice, choice == field.data) for choice in choices)
        attributes = {"id": field.id, **attributes, "class": "form-control", "name": field.name}
        return Markup(f"<select {html_params(**attributes)}>{options}</select>")

    return render
