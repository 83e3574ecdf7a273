# SPDX-License-Identifier: Apache-2.0
"""Build and install a wheel without a network: the environment of the tests has no build backend."""

import base64
import hashlib
import tomllib
from pathlib import Path
from zipfile import ZipFile


def build_wheel(project: Path, folder: Path) -> Path:
    """Build the wheel of a pure Python project (PEP 427); return its path.

    :param project: a folder with the package and a ``pyproject.toml``, of which the standard metadata are read.
    """
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name = metadata["name"].replace("-", "_")
    info = f"{name}-{metadata['version']}.dist-info"
    head = {
        "Metadata-Version": "2.1",
        "Name": metadata["name"],
        "Version": metadata["version"],
        "Summary": metadata["description"],
        "Requires-Python": metadata["requires-python"],
    }
    lines = [f"{key}: {value}" for key, value in head.items()]
    lines += [f"Requires-Dist: {each}" for each in metadata["dependencies"]]
    groups = metadata["entry-points"].items()
    entry_points = [
        line for group, entries in groups for line in (f"[{group}]", *(f"{key} = {entries[key]}" for key in entries))
    ]
    files = {path.relative_to(project).as_posix(): path.read_text() for path in sorted((project / name).rglob("*.py"))}
    files[f"{info}/METADATA"] = "\n".join(lines) + "\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = "\n".join(entry_points) + "\n"
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    wheel = folder / f"{name}-{metadata['version']}-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def install(wheel: Path, target: Path) -> None:
    """Install a pure wheel into a folder, as ``pip install --no-deps --target`` does."""
    with ZipFile(wheel) as archive:
        archive.extractall(target)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
