# One verb for each thing that a developer does; CI runs the same verbs. Needs make and python3 >= 3.11 with venv,
# nothing else: no Docker, no Java, no uv. `make PYTHON=python3.12 test` takes another Python.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
READY := .venv/ready-$(notdir $(PYTHON))
# Tests start hundreds of processes; without bytecode each of them compiles the project anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo dev install test unit lint format bench chaos chaos-engine docs sbom requirements lock clean

help: ## Show this page
	@printf '\nFirst time here?  \033[1mmake demo\033[0m tells the story of one handoff; \033[1mmake test\033[0m runs every test.\n'
	@printf 'Both build .venv themselves (a minute, once); real Kafka comes along (45 MB, once) and leaves nothing running.\n\n'
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[36mmake %-13s\033[0m %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\n  ARGS="…" goes to the program behind a verb:  make test ARGS="tests/unit -k settings"\n'
	@printf '  PYTHON=… picks the Python:                   make PYTHON=python3.12 test\n'
	@printf '  TEST_KAFKA=host:port runs the tests on a Kafka that you have.\n\n'

demo: $(READY) ## Tell one handoff's story on real Kafka, step by step; nothing is left behind
	@$(BIN)/gateway demo $(ARGS)

dev: $(READY) ## Run everything until Ctrl-C: URLs, a key and curl lines to paste
	@$(BIN)/gateway dev $(ARGS)

install: $(READY) ## Build .venv with the pinned packages (the other verbs do it by themselves)

# Most tests wait for something real, so more of them run at once than there are cores.
SPREAD = -p tests.spread --numprocesses 3 --no-loadscope-reorder
test: $(READY) ## Run every test, or those that ARGS names
	$(BIN)/pytest $(or $(ARGS),$(SPREAD))

unit: $(READY) ## Run the tests that need nothing real, with few random examples, in seconds
	$(BIN)/pytest tests/unit --quiet --hypothesis-profile quick $(ARGS)

lint: $(READY) ## Check format, style, types and which package may import which
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: $(READY) ## Measure ingress and worker beside their floors
	$(BIN)/python -m bench $(ARGS)

SECONDS ?= 120
chaos: $(READY) ## Put the whole gateway in trouble, then judge it, as CI does for 120 s: SECONDS=600 SEED=7
	$(BIN)/python -m tests.chaos.gateway_run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos-engine: $(READY) ## Kill the engine's workers and brokers for SECONDS, from SEED, and check the history
	$(BIN)/python -m tests.chaos.engine_kills --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

docs: $(READY) ## Write every generated file again: schemas/published, pages and tables in docs/, the chart's schema
	$(BIN)/python -m docs_build $(ARGS)

sbom: $(READY) ## Write what the image is made of, as a CycloneDX bill of materials: dist/sbom.json
	@mkdir -p dist && $(PYTHON) -m venv --clear dist/runtime
	dist/runtime/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/runtime.txt
	dist/runtime/bin/python -m pip uninstall --quiet --yes pip setuptools
	$(BIN)/cyclonedx-py environment dist/runtime --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json

COMPILE = $(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --no-annotate $(ARGS)
requirements: $(READY) ## Pin pyproject.toml's dependencies anew; ARGS=--upgrade takes newer ones
	$(COMPILE) pyproject.toml --extra readmodel --extra otel --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra readmodel --extra otel --extra dev --output-file requirements/dev.txt
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | $(COMPILE) - --output-file requirements/build.txt
	@for one in java postgres; do \
	  sed -n "s/^$$one = \[\"\(.*\)\"\]/\1/p" pyproject.toml | $(COMPILE) - --constraint requirements/dev.txt --output-file requirements/$$one.txt; \
	done

lock: $(READY) ## Pin Kafka's jars anew, for another version of Kafka
	$(BIN)/python -m local.kafka.jarlock

clean: ## Remove .venv and all caches of tools (the downloaded Kafka stays in ~/.cache/collate-gateway)
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): $(wildcard requirements/*.txt) pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=…"; exit 1; }
	@$(PYTHON) local/environment.py
	@rm -f .venv/ready-* && touch $@
