# Every target does its own set-up: a virtual environment in .venv, then an editable install.
PYTHON ?= python3
EXTRAS ?= dev
STORE ?= ../eval-store
SHARED ?= ../shared
BIN := .venv/bin
INSTALLED := .venv/.installed-$(EXTRAS)

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check docs bench eval load soak mutation train-demo screenshots native wheel clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Trinch needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@

demo: $(INSTALLED) ## ingest the live Bluesky stream (or the bundled sample), ask questions; in a terminal, serve the page
	@$(BIN)/trinch demo

test: $(INSTALLED) ## run the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not long' -n auto --dist loadfile

test-long: $(INSTALLED) ## run the tests that take minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long -n auto --dist loadfile --timeout 1800

check: $(INSTALLED) ## format, lint, types and the layers between the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED) ## build the documentation as a site into site/; a broken link is an error
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/zensical build --strict --clean

bench: $(INSTALLED) ## measure speed and quality beside the peers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m benchmarks

eval: $(INSTALLED) ## the scoreboard of answers, beside the five best keyword matches (STORE=folder SHARED=folder)
	$(BIN)/python -m benchmarks.eval --data $(STORE) --cases $(SHARED)/cases --beside
	$(BIN)/python -m benchmarks.eval_heldout --data $(STORE) --shared $(SHARED)/data
	$(BIN)/python -m benchmarks.eval_independent --data $(STORE)

load: $(INSTALLED) ## 200 readers and 20 askers on a server that ingests, for five minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m benchmarks.load

soak: $(INSTALLED) ## an hour (SOAK_MINUTES) of kills, power cuts, failing disks, corruption, random streams and hostile clients
	$(BIN)/python -m benchmarks.soak

mutation: $(INSTALLED) ## mutate the access rules, the answer check and the log (hours; MUTANTS="trinch.store.log*" is a part)
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

train-demo: $(INSTALLED) ## train a tiny Grok on the sample, under ten minutes on two cores (needs the extra "train")
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	OMP_NUM_THREADS=1 $(BIN)/trinch train demo

screenshots: $(INSTALLED) ## take the README's pictures from the real page
	$(BIN)/python -m tests.server.screenshots

native: $(INSTALLED) ## build and install the optional native part (needs a C++ compiler)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ./native

wheel: $(INSTALLED) ## build wheel and sdist into dist/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	$(BIN)/python -m build

clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
