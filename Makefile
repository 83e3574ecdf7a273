# SPDX-License-Identifier: Apache-2.0
# Needs python3 (3.11 or newer) and make; everything else goes into $(VENV).

PYTHON ?= python3
VENV ?= .venv
TOOLS ?= .nox-tools
CONSTRAINTS ?= constraints.txt

STAMP = $(VENV)/.installed
RUN = $(VENV)/bin/python -m

.PHONY: help test check format e2e demo matrix corners constraints clean
.DEFAULT_GOAL = help

help:
	@echo "make test    unit, contract and simulator tests"
	@echo "make check   ruff and mypy"
	@echo "make e2e     the sensor in a real Airflow, against the simulator"
	@echo "make demo    all example pipelines in a real Airflow; KEEP=1 leaves its pages up"
	@echo "make matrix  the built wheel on every Airflow and Python; make corners does the outermost of them"
	@echo "make format  let ruff put the code in order"
	@echo "make clean   remove what all of these have made"
	@echo "PYTHON=python3.12 chooses the interpreter, VENV=folder the environment, CONSTRAINTS= the newest packages"

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@echo "Installing Airflow and the provider into $(VENV), which takes a minute or two ..."
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[test,check]'
	@touch $@

test: $(STAMP)
	$(RUN) pytest --ignore=tests/e2e --ignore=tests/matrix

check: $(STAMP)
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

format: $(STAMP)
	$(RUN) ruff check --fix
	$(RUN) ruff format

e2e: $(STAMP)
	$(RUN) pytest tests/e2e

demo: $(STAMP)
	@$(VENV)/bin/python scripts/demo.py $(if $(KEEP),--keep)

# Pyenv keeps its Pythons out of the path, unless they are asked for.
NOX = PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd :)" PATH="$(abspath $(TOOLS))/bin:$$PATH" nox

$(TOOLS)/.installed: $(CONSTRAINTS)
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) nox uv
	@touch $@

matrix: $(TOOLS)/.installed
	$(NOX)

corners: $(TOOLS)/.installed
	$(NOX) --tags corners --parallel 2

constraints: $(TOOLS)/.installed
	$(NOX) --session constraints

clean:
	rm -rf $(VENV) $(TOOLS) .nox .demo .e2e .mypy_cache .pytest_cache .ruff_cache build dist
