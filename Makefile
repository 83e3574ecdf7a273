# SPDX-License-Identifier: Apache-2.0
# Needs python3 (3.11 or newer) and make; everything else is installed into $(VENV).

PYTHON ?= python3
VENV = .venv
TOOLS = .nox-tools
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
# A cell waits for its Airflow most of the time, so all three corners at once.
CORNER_JOBS ?= 3
# Many tests wait, so there are more processes than most machines have cores.
TEST_JOBS ?= 4

# The last Airflow 2, which renders the connection forms differently.
VENV_2 = $(VENV)-airflow-2
CONSTRAINTS_2 = constraints/airflow-2.11.txt

STAMP = $(VENV)/.installed
STAMP_2 = $(VENV_2)/.installed
RUN = $(VENV)/bin/python -m

# Celery, for the chaos tests; and the releases on which a dead scheduler's tasks run again.
VENV_CHAOS = $(VENV)-chaos
CHAOS_RELEASES = 2.11 3.2

VENV_BENCH = $(VENV)-bench
VENV_SITE = $(VENV)-site
BENCH = $(VENV_BENCH)/bin/python -W ignore benchmarks

# Cache bytecode: without it, each of the many processes compiles Airflow and the tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help test slow check format docs site e2e chaos ui-test ui-tests pictures vendor demo bench matrix corners constraints clean
.DEFAULT_GOAL = help

help:
	@echo "make test    unit, contract and simulator tests"
	@echo "make slow    the unit tests that start processes or build packages"
	@echo "make check   ruff and mypy"
	@echo "make e2e     the example DAGs in a real Airflow, against the simulator"
	@echo "make chaos   faults of a real Airflow with PostgreSQL, Redis and Celery; SHORT=1, ONLY=\"names\": some"
	@echo "make demo    all example pipelines in a real Airflow; KEEP=1 keeps its web UI running"
	@echo "make matrix  the built wheel on every Airflow and Python; make corners runs a subset"
	@echo "make ui-test the connection forms in a browser, on Airflow 3.3 and 2.11; SHORT=1: saves only some"
	@echo "make docs    regenerate the generated pages; make pictures also takes all screenshots"
	@echo "make site    the documentation as a site, in .site; warnings are errors"
	@echo "make vendor NAME=mailman   the skeleton of another vendor; LABEL='Mail Man' is its name for people"
	@echo "make bench   benchmarks against other providers; half an hour on an idle machine"
	@echo "make format  format and fix the code with ruff"
	@echo "make clean   remove everything that these targets created"
	@echo "Variables: PYTHON=python3.12 (interpreter), VENV=folder (environment), CONSTRAINTS= (newest packages),"
	@echo "JOBS=4 (matrix cells tested in parallel), TEST_JOBS=8 (processes of make test; 0: one, without pytest-xdist)"

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@echo "Installing Airflow and the provider into $(VENV), which takes a minute or two ..."
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[test,check,ui]'
	@touch $@

$(STAMP_2): pyproject.toml $(CONSTRAINTS_2)
	@echo "Installing Airflow 2 and the provider into $(VENV_2) ..."
	$(PYTHON) -m venv $(VENV_2)
	$(VENV_2)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VENV_2)/bin/uv pip install --quiet --python $(VENV_2)/bin/python -c $(CONSTRAINTS_2) -e '.[test,ui]'
	@touch $@

TESTS = pytest --dist=worksteal --ignore=tests/e2e --ignore=tests/ui --ignore=tests/matrix --ignore=tests/chaos

test: $(STAMP)
	$(RUN) $(TESTS) --numprocesses=$(TEST_JOBS) -m "not slow"

slow: $(STAMP)
	$(RUN) $(TESTS) --numprocesses=2 -m slow

check: $(STAMP)
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

format: $(STAMP)
	$(RUN) ruff check --fix
	$(RUN) ruff format

docs: $(STAMP)
	$(VENV)/bin/python scripts/vendor_docs.py
	$(VENV)/bin/python scripts/reference_pages.py
	$(VENV)/bin/python scripts/diagrams.py

