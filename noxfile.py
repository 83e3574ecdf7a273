# SPDX-License-Identifier: Apache-2.0
"""Test the built wheel on every supported Airflow and Python, each in a separate environment.

``make matrix`` runs all sessions, ``make corners`` those that every change must pass. ``nox --list`` lists the cells.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import nox

nox.needs_version = ">=2026.8.10"  # the first release with parallel sessions
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "no"  # each test needs a clean environment
nox.options.error_on_missing_interpreters = True
nox.options.allow_parallel = True

PROJECT = Path(__file__).parent
DIST = PROJECT / "dist"
COMPAT = "apache-airflow-providers-common-compat"
COMPAT_UNTIL = "2026-11-20"
# Many tests wait, so two processes take little longer than one would with a core of its own.
IN_CELLS = (
    *("tests", "--ignore=tests/e2e", "--ignore=tests/ui", "--ignore=tests/chaos"),
    *("--numprocesses=2", "--dist=worksteal"),
)


class Release(NamedTuple):
    """One minor release of Airflow.

    :param version: the tested patch release.
    :param until: packages up to this day belong to it: shortly after its release.
    :param pythons: the Python versions that both it and this package support.
    :param end_to_end: whether tests/e2e runs, with a real scheduler and triggerer.
    :param also: additional packages.
    """

    version: str
    until: str
    pythons: tuple[str, ...]
    end_to_end: bool = False
    also: tuple[str, ...] = ()


RELEASES = {
    "2.11": Release("2.11.2", "2026-03-20", ("3.11", "3.12"), end_to_end=True),
    "3.0": Release("3.0.6", "2025-09-05", ("3.11", "3.12"), end_to_end=True, also=("wtforms",)),  # for the forms
    "3.1": Release("3.1.8", "2026-03-20", ("3.11", "3.12", "3.13"), also=("wtforms",)),  # for the CLI's output
    "3.2": Release("3.2.2", "2026-06-05", ("3.11", "3.12", "3.13")),
    "3.3": Release("3.3.2", "2026-10-01", ("3.11", "3.12", "3.13"), end_to_end=True),
}
LOWEST = Release("2.11.0", "2025-06-05", ("3.11",))
CORNERS = {("2.11", "3.11"), ("3.0", "3.11"), ("3.3", "3.13")}
# The newest first: its end-to-end tests take longest.
CELLS = [
    nox.param(python, airflow, id=f"{airflow}-{python}", tags=["corners"] if (airflow, python) in CORNERS else [])
    for airflow, release in reversed(RELEASES.items())
    for python in release.pythons
]


def build(session: nox.Session) -> Path:
    """Build the sdist, and the wheel from it; return the wheel."""
    dist = DIST if session.name == "package" else Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("uv", "build", "--quiet", "--out-dir", str(dist), external=True)
    return next(dist.glob("*.whl"))


def install(session: nox.Session, constraints: str, *also: str) -> None:
    """Install the wheel like a user, with the packages of an Airflow release."""
    session.install("-c", f"constraints/{constraints}.txt", f"{build(session)}[test]", *also)
    session.run("uv", "pip", "check", external=True)


def run_tests(session: nox.Session, *paths: str) -> None:
    """Run tests; only the tests themselves can be imported from the checkout."""
    env = {"PYTHONSAFEPATH": "1", "E2E_HOME": str(Path(session.create_tmp()).absolute() / "e2e")}
    session.run("pytest", "--quiet", *paths, env=env)


@nox.session(tags=["corners"])
def package(session: nox.Session) -> None:
    """Check the content of the wheel and the sdist."""
    build(session)
    direct = Path(session.create_tmp()) / "direct"
    session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(direct), external=True)
    session.install("pytest")
    env = {"DIST": str(DIST), "DIRECT": str(direct), "PYTHONSAFEPATH": "1"}
    session.run(
        "pytest", "--quiet", "--config-file", os.devnull, "--noconftest", "tests/matrix/test_package.py", env=env
    )


@nox.session(python="3.11", tags=["corners"])
@nox.parametrize("airflow", ["2.11", "3.0"])
def beside(session: nox.Session, airflow: str) -> None:
    """Install the wheel with pip into an Airflow with packages of its day: only common-compat may change."""
    release = RELEASES[airflow]
    session.install("--exclude-newer", release.until, f"apache-airflow=={release.version}", "pip")
    before = _airflow_parts(session)
    session.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(build(session)))
    if changed := before - _airflow_parts(session):
        session.error(f"Installing the wheel changed {', '.join(sorted(changed))}")


def _airflow_parts(session: nox.Session) -> set[str]:
    lines = str(session.run("uv", "pip", "freeze", external=True, silent=True, stderr=None)).splitlines()
    return {line for line in lines if line.startswith("apache-airflow") and not line.startswith(f"{COMPAT}==")}


@nox.session
@nox.parametrize(("python", "airflow"), CELLS)
def cell(session: nox.Session, airflow: str) -> None:
    """Test one Airflow on one Python."""
    release = RELEASES[airflow]
    install(session, f"airflow-{airflow}", *release.also)
    run_tests(session, *IN_CELLS)
    if release.end_to_end:
        run_tests(session, "tests/e2e")


@nox.session(python=LOWEST.pythons[0])
def lowest(session: nox.Session) -> None:
    """Test the lowest supported releases of our dependencies, with the first supported Airflow."""
    install(session, "lowest")
    run_tests(session, *IN_CELLS)


@nox.session(default=False)
def constraints(session: nox.Session) -> None:
    """Write ``constraints``: the packages of each Airflow on its day, and the lowest releases of our dependencies."""
    for name, release in RELEASES.items():
        _compile(session, f"airflow-{name}", release)
    _compile(session, "lowest", LOWEST, "--resolution", "lowest-direct")


def _compile(session: nox.Session, name: str, release: Release, *how: str) -> None:
    pin = Path(session.create_tmp()) / "airflow.in"
    pin.write_text("\n".join((f"apache-airflow=={release.version}", *release.also)))
    target = PROJECT / "constraints" / f"{name}.txt"
    target.unlink(missing_ok=True)
    session.run(
        *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "pyproject.toml", str(pin)),
        *("--extra", "test", "--python-version", release.pythons[0], "--output-file", str(target)),
        # The newest common-compat, as users get it: the one of that day is older than the minimum.
        *("--exclude-newer", release.until, "--exclude-newer-package", f"{COMPAT}={COMPAT_UNTIL}", *how),
        external=True,
        silent=True,
    )
