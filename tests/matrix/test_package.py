# SPDX-License-Identifier: Apache-2.0
"""The content of the wheel and the sdist, both built by ``nox -s package``."""

import os
import re
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

PROJECT = Path(__file__).parent.parent.parent
PACKAGE = "airflow_provider_bulkjobs"
if "DIST" not in os.environ:
    pytest.skip("requires the wheel and the sdist that nox -s package builds", allow_module_level=True)
[WHEEL] = Path(os.environ["DIST"]).glob("*.whl")
[SDIST] = Path(os.environ["DIST"]).glob("*.tar.gz")
[DIRECT] = Path(os.environ["DIRECT"]).glob("*.whl")


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata() -> Message:
    [text] = [data.decode() for name, data in contents(WHEEL).items() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(text)


def test_the_wheel_has_the_package_and_nothing_else() -> None:
    names = set(contents(WHEEL))
    own = {name for name in names if name.startswith(f"{PACKAGE}/")}
    source = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert own == source
    assert f"{PACKAGE}/py.typed" in own
    rest = {name.partition("/")[2] for name in names - own if name.partition("/")[0].endswith(".dist-info")}
    assert len(rest) == len(names - own), f"more than the package: {names - own}"
    assert rest == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_wheel_fits_every_platform() -> None:
    assert WHEEL.name.endswith("-py3-none-any.whl")


def test_the_sdist_makes_the_same_wheel() -> None:
    # The wheel in DIST is built from the sdist, and the one in DIRECT from the checkout.
    assert WHEEL.name == DIRECT.name
    assert contents(WHEEL) == contents(DIRECT)


def test_the_sdist_has_what_a_packager_needs() -> None:
    with tarfile.open(SDIST) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "tests/conftest.py",
        "docs/submitting.md",
    } <= names
    assert not {
        name for name in names if name.startswith((".venv", ".nox", ".e2e", ".demo", ".chaos", ".site", "dist"))
    }


def test_airflow_finds_the_provider_in_the_wheel() -> None:
    [entry_points] = [data.decode() for name, data in contents(WHEEL).items() if name.endswith("entry_points.txt")]
    assert entry_points.split() == [
        "[apache_airflow_provider]",
        "provider_info",
        "=",
        f"{PACKAGE}.provider:get_provider_info",
    ]


def test_the_metadata(metadata: Message) -> None:
    assert metadata["Name"] == "airflow-provider-bulkjobs"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    classifiers = set(metadata.get_all("Classifier", []))
    assert {"Framework :: Apache Airflow", "Framework :: Apache Airflow :: Provider", "Typing :: Typed"} <= classifiers
    pythons = {
        each.rpartition(" ")[2] for each in classifiers if each.startswith("Programming Language :: Python :: 3.")
    }
    assert pythons == {"3.11", "3.12", "3.13"}
    urls = dict(each.split(", ") for each in metadata.get_all("Project-URL", []))
    assert {"Documentation", "Source", "Issues", "Changelog"} <= set(urls)
    assert all(url.startswith("https://") for url in urls.values())


def test_links_in_the_description_are_absolute(metadata: Message) -> None:
    links = re.findall(r"\]\(([^)]*)\)", metadata.get_payload())
    assert len(links) > 10
    assert all(link.startswith("https://") for link in links)


def test_the_requirements_have_lower_bounds_and_no_upper_ones(metadata: Message) -> None:
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert "apache-airflow>=2.11" in required
    assert all(">=" in each and "<" not in each and "==" not in each for each in required)