# A separate environment without Airflow: the pages are made from the sources alone.
$(VENV_SITE)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV_SITE)
	$(VENV_SITE)/bin/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) uv
	$(VENV_SITE)/bin/uv pip install --quiet --python $(VENV_SITE)/bin/python $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) --group site
	@touch $@

site: $(VENV_SITE)/.installed
	NO_MKDOCS_2_WARNING=1 $(VENV_SITE)/bin/mkdocs build
	$(VENV_SITE)/bin/python scripts/site/offline.py .site

vendor: $(STAMP)
	@$(VENV)/bin/python scripts/new_vendor.py "$(NAME)" $(if $(LABEL),--label "$(LABEL)")
	@$(MAKE) --no-print-directory docs

e2e: $(STAMP)
	$(RUN) pytest tests/e2e

$(VENV_CHAOS)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV_CHAOS)
	$(VENV_CHAOS)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VENV_CHAOS)/bin/uv pip install --quiet --python $(VENV_CHAOS)/bin/python $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[chaos]'
	@touch $@

$(VENV_CHAOS)-%/.installed: pyproject.toml constraints/airflow-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python -c constraints/airflow-$*.txt -e '.[test]'
	@touch $@

# Each release runs the scenarios that are meant for it. All of them run, also after a failure.
chaos: $(VENV_CHAOS)/.installed $(if $(SHORT),,$(CHAOS_RELEASES:%=$(VENV_CHAOS)-%/.installed))
	@failed=0; for python in $(^D); do \
		CHAOS_SHORT=$(SHORT) CHAOS_ONLY="$(ONLY)" $$python/bin/python -m pytest -s tests/chaos || failed=1; \
	done; exit $$failed

ui-test:
	@if why=$$(scripts/chromium.sh); then $(MAKE) --no-print-directory ui-tests; else echo "SKIPPED: $$why"; fi

ui-tests: $(STAMP) $(STAMP_2)
	UI_SHORT=$(SHORT) $(RUN) pytest tests/ui
	UI_SHORT=$(SHORT) $(VENV_2)/bin/python -m pytest tests/ui

pictures: $(STAMP)
	PICTURES=docs/images $(RUN) pytest tests/ui -k shows
	$(VENV)/bin/python scripts/demo.py --picture docs/images/demo.svg
	$(MAKE) --no-print-directory docs

# A separate environment: the other providers have many dependencies.
$(VENV_BENCH)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV_BENCH)
	$(VENV_BENCH)/bin/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[bench]'
	@touch $@

bench: $(VENV_BENCH)/.installed
	@mkdir -p .bench
	$(BENCH)/polls.py --runs 3 --json .bench/polls.json
	$(BENCH)/plot.py .bench/polls.json docs/images/polls.png
	$(BENCH)/crowd.py
	$(BENCH)/churn.py
	$(BENCH)/schedule.py
	$(BENCH)/imports.py
	$(BENCH)/submit.py --repeats 1
	$(BENCH)/airflow_cost.py

demo: $(STAMP)
	@$(VENV)/bin/python scripts/demo.py $(if $(KEEP),--keep)

# Pyenv has its Pythons in the path only if PYENV_VERSION names them.
NOX = PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd :)" PATH="$(abspath $(TOOLS))/bin:$$PATH" nox

$(TOOLS)/.installed: $(CONSTRAINTS)
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) nox uv
	@touch $@

matrix: $(TOOLS)/.installed
	$(NOX) --parallel $(JOBS)

corners: $(TOOLS)/.installed
	E2E_SHORT=1 $(NOX) --tags corners --parallel $(CORNER_JOBS)

constraints: $(TOOLS)/.installed
	$(NOX) --session constraints

clean:
	rm -rf $(VENV) $(VENV_2) $(VENV_BENCH) $(VENV_SITE) $(VENV_CHAOS) $(CHAOS_RELEASES:%=$(VENV_CHAOS)-%) $(TOOLS) .site .nox .bench .chaos .demo .e2e .ui .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
