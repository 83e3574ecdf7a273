# SPDX-License-Identifier: Apache-2.0
"""The options of a submit, checked by name and type before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option, encode_json
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.toolkit.values import unencodable


def choose_operation(vendor: Vendor, kind: JobKind, name: str | None) -> Operation:
    """Return the operation of a job kind by name, or its only one if no name is given.

    :raises BadArgumentError: the name is unknown, or no name is given and there are several operations.
    """
    operations = {operation.name: operation for operation in kind.operations}
    if name is None and len(operations) == 1:
        return kind.operations[0]
    if name in operations:
        return operations[name]
    problem = f"Unknown operation={name!r} for" if name is not None else "Missing operation for"
    remedy = f"Use one of {', '.join(operations)}." if operations else "This job kind has no submit operations."
    raise BadArgumentError(f"{problem} {vendor.label} with job_kind {kind.name!r}. {remedy}")


def read_options(operation: Operation, options: Any) -> dict[str, Any]:
    """Return the options in the vendor's format.

    :raises BadArgumentError: an option is unknown, missing, or of the wrong type.
    """
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise BadArgumentError(f"options is a {type(options).__name__}. Pass a dict.")
    known = {option.name: option for option in operation.options}
    for name in options:
        if name not in known:
            raise BadArgumentError(
                f"Unknown option {name!r} for operation {operation.name!r}. Valid options: "
                f"{', '.join(known) if known else 'none'}."
            )
    missing = [option.name for option in operation.options if option.required and options.get(option.name) is None]
    if missing:
        raise BadArgumentError(f"option {missing[0]!r} is missing: {known[missing[0]].help}")
    return {name: _value(known[name], value) for name, value in options.items() if value is not None}


def from_text(option: Option, value: Any) -> Any:
    """Convert text to the int or bool that the option requires: templates and CSV files contain only text."""
    if isinstance(value, str) and str not in option.types:
        text = value.strip()
        if int in option.types and text.isascii() and text.isdigit():
            return int(text)
        if bool in option.types and text.lower() in {"true", "false"}:
            return text.lower() == "true"
    return value


def _value(option: Option, value: Any) -> Any:
    value = from_text(option, value)
    is_valid = isinstance(value, option.types) and (bool in option.types or not isinstance(value, bool))
    if not is_valid:
        expected = " or ".join(kind.__name__ for kind in option.types)
        raise BadArgumentError(f"option {option.name!r} is a {type(value).__name__}, not a {expected}: {option.help}")
    if option.choices and value not in option.choices:
        raise BadArgumentError(f"option {option.name!r} is {value!r:.60}. Use one of {', '.join(option.choices)}.")
    try:
        encode_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadArgumentError(f"options {unencodable(option.name, value, error)}") from None
    return value
