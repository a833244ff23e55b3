# One word per need. `make` alone lists them.

PYTHON ?= .venv/bin/python
SCRIPTS := $(filter-out benchmarks/report.py benchmarks/inputs.py, $(wildcard benchmarks/*.py))

.PHONY: help setup test quick coverage lint types docs bench mutants

help:  ## list the words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:  ## virtual environment in .venv, weights of group demo, pre-commit hooks
	python3 -m venv .venv
	.venv/bin/pip install --quiet -e '.[dev]'
	.venv/bin/refbench weights fetch demo
	.venv/bin/pre-commit install

test:  ## all tests
	$(PYTHON) -m pytest -n auto

quick:  ## the tests that are not marked slow
	$(PYTHON) -m pytest -n auto -m "not slow"

coverage:  ## all tests, and which lines none of them runs
	$(PYTHON) -m pytest -n auto --cov --cov-report=term-missing:skip-covered

lint:  ## layout and lint; repairs what can be repaired
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

types:  ## mypy --strict on the package, with the repository under the package's name
	work=$$(mktemp -d) && ln -s "$(CURDIR)" "$$work/refbench" && cd "$$work" && \
	  MYPYPATH="$$work" "$(abspath $(PYTHON))" -m mypy --config-file refbench/pyproject.toml \
	  --cache-dir "$(CURDIR)/.mypy_cache" -p refbench; status=$$?; rm -r "$$work"; exit $$status

docs:  ## run every example of the documentation
	$(PYTHON) -m pytest -q $(shell find tests -name 'test_docs*.py')

bench:  ## every benchmark with --quick; goes on after one that falls short, and ends with 1 then
	@status=0; for script in $(SCRIPTS); do $(PYTHON) $$script --quick || status=1; echo; done; exit $$status

mutants:  ## plant faults, report those that no test notices
	$(PYTHON) tools/mutants.py
