# SPDX-License-Identifier: Apache-2.0
"""The connection form, in the two declarations Airflow wants, from a vendor's one list of fields.

Airflow from 3.2 on reads only the provider metadata, everything before reads only the hook's methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_bulkjobs.vendors.account import STANDARD_FIELDS, Field

# What Airflow's form has and no vendor uses. "extra" stays out of sight: its keys are fields of their own.
UNUSED_FIELDS = ("port", "schema", "extra")


def form_behaviour(fields: Iterable[Field], *, hidden: str = "hidden_fields") -> dict[str, Any]:
    """Return which standard fields are shown, and how they are labelled.

    :param hidden: the key for the hidden fields: the methods spell it with an underscore, the metadata with a hyphen.
    """
    used = {field.name: field for field in fields if field.is_standard}
    return {
        hidden: [*UNUSED_FIELDS, *(name for name in STANDARD_FIELDS if name not in used)],
        "relabeling": {name: field.label for name, field in used.items()},
        "placeholders": {name: _hint(field) for name, field in used.items() if field.placeholder},
    }


def _hint(field: Field) -> str:
    # Airflow shows the help of extra fields alone, so its own fields say in their placeholders where to look.
    return f"{field.placeholder} ({field.where})" if field.where else field.placeholder


def form_fields(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the extra fields as provider metadata (``conn-fields``)."""
    return {field.name: _form_field(field) for field in fields if not field.is_standard}


def _form_field(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [field.type, "null"]}
    if field.choices:
        schema["enum"] = [*field.choices]
    if field.default is not None:
        schema["default"] = field.default
    if field.type == "number":
        schema["minimum"] = 0
    return {"label": field.label, "schema": schema, "description": field.help}


def form_widgets(fields: Iterable[Field], *, drawn: bool = False) -> dict[str, Any]:
    """Return the extra fields as the form fields of Airflow up to 3.1.

    Plain wtforms: where Flask AppBuilder is missing, importing its widgets would lose labels and fields alike.

    :param drawn: the form is drawn from the fields themselves, as in Airflow 2. Airflow 3 only reads what they say, and
        of no other kind than it knows: there ``any_of`` is what makes a list of choices.
    """
    return {field.name: _form_widget(field, drawn=drawn) for field in fields if not field.is_standard}


def _form_widget(field: Field, *, drawn: bool) -> Any:
    from wtforms import SelectField, StringField
    from wtforms.validators import Optional, any_of

    try:
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget, Select2Widget
    except ImportError:
        text, select = {}, {}
    else:
        text, select = {"widget": BS3TextFieldWidget()}, {"widget": Select2Widget()}
    about = {
        "validators": [Optional(), *([any_of([*field.choices])] if field.choices else [])],
        "description": field.help,
        "default": None if field.default is None else str(field.default),
    }
    if drawn and field.choices:
        # All types share one form, and a field of another type is not sent along: that must be no invalid choice.
        choices = [(choice, choice) for choice in field.choices]
        return SelectField(field.label, choices=choices, validate_choice=False, **about, **select)
    return StringField(field.label, **about, **text)
