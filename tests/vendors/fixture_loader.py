# SPDX-License-Identifier: Apache-2.0
"""Fixture loader. The fixtures come from the vendors' documentation, not from the code under test.

``vendor.json`` has the data that all requests of a vendor share; CONTRIBUTING.md documents each file and its keys.
"""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vendors.scripted import LOGIN, SECRET

from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

FIXTURES = Path(__file__).parent / "fixtures"
EVERY_KIND = FIXTURES / "every_kind"  # undocumented responses that mean the same for every vendor
BASIC = base64.b64encode(f"{LOGIN}:{SECRET}".encode()).decode()
# A vendor's error message, and the parts that must be redacted.
LEAK = f"bad row for ada@example.com with key {SECRET}, see https://files.example.com/f?X-Amz-Signature=signed"
PRIVATE = ("ada@", SECRET, "signed", LOGIN)

VENDOR_KEYS = (
    *("credential.header", "credential.value", "refusal"),
    *("check.expected_requests", "check.answers", "check.expected_message"),
)
SUBMIT_KEYS = ("limits.idempotent", "request.method", "request.path", "request.body", "answers")
RESULTS_KEYS = ("answers", "item_results")
CANCEL_KEYS = ("answers", "expected_requests", "canceled")

KindKey = tuple[str, str]
Key = tuple[str, str, str]
Answer = dict[str, Any]


def read_json(path: Path, *needed: str) -> Any:
    """Return a file's content.

    :param needed: the required keys; a dot separates nested keys.
    """
    name = path.relative_to(FIXTURES)
    assert path.exists(), f"{name} is missing: see CONTRIBUTING.md"
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise AssertionError(f"{name} is not JSON: {error}") from None
    lacking = [key for key in needed if not has(content, key)]
    assert not lacking, f"{name} lacks {', '.join(map(repr, lacking))}: see CONTRIBUTING.md"
    return content


def has(content: Any, key: str) -> bool:
    first, _, rest = key.partition(".")
    return isinstance(content, dict) and first in content and (not rest or has(content[first], rest))


def facts_of(vendor: Vendor) -> dict[str, Any]:
    kinds = (f"kinds.{kind.name}.{key}" for kind in vendor.kinds for key in ("path", "words"))
    return read_json(FIXTURES / vendor.conn_type / "vendor.json", *VENDOR_KEYS, *kinds)


def credential(facts: dict[str, Any]) -> tuple[str, str]:
    """Return the header that must carry the credentials, and its value."""
    return facts["credential"]["header"], facts["credential"]["value"].format(password=SECRET, basic=BASIC)


def refusal(conn_type: str, words: str) -> Any:
    """Return an error body of the vendor with this message."""
    return json.loads(json.dumps(FACTS[conn_type]["refusal"]).replace("{leak}", json.dumps(words)[1:-1]))


FACTS = {vendor.conn_type: facts_of(vendor) for vendor in VENDORS}
CREDENTIALS = {conn_type: credential(facts) for conn_type, facts in FACTS.items()}
ACCEPT = {conn_type: facts.get("accept", "application/json") for conn_type, facts in FACTS.items()}
REFUSALS = {conn_type: refusal(conn_type, LEAK) for conn_type in FACTS}
KIND_FACTS = {(conn_type, name): kind for conn_type, facts in FACTS.items() for name, kind in facts["kinds"].items()}
PATHS = {key: kind["path"] for key, kind in KIND_FACTS.items()}
WORDS = {key: set(kind["words"]) for key, kind in KIND_FACTS.items()}


@dataclass(frozen=True)
class Limits:
    """The documented limits of an operation; ``None`` if undocumented.

    :param idempotent: whether the request may be retried; decided by the author of the fixture.
    """

    idempotent: bool
    items: int | None = None
    size: int | None = None
    item_size: int = 0
    supports_append: bool = False
    per_minute: int = 0


@dataclass(frozen=True)
class Submit:
    """A submit: the expected request, and the responses.

    :param content_type: the content type of the body; a body that is not JSON is text.
    """

    method: str
    path: str
    body: Any
    answers: tuple[Answer, ...]
    records: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Fetch:
    """The responses of a finished job, and the expected item results.

    :param asked: expected paths on the account's own host, after the status request.
    :param files: expected file URLs after these, which must not receive the credentials.
    """

    answers: tuple[Answer, ...]
    outcomes: list[ItemResult]
    asked: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def read_submit(content: dict[str, Any]) -> Submit:
    return Submit(
        **content["request"],
        answers=read_answers(content),
        records=tuple(content.get("records", ())),
        options=content.get("options", {}),
    )


def read_fetch(content: dict[str, Any]) -> Fetch:
    return Fetch(
        answers=read_answers(content),
        outcomes=[ItemResult(*outcome) for outcome in content["item_results"]],
        asked=tuple(content.get("expected_requests", ())),
        files=tuple(content.get("files", ())),
    )


def read_answers(content: dict[str, Any]) -> tuple[Answer, ...]:
    return tuple(
        {**answer, "body": gzip.compress(answer["body"].encode())} if answer.get("gzip") else answer
        for answer in content["answers"]
    )


def files_of(folder: str) -> Iterator[tuple[KindKey, Path]]:
    for vendor in VENDORS:
        for kind in vendor.kinds:
            for path in sorted((FIXTURES / vendor.conn_type / kind.name / folder).glob("*.json")):
                yield (vendor.conn_type, kind.name), path


def submit_files() -> Iterator[tuple[KindKey, Path]]:
    """Yield the required files and the existing files."""
    for vendor in VENDORS:
        for kind in vendor.kinds:
            for operation in kind.operations:
                path = FIXTURES / vendor.conn_type / kind.name / "submit" / f"{operation.name}.json"
                yield (vendor.conn_type, kind.name), path
    yield from files_of("submit")


OPERATIONS: dict[Key, dict[str, Any]] = {
    (*key, path.stem): read_json(path, *SUBMIT_KEYS) for key, path in submit_files()
}
LIMITS = {key: Limits(**content["limits"]) for key, content in OPERATIONS.items()}
SUBMITS = {key: read_submit(content) for key, content in OPERATIONS.items()}
REFUSED = [
    (key, each["record"], each["fields"]) for key, content in OPERATIONS.items() for each in content.get("refused", ())
]
ACCEPTED = [
    (key, record)
    for key, content in OPERATIONS.items()
    for record in (*content.get("records", ()), *content.get("accepted", ()))
]
UNCHECKED = {key for key, content in OPERATIONS.items() if content.get("unchecked")}
RESULTS: dict[KindKey, dict[str, Fetch]] = {}
for _key, _path in files_of("results"):
    RESULTS.setdefault(_key, {})[_path.stem] = read_fetch(read_json(_path, *RESULTS_KEYS))
CANCELS = [(key, path.stem, read_json(path, *CANCEL_KEYS)) for key, path in files_of("cancel")]
