# Everything runs in a virtual environment of its own, .venv, made on first use and renewed with pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# A few cases each of what the README and the docs claim, beside other packages: under five minutes on two cores.
BENCH := foresight/porian foresight/isoflops foresight/few_runs foresight/alabdulmohsin foresight/running_tiny \
	foresight/olmo_chain foresight/sldbench_parallel doubt/power_floor 'decisions/*' published/chinchilla \
	published/gadre published/porian certified/nist speed/one_fit
SHOW := $(BIN)/scalefit bench show --markdown

.PHONY: demo bench bench-all bench-results bench-pages test lint types docs check clean

demo: $(READY)
	$(BIN)/scalefit demo

# The public tables are read from the folder that SCALEFIT_DATA names; what a stopped run has done is not done again.
bench: $(READY)
	$(BIN)/scalefit bench run $(BENCH) --quick --workers 2 --out bench.jsonl
	$(BIN)/scalefit bench show bench.jsonl --out bench.html

bench-all: $(READY)
	$(BIN)/scalefit bench run --workers 2 --out bench.jsonl
	$(BIN)/scalefit bench show bench.jsonl --out bench.html

# The committed results of other sources than these, measured anew; the others stand.
bench-results: $(READY)
	for file in benchmarks/results/*.jsonl; do \
		$(BIN)/scalefit bench run "$$(basename $$file .jsonl)/*" --workers 2 --out $$file || exit 1; done
	$(MAKE) bench-pages

# The committed tables, from the committed results.
bench-pages: $(READY)
	$(SHOW) benchmarks/results/*.jsonl > benchmarks/RESULTS.md
	$(SHOW) benchmarks/quick.jsonl > benchmarks/quick.md

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
	rm -rf .venv demo bench.jsonl bench.html .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "scalefit needs Python 3.11 or newer, and $(PYTHON) is not; name another: make PYTHON=python3.12 demo"; exit 1; }
	@echo "Setting up .venv (once, a few minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]'
	@touch $@
