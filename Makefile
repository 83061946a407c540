# Two commands: `make check` decides a shipped machine, `make test` runs every test. Both make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPEC ?= spec/pg1974.isa

.PHONY: check test lint bench docs clean

check: $(VENV)/.installed
	$(BIN)/popek check $(SPEC)

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings --pythonpath $(BIN)/python

bench: $(VENV)/.dev
	$(BIN)/python -m bench

docs: $(VENV)/.installed
	$(BIN)/popek explain --gallery --format html --output docs/gallery.html || test $$? -eq 1
	$(BIN)/popek explain --gallery --pages build/pages || test $$? -eq 1

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
