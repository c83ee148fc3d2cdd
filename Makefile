# One verb for each task of a developer; CI runs the same verbs. Requirements: make, and python3 >= 3.11 with venv; no
# Docker, no Java, no uv. `make PYTHON=python3.12 test` uses another Python.

ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell local/find-python)
endif
ARGS ?=
BIN := .venv/bin
# Tests start hundreds of processes. Without cached bytecode each of them would compile the project.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: run-packages test-packages dev-packages help demo dev drill soak install test test-all tests-without-servers tests-with-servers unit lint alerts clients format bench chaos chaos-engine mutants docs client-packages screenshots assets sbom release image newcomer cluster cluster-test rehearsal requirements lock clean

help: ## Show this page
	@printf '\nFirst time here?  \033[1mmake demo\033[0m runs one handoff step by step; \033[1mmake test\033[0m tests it.\n'
	@printf 'Each verb first installs the packages that it needs (.venv, once), and Kafka. Nothing keeps running afterwards.\n\n'
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[36mmake %-13s\033[0m %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\n  ARGS="…" goes to the program behind a verb:  make test ARGS="tests/unit -k settings"\n'
	@printf '  PYTHON=… picks the Python:                   make PYTHON=python3.12 test\n'
	@printf '  TEST_KAFKA=host:port runs the tests on your own Kafka.\n\n'

demo: run-packages ## Run one handoff on real Kafka, step by step; no process is left afterwards
	@$(BIN)/python -m local demo $(ARGS)

dev: run-packages ## Run the whole gateway until Ctrl-C; print URLs, a key and commands to paste
	@$(BIN)/python -m local dev $(ARGS)

drill: run-packages ## Practise a fault on a private local installation: ARGS=--list, ARGS="key-rotated --hands-on"
	@$(BIN)/python -m local drill $(ARGS)

soak: run-packages ## Run a private local installation for hours, with faults: ARGS="--hours 12 --directory soak"
	@$(BIN)/python -m local soak $(ARGS)

install: dev-packages ## Build .venv with the packages of every verb; each verb installs its own if they are missing

# Most tests wait for servers, so their number of processes is higher than that of cores.
SPREAD = -p tests.downloads -p tests.shared_broker -p tests.preloaded -p tests.spread --no-loadscope-reorder
test: test-packages ## Run the tests without servers and those of the promises on real Kafka, in 4 minutes; or those in ARGS
	$(BIN)/pytest $(or $(ARGS),$(SPREAD) --numprocesses 4 -m "promise or not servers")

test-all: test-packages ## Run all tests, as CI does, in about 14 minutes
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target tests-without-servers tests-with-servers

# Each process collects all tests of its run: two runs, so that only two processes collect the thousands without servers.
tests-without-servers:
	PROMISE_LOGS=300 $(BIN)/pytest tests/unit tests/contract tests/chart -p tests.spread --no-loadscope-reorder --numprocesses 2
tests-with-servers:
	$(BIN)/pytest tests/process tests/system tests/browser $(SPREAD) --numprocesses 5

unit: test-packages ## Run the tests without servers, with few random examples, in seconds
	$(BIN)/pytest tests/unit --quiet --hypothesis-profile quick $(or $(ARGS),--numprocesses logical --dist loadfile)

lint: dev-packages ## Check format, style, types, imports between packages and class names
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.class_names

decisions: dev-packages ## List each decision about a command that differs from the last release
	$(BIN)/python -m docs_build.decisions

alerts: dev-packages ## Test the chart's alerts with promtool: first occurrence, steady state, recovery
	$(BIN)/python -m tests.alerts

clients: dev-packages ## Generate clients from openapi.json, compile them, and hand off with each; run oasdiff
	$(BIN)/python -m tests.clients $(ARGS)

format: dev-packages ## Format the code and apply ruff's fixes
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: test-packages ## Measure ingress and worker, and the floor of each
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/bench.txt
	$(BIN)/python -m bench $(ARGS)

SECONDS ?= 120
chaos: test-packages ## Run the whole gateway with faults, then check its promises: SECONDS=600 SEED=7; ARGS=--slow: on a slow machine, --shadow: without writes
	$(BIN)/python -m tests.chaos.gateway_run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos-engine: test-packages ## Kill the engine's workers and brokers, then check the history: SECONDS=600 SEED=7
	$(BIN)/python -m tests.chaos.engine_kills --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

mutants: test-packages ## Plant small faults and report those that unit and process tests miss: ARGS="--seed 7 --count 300"
	$(BIN)/python -m tests.mutants $(ARGS)

docs: dev-packages ## Write all generated files: schemas/published, tables in docs/, the chart's schema; ARGS=--site: the site, dist/site
	$(BIN)/python -m docs_build $(ARGS)

client-packages: dev-packages ## Write the TypeScript client's types again, check both clients and build them into dist/
	$(BIN)/python -m local.npm.clients $(ARGS)

screenshots: test-packages ## Take the pictures of the console's pages again: docs/images/console-*.png
	$(BIN)/python -m tests.browser.screenshots

assets: dev-packages ## Write the console's vendored files again with npm; ARGS=htmx.org@4.0.2 takes another version
	$(BIN)/python -m local.npm.vendor $(ARGS)

sbom: dev-packages ## Write the image's bill of materials (CycloneDX): dist/sbom.json
	@mkdir -p dist && $(PYTHON) -m venv --clear dist/runtime
	dist/runtime/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/runtime.txt
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist clients/python
	dist/runtime/bin/pip install --quiet --disable-pip-version-check --no-deps --no-index --find-links dist collate-gateway-client
	dist/runtime/bin/python -m pip uninstall --quiet --yes pip setuptools
	$(BIN)/cyclonedx-py environment dist/runtime --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json
	$(BIN)/python -m local.image.bill_of_materials dist/sbom.json

release: dev-packages ## Build all artifacts of this commit, with checksums and provenance: dist/release; ARGS=--image
	@$(BIN)/python -m local.release $(ARGS)

image: dev-packages ## Build the image with buildah (root, Debian): dist/image.tar, its SBOM and licences; ARGS="--base NAME"
	@$(BIN)/python -m local.image $(ARGS)

newcomer: dev-packages ## Run README's lines on a bare Debian, as a user with an empty home (root, Debian); ARGS=--with-tests
	@$(BIN)/python -m tests.newcomer $(ARGS)

cluster: dev-packages ## Run a real Kubernetes with the chart installed (root, Debian, Go); ARGS="--nodes 3 --keep" leaves it running
	@$(BIN)/python -m local.kubernetes $(ARGS)

cluster-test: dev-packages ## Run the cases of tests/cluster on a real Kubernetes; ARGS="pod-killed secret-rotated" selects
	@$(BIN)/python -m tests.cluster.run $(ARGS)

rehearsal: dev-packages ## Build a release, install it on a fresh cluster, upgrade an earlier build to it; ARGS="--before REV"
	@$(BIN)/python -m tests.cluster.rehearsal $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --no-annotate $(ARGS)
# The words behind a key of pyproject.toml, one a line.
LISTED = $(BIN)/python -c 'import sys, tomllib; at = tomllib.load(open("pyproject.toml", "rb")); [at := at[key] for key in sys.argv[1:]]; print(*at, sep="\n")'
requirements: dev-packages ## Pin pyproject.toml's dependencies again; ARGS=--upgrade uses newer versions
	$(COMPILE) pyproject.toml --no-emit-package collate-gateway-client --extra readmodel --extra otel --extra console --output-file requirements/runtime.txt
	$(LISTED) build-system requires | $(COMPILE) - --output-file requirements/build.txt
	$(LISTED) project optional-dependencies clients | $(COMPILE) - --output-file requirements/clients.txt
	@earlier="--constraint requirements/runtime.txt"; for one in local java postgres test browser docs dev bench parts; do \
	  $(LISTED) project optional-dependencies $$one | $(COMPILE) - $$earlier --output-file requirements/$$one.txt || exit 1; \
	  earlier="$$earlier --constraint requirements/$$one.txt"; \
	done

lock: dev-packages ## Pin Kafka's jars again, for another version of Kafka
	$(BIN)/python -m local.kafka.jarlock

clean: ## Remove .venv and the tools' caches (Kafka stays in ~/.cache/collate-gateway)
	rm -rf .venv dist clients/typescript/node_modules clients/typescript/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The script compares contents, so a checkout that changes only times installs nothing.
run-packages test-packages dev-packages:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. Install Python 3.11 or newer, or name another one: make PYTHON=…"; exit 1; }
	@$(PYTHON) local/environment.py $(@:-packages=)
