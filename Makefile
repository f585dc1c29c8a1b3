# One command each; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help venv demo test test-fast trials bench check docs lock clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

venv: .venv/.done ## Create .venv with everything that demo, tests and bench need

.venv/.done: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Driftline needs Python 3.11 or newer: make PYTHON=python3.11 venv")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python .ci/install.py
	@touch $@

demo: venv ## Run the demo: real Kafka, real Elasticsearch, a simulated AWS organization
	$(BIN)/driftline demo

test test-fast: export PYTHONDONTWRITEBYTECODE = # compiled once, for the programs that tests start too

test: venv ## Run all tests, those on real Kafka and Elasticsearch included
	$(BIN)/python -m pytest tests -m "not live" -n auto --dist worksteal
	$(BIN)/python -m pytest tests -m live -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/live/test_crash.py
	$(BIN)/python -m pytest tests/live/test_crash.py -m live # by itself: its workers stall beside another that fills the cores

test-fast: venv ## Run the tests that need no server
	$(BIN)/python -m pytest tests -m "not live" -n auto --dist worksteal

trials: venv ## Run long trials, outside CI: workers killed and disturbed, malformed records at every input
	$(BIN)/python -m tests.live.crash kill sleep rebalance broker chaos --n 100000
	DRIFTLINE_FUZZ=50 $(BIN)/python -m pytest -q tests/collectors/events/test_odd.py tests/collectors/test_odd_doors.py

bench: venv ## Measure speed and memory; writes bench.json
	$(BIN)/python -m tests.bench

check: venv ## Check formatting, types, imports, spelling, generated files, rules and kinds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m driftline.pipeline.reference.generate --check
	$(BIN)/driftline rules test
	$(BIN)/driftline kinds check

docs: venv ## Write generated files: schemas, reference pages, policies
	$(BIN)/python -m driftline.pipeline.reference.generate

lock: ## Pin every package again (needs .venv)
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --universal --python-version 3.11 --extra demo --group test --group lint --group build pyproject.toml -o requirements.lock

clean: ## Remove build output, caches and .venv
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
