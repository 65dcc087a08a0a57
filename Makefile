# Everything runs from a virtual environment that `make setup` creates; only Python >= 3.11 and make are needed.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PLUGINS := plugins/aws plugins/gcp plugins/azure
PYPROJECTS := pyproject.toml $(PLUGINS:%=%/pyproject.toml) conformance/pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format docs bench version clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## create .venv with everything in it (again only when a pyproject.toml changed)

$(STAMP): $(PYPROJECTS)
	@command -v $(PYTHON) >/dev/null || { \
		echo "make: $(PYTHON) not found; install Python 3.11 or newer, or name one: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); fmi-core needs 3.11 or newer: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot create virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' $(PLUGINS:%=-e %) -e conformance
	@touch $@

demo: setup ## distributed k-means on 4 ranks over real data, checked against a serial run
	$(BIN)/fmi run -n 4 examples/kmeans.py

test: lint ## lint, then every test, with coverage but for the long matrix
	$(BIN)/python -m pytest -n $(WORKERS) -m matrix
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) -m "not matrix"
	@$(BIN)/coverage combine --quiet 2> $(VENV)/combine.log || { cat $(VENV)/combine.log; exit 1; } # ranks that tests killed left torn files
	@$(BIN)/coverage report

lint: setup ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/lint-imports > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@tail -n 8 $(VENV)/lint-imports.log

format: setup ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: setup ## what `import fmi_core` costs, next to numpy; what non-blocking collectives hide
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/overlap.py

version: ## set the version of all distributions: make version V=0.2.0
	@$(PYTHON) .ci/version.py $(V)

clean: ## remove what was built; .venv stays
	rm -rf build dist site htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf *.egg-info plugins/*/*.egg-info plugins/*/build conformance/*.egg-info conformance/build
