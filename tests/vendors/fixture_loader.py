# SPDX-License-Identifier: Apache-2.0
"""Fixture loader. The fixtures come from the vendors' documentation, not from the code under test.

``fixtures/schema.json`` defines the files, and CONTRIBUTING.md explains them. A malformed or missing file is an
``AssertionError`` that names the file and the key.
"""

import base64
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
from vendors.scripted import LOGIN, SECRET

from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

FIXTURES = Path(__file__).parent / "fixtures"
SCHEMA = json.loads((FIXTURES / "schema.json").read_text())
BASIC = base64.b64encode(f"{LOGIN}:{SECRET}".encode()).decode()
# A vendor's error message, and the parts that must be redacted.
LEAK = f"bad row for ada@example.com with key {SECRET}, see https://files.example.com/f?X-Amz-Signature=signed"
PRIVATE = ("ada@", SECRET, "signed", LOGIN)
JOB_ID = "j-1"

KindKey = tuple[str, str]
Key = tuple[str, str, str]
Answer = dict[str, Any]


@cache
def validator(definition: str) -> Any:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]})


def read_json(path: Path, definition: str) -> Any:
    """Return the content of a file.

    :param definition: the part of the schema that it must match.
    """
    name = path.as_posix().rpartition("fixtures/")[2]
    assert path.exists(), f"{name} is missing: see CONTRIBUTING.md, 'The fixtures'"
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise AssertionError(f"{name} is not JSON: {error}") from None
    error = jsonschema.exceptions.best_match(validator(definition).iter_errors(content))
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "the file"
        raise AssertionError(f"{name}: {where}: {error.message[:300]}. See {definition!r} in fixtures/schema.json")
    return content


def at(body: Any, path: str) -> Any:
    """Return the value at a dotted path."""
    for key in path.split("."):
        body = body[int(key)] if isinstance(body, list) else body[key]
    return body


def changed(body: Any, path: str, value: Any) -> Any:
    """Return a copy of a body with another value at a dotted path."""
    key, _, rest = path.partition(".")
    if isinstance(body, list):
        index = int(key)
        return [*body[:index], changed(body[index], rest, value) if rest else value, *body[index + 1 :]]
    return {**body, key: changed(body.get(key) or {}, rest, value) if rest else value}


def without(body: Any, path: str) -> Any:
    """Return a copy of a body without the key at a dotted path."""
    parent, _, key = path.rpartition(".")
    members = at(body, parent) if parent else body
    if isinstance(members, list):
        rest: Any = [value for index, value in enumerate(members) if index != int(key)]
    else:
        rest = {name: value for name, value in members.items() if name != key}
    return changed(body, parent, rest) if parent else rest


