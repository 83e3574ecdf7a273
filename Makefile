# SPDX-License-Identifier: Apache-2.0
# Needs python3 (3.11 or newer) and make; everything else goes into $(VENV).

PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt

STAMP = $(VENV)/.installed
RUN = $(VENV)/bin/python -m

.PHONY: help test check format e2e demo clean
.DEFAULT_GOAL = help

help:
	@echo "make test    unit, contract and simulator tests"
	@echo "make check   ruff and mypy"
	@echo "make e2e     the sensor in a real Airflow, against the simulator"
	@echo "make demo    all example pipelines in a real Airflow; KEEP=1 leaves its pages up"
	@echo "make format  let ruff put the code in order"
	@echo "make clean   remove what all of these have made"
	@echo "PYTHON=python3.12 chooses the interpreter, VENV=folder the environment, CONSTRAINTS= the newest packages"

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@echo "Installing Airflow and the provider into $(VENV), which takes a minute or two ..."
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[test,check]'
	@touch $@

test: $(STAMP)
	$(RUN) pytest --ignore=tests/e2e

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

clean:
	rm -rf $(VENV) .bench .demo .e2e .mypy_cache .pytest_cache .ruff_cache build dist
