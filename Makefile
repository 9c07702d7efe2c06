# Everything runs in a virtual environment of its own, .venv, made on first use and renewed with pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint types docs check clean

demo: $(READY)
	$(BIN)/scalefit demo

test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/sphinx-build -q -W --keep-going docs build/site
	@echo "The site is build/site/index.html"

check: lint types test

clean:
	rm -rf .venv demo .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "scalefit needs Python 3.11 or newer, and $(PYTHON) is not; name another: make PYTHON=python3.12 demo"; exit 1; }
	@echo "Setting up .venv (once, a few minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]'
	@touch $@