def read_answers(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    return tuple({"status": 200, **answer, "body": _body(answer)} for answer in answers)


def _body(answer: Answer) -> Any:
    body = answer["body"]
    if answer.get("tar"):
        return _tar_gz(body)
    if answer.get("zip"):
        return _zip(body)
    return gzip.compress(body.encode()) if answer.get("gzip") else body


def _is_json(body: Any) -> bool:
    try:
        return not isinstance(body, str) or json.loads(body) is not None
    except (ValueError, RecursionError):
        return False


def _tar_gz(files: Mapping[str, Any]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            data = json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return archive.getvalue()


def _zip(files: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


@dataclass(frozen=True)
class VendorSample:
    """The documented data of a vendor: ``vendor.json``."""

    vendor: Vendor
    content: Mapping[str, Any]

    @property
    def credential(self) -> tuple[str, str]:
        """The header that must carry the credentials, and its value."""
        credential = self.content["credential"]
        return credential["header"], credential["value"].format(password=SECRET, basic=BASIC)

    @property
    def accept(self) -> str:
        accept: str = self.content.get("accept", "application/json")
        return accept

    @property
    def token(self) -> tuple[Answer, ...]:
        return read_answers(self.content.get("token", ()))

    @property
    def throttled(self) -> tuple[Answer, ...]:
        return read_answers(self.content.get("throttled", ()))

    @property
    def conn(self) -> dict[str, Any]:
        conn: dict[str, Any] = self.content.get("conn", {})
        return conn

    def error_without_json(self, answer: Answer, error: str) -> str:
        """Return the error that a response leads to: another one than usual if its body is not JSON."""
        others: dict[str, str] = {} if _is_json(answer["body"]) else self.content.get("without_json", {})
        return others.get(str(answer["status"]), error)

    def refusal(self, words: str) -> Any:
        """Return an error body of the vendor with this message."""
        return json.loads(json.dumps(self.content["refusal"]).replace("{leak}", json.dumps(words)[1:-1]))


@dataclass(frozen=True)
class Pages:
    """A list that is read page by page after the status of a finished job.

    :param after: the status after which it is requested.
    :param body: the last page, without failed items.
    """

    after: Mapping[str, Any]
    body: Mapping[str, Any]
    items: str
    next: str
    cursor: str

    def page(self, number: int) -> Any:
        """Return a page without failed items whose next page is ``number``."""
        return changed(self.body, self.next, self.cursor.format(number))


@dataclass(frozen=True)
class Sample:
    """The sample of a job kind, and its hand-written fixtures.

    :param words: the documented states: the text of each, its JSON value, its meaning, and whether the job is known.
    """

    of: VendorSample
    kind: JobKind
    content: Mapping[str, Any]
    cases: Mapping[str, Mapping[str, Any]]
    results: Mapping[str, Mapping[str, Any]]
    cancels: Mapping[str, Mapping[str, Any]]

    @property
    def vendor(self) -> Vendor:
        return self.of.vendor

    @property
    def key(self) -> KindKey:
        return self.vendor.conn_type, self.kind.name

    @property
    def words(self) -> dict[str, dict[str, Any]]:
        return {
            word: {"value": word, "known": True, **({"state": meaning} if isinstance(meaning, str) else meaning)}
            for word, meaning in self.content["words"].items()
        }

    @property
    def body(self) -> Any:
        return self.content["body"]

    @property
    def job_id(self) -> str:
        return self.id_with(self.vendor_id)

    @property
    def vendor_id(self) -> str:
        """The id of the job at the vendor."""
        vendor_id: str = self.content.get("vendor_id", JOB_ID)
        return vendor_id

    def id_with(self, part: str) -> str:
        """Return the job id with another id of the vendor in it; most are that id itself."""
        template: str = self.content.get("job_id", "{}")
        return template.format(part)

    def path_with(self, part: str) -> str:
        """Return the path of the status request for this id of the vendor."""
        path: str = self.content["path"]
        return path.format(quote(part, safe=""))

    @property
    def method(self) -> str:
        """The method of the status request."""
        method: str = self.content.get("method", "GET")
        return method

    @property
    def state_path(self) -> str:
        state: str = self.content["state"]
        return state

    @property
    def any_case(self) -> bool:
        """Whether upper and lower case are the same in the states."""
        any_case: bool = self.content.get("any_case", False)
        return any_case

    @property
    def before(self) -> tuple[Answer, ...]:
        """The responses before that of the status: to the list of all jobs, which does not have this one."""
        return read_answers(self.content.get("before", ()))

    @property
    def details(self) -> tuple[Answer, ...]:
        return read_answers(self.content.get("details", ()))

    @property
    def pages(self) -> Pages | None:
        pages = self.content.get("pages")
        if pages is None:
            return None
        return Pages(**{"after": self.body, "body": self.details[0]["body"] if self.details else {}, **pages})

    @property
    def unfinished(self) -> Any:
        """The status of a job that has not finished."""
        word = next(each for each in self.words.values() if each["state"] in {"pending", "running"})
        return changed(self.body, self.state_path, word["value"])

    def __str__(self) -> str:
        return "-".join(self.key)


@dataclass(frozen=True)
class Limits:
    """The documented limits of an operation; ``None`` if undocumented.

    :param idempotent: whether the request may be retried; decided by the author of the fixture.
    :param first_idempotent: the same for the first of several requests, if it differs.
    """

    idempotent: bool
    first_idempotent: bool = False
    items: int | None = None
    size: int | None = None
    item_size: int = 0
    supports_append: bool = False
    per_minute: float = 0

    @property
    def repeats_first(self) -> bool:
        """Whether the first request may be sent again."""
        return self.idempotent or self.first_idempotent


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
    :param status_answers: the responses to the requests of the counts that follow.
    """

    answers: tuple[Answer, ...]
    outcomes: list[ItemResult]
    asked: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    status_answers: tuple[Answer, ...] = ()


def read_submit(content: dict[str, Any]) -> Submit:
    return Submit(
        **content["request"],
        answers=read_answers(content["answers"]),
        records=tuple(content.get("records", ())),
        options=content.get("options", {}),
    )


def read_fetch(content: Mapping[str, Any]) -> Fetch:
    return Fetch(
        answers=read_answers(content["answers"]),
        outcomes=[ItemResult(*outcome) for outcome in content["item_results"]],
        asked=tuple(content.get("expected_requests", ())),
        files=tuple(content.get("files", ())),
        status_answers=read_answers(content.get("status_answers", ())),
    )


def read_cases(path: Path, definition: str) -> dict[str, Any]:
    """Return the cases of an optional file."""
    return read_json(path, definition)["cases"] if path.exists() else {}


def vendor_sample(vendor: Vendor, folder: Path | None = None) -> VendorSample:
    return VendorSample(vendor, read_json((folder or FIXTURES) / vendor.conn_type / "vendor.json", "vendor"))


def kind_samples(of: VendorSample, folder: Path | None = None) -> Iterator[Sample]:
    for kind in of.vendor.kinds:
        place = (folder or FIXTURES) / of.vendor.conn_type / kind.name
        yield Sample(
            of,
            kind,
            read_json(place / "sample.json", "sample"),
            read_cases(place / "status.json", "status"),
            read_cases(place / "results.json", "results"),
            read_cases(place / "cancel.json", "cancel"),
        )


def read_operations(vendor: Vendor, folder: Path | None = None) -> dict[Key, dict[str, Any]]:
    """Return the content of the file of each operation."""
    return {
        (vendor.conn_type, kind.name, operation.name): read_json(
            (folder or FIXTURES) / vendor.conn_type / kind.name / "submit" / f"{operation.name}.json", "submit"
        )
        for vendor in (vendor,)
        for kind in vendor.kinds
        for operation in kind.operations
    }


VENDOR_SAMPLES = {vendor.conn_type: vendor_sample(vendor) for vendor in VENDORS}
SAMPLES = [sample for of in VENDOR_SAMPLES.values() for sample in kind_samples(of)]
SAMPLE_OF = {sample.key: sample for sample in SAMPLES}
OPERATIONS = {key: content for vendor in VENDORS for key, content in read_operations(vendor).items()}
LIMITS = {key: Limits(**content["limits"]) for key, content in OPERATIONS.items()}
SUBMITS = {key: read_submit(content) for key, content in OPERATIONS.items()}


def refusal(conn_type: str, words: str) -> Any:
    """Return an error body of the vendor with this message."""
    return VENDOR_SAMPLES[conn_type].refusal(words)
