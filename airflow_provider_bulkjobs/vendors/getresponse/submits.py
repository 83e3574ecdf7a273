# SPDX-License-Identifier: Apache-2.0
"""GetResponse submits: the import of contacts into a list, as rows of text.

https://apireference.getresponse.com/#operation/createImport
https://apidocs.getresponse.com/v3/case-study/create-import
https://github.com/GetResponse/public-api-agent-skills (imports: limits, values of tags)
"""

from __future__ import annotations

import json
import math
from typing import Any

from airflow_provider_bulkjobs.vendors.getresponse.jobs import IMPORTS, STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import object_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

TAG = "tag:"  # and the name of the tag: a column whose value 1 adds the tag
# Of file imports; longer values are cut, and longer addresses refused. Whether it holds here is unconfirmed.
MAX_LENGTHS = {"email": 128}
MAX_LENGTH = 255


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit contacts as rows, with a column for each field of any of them."""
    records = json.loads(b"[%b]" % context.payload.data)
    columns = list(dict.fromkeys(name for record in records for name in record))
    rows = [[record.get(name, "") for name in columns] for record in records]
    request = object_request("POST", IMPORTS, {**context.options, "fieldMapping": columns, "contacts": rows})
    return (yield from submit_request(STATES.vendor, request, "importId"))


def _check_values(record: Record) -> str | None:
    for name, value in record.items():
        if isinstance(value, list | tuple | dict):
            return (
                f"has a {type(value).__name__} in field {safe_name(name)}, and GetResponse imports one text per field"
            )
        if isinstance(value, str) and len(value) > (limit := MAX_LENGTHS.get(name, MAX_LENGTH)):
            return f"has more than {limit} characters in field {safe_name(name)}, which GetResponse would cut or refuse"
    return None


def _encode_texts(record: Record) -> bytes:
    """Return a record with text as its values, as JSON; a value that is missing is left out."""
    return encode_json({name: _text(name, value) for name, value in record.items() if value is not None})


def _text(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return str(int(value)) if name.startswith(TAG) else str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    return value


IMPORT = Operation(
    "import",
    submit_import,
    max_items=1_000_000,  # GetResponse documents no number; the size is reached first
    # Its limit is 20 MB, in which a row also has an empty text for each column that only other rows have. The rows are
    # also held in memory as objects.
    max_bytes=4_000_000,
    check=every(needs("email"), _check_values),
    header_names=("email",),
    options=(Option("campaignId", (str,), "id of the list", required=True),),
    encode=_encode_texts,
    # Not idempotent: each request is another import, which counts contacts of the first one as failed (alreadyInQueue).
)
