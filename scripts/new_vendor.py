# SPDX-License-Identifier: Apache-2.0
"""Write the skeleton of a vendor: its package, fixtures, rows in the docs, and its line in the list of vendors.

The skeleton is a complete vendor with an imaginary API. What has to be replaced is marked "FILL IN";
``tests/vendors/test_unfilled.py`` lists the marks that are left.
"""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
TEMPLATE = Path(__file__).parent / "vendor_template"
VENDORS = "airflow_provider_bulkjobs/vendors"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MAX_LENGTH = 40
NO_VENDORS = ("spec", "toolkit")
OF_OTHER_PROVIDERS = ("http", "salesforce", "segment", "zendesk")
CELL = "FILL IN this row"
ROWS = {  # by document and beginning of the table's header
    ("docs/submitting.md", "| connection type |"): f"| `@name@` | `contacts` | `import` | {CELL} | | `listId` | no |",
    ("docs/submitting.md", "| jobs | rows"): f"| @label@ `contacts` | {CELL} |",
}


class InvalidNameError(ValueError):
    """There can be no vendor of this name; the message says why, and what to do."""


def check_name(name: str, label: str, project: Path) -> None:
    """Check the name of a new vendor.

    :raises InvalidNameError: it is invalid or taken.
    """
    if not name:
        raise InvalidNameError("The name is missing. Run: make vendor NAME=mailman")
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > MAX_LENGTH:
        raise InvalidNameError(
            f"{name!r} is not a valid name: it becomes the connection type and a Python module. Use lower-case "
            f"letters, digits and single underscores, begin with a letter, and use at most {MAX_LENGTH} characters."
        )
    if name in OF_OTHER_PROVIDERS:
        raise InvalidNameError(f"{name!r} is a connection type of another Airflow provider. Use {name}_bulk.")
    if name in NO_VENDORS or (project / VENDORS / name).exists() or (project / VENDORS / f"{name}.py").exists():
        raise InvalidNameError(
            f"{VENDORS}/{name} exists already. Choose another name, or undo the first run: delete what it wrote, and "
            "restore the documents and the list of vendors that it changed."
        )
    if not re.search("[A-Za-z]", class_name(label)[:1]) or '"' in label or "\\" in label or not label.isprintable():
        raise InvalidNameError(f"{label!r} is not a valid label. Use the vendor's own name, as in LABEL='Mail Man'.")


def check_label(label: str, project: Path) -> None:
    """Check that no other vendor's class has the same name.

    :raises InvalidNameError: one has.
    """
    if re.search(rf"\bimport {class_name(label)}\n", (project / VENDORS / "__init__.py").read_text()):
        raise InvalidNameError(f"There is a vendor {class_name(label)} already. Choose another label.")


def class_name(label: str) -> str:
    """Return the name of the class for a label: ``MailMan`` for ``Mail Man``."""
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", label))


def write_vendor(name: str, label: str, project: Path) -> list[str]:
    """Write the skeleton; return the paths of new and changed files.

    :raises InvalidNameError: the name is invalid or taken.
    """
    check_name(name, label, project)
    check_label(label, project)
    values = {"@name@": name, "@label@": label, "@Class@": class_name(label)}
    texts = {
        f"{VENDORS}/{name}/{path.name.removesuffix('.txt')}": path.read_text()
        for path in sorted((TEMPLATE / "package").iterdir())
    }
    for path in sorted((TEMPLATE / "fixtures").rglob("*.json")):
        texts[f"tests/vendors/fixtures/{name}/{path.relative_to(TEMPLATE / 'fixtures')}"] = path.read_text()
    texts[f"changes/{name}.feature.md"] = "@label@ (`@name@`): FILL IN what is imported; submit, wait, results.\n"
    texts[f"{VENDORS}/__init__.py"] = _with_line((project / VENDORS / "__init__.py").read_text())
    for (document, header), row in ROWS.items():
        text = texts.get(document) or (project / document).read_text()
        texts[document] = _with_row(text, header, row)
    for document, text in texts.items():
        filled = re.sub("@(?:name|label|Class)@", lambda found: values[found[0]], text)
        (project / document).parent.mkdir(parents=True, exist_ok=True)
        (project / document).write_text(_with_sorted_imports(filled) if document.endswith(".py") else filled)
    return sorted(texts)


def _with_line(text: str) -> str:
    """Return the list of vendors with the new one at its end."""
    before, found, after = text.rpartition("\n)")
    return (
        before.replace(
            "\n\nVENDORS", "\nfrom airflow_provider_bulkjobs.vendors.@name@.vendor import @Class@\n\nVENDORS", 1
        )
        + f"\n    @Class@(),{found}{after}"
    )


def _with_sorted_imports(text: str) -> str:
    lines = text.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.startswith("from airflow_provider_bulkjobs.")]
    for number, line in zip(places, sorted(lines[number] for number in places), strict=True):
        lines[number] = line
    return "".join(lines)


def _with_row(text: str, header: str, row: str) -> str:
    """Return a document with another row at the end of a table."""
    lines = text.splitlines()
    end = next(number for number, line in enumerate(lines) if line.startswith(header))
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return "\n".join([*lines[:end], row, *lines[end:]]) + "\n"


def main() -> int:
    """Write the skeleton that the arguments name; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="the connection type: mailman")
    parser.add_argument("--label", default="", help="the vendor's name for people; by default made from the name")
    options = parser.parse_args()
    try:
        paths = write_vendor(options.name, options.label or options.name.replace("_", " ").title(), PROJECT)
    except InvalidNameError as error:
        print(f"No vendor was written. {error}", file=sys.stderr)
        return 2
    print("Wrote or changed:")
    print("\n".join(f"  {path}" for path in paths))
    print(
        "What to replace is marked FILL IN. Next: .venv/bin/python -m pytest tests/vendors/test_unfilled.py lists it."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
