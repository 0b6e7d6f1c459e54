# Everything a developer does here; `make` alone lists it. What needs something built builds it first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
BIN := .venv/bin
SECONDS ?= 60
FAULTS ?= 500

ENGINE_SOURCES := $(shell find engine_rs/core engine_rs/front engine_rs/py -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
CLIENT := $(wildcard clients/python/pyproject.toml)
TYPED := pyservice .ci $(if $(CLIENT),clients/python) $(patsubst %/,%,$(sort $(dir $(wildcard bench/*.py))))
NODE_TESTS := $(if $(shell command -v npm),$(wildcard tests/node/package-lock.json))

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- build -----------------------------------------------------------------------------------------------------------

.PHONY: setup build
setup: build $(if $(NODE_TESTS),tests/node/node_modules/.package-lock.json) ## make .venv with everything in it, `reviva` too
build: .venv/.engine $(if $(CLIENT),.venv/.client) ## compile the engine, install reviva and its client into .venv

.venv/.requirements: requirements.lock
	.ci/apt.sh
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

.venv/.engine: .venv/.requirements pyproject.toml $(ENGINE_SOURCES)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/.client: .venv/.requirements $(CLIENT)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable clients/python
	touch $@

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	cd tests/node && npm ci --silent
	touch $@

# --- check -----------------------------------------------------------------------------------------------------------

.PHONY: test lint lint-rust lint-python test-rust test-python instructions
test: lint test-rust test-python wheel instructions ## everything that CI runs: linters, types, generated code, all tests, the wheels, instruction counts

lint: lint-rust lint-python ## formatting, linters, types, stubs, the import law, generated code
lint-rust:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
lint-python: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	MYPYPATH=pyservice $(BIN)/stubtest reviva._engine --allowlist .ci/stubtest.allow
	$(BIN)/lint-imports --no-cache
	$(BIN)/python .ci/proto.py --check
test-rust:
	cargo test --locked --workspace
test-python: setup
	$(BIN)/pytest $(PYTEST)

instructions: .venv/.requirements ## count the instructions of the engine's stages and compare them with the committed counts
	$(BIN)/python .ci/instructions.py

.PHONY: format proto lock
format: setup ## rewrite the code in the house's format
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
proto: .venv/.requirements ## generate the Python of proto/ again
	$(BIN)/python .ci/proto.py
lock: ## resolve pyproject.toml again into requirements.lock, keeping what still fits
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' --group dev pyproject.toml $(CLIENT) --output-file requirements.lock

# --- run -------------------------------------------------------------------------------------------------------------

.PHONY: demo bench bench-engine bench-peer faults fuzz loom
demo: setup ## a whole reviva under simulated traffic (LOG=/path/access.log imports that; CHECK=1 verifies and ends)
	$(BIN)/reviva demo $(if $(LOG),--log $(LOG)) $(if $(CHECK),--check)
bench: setup ## measure the whole way and every stage (ARGS=--quick, --json)
	$(BIN)/python -m bench $(ARGS)
bench-engine: setup ## measure the calls of the Rust engine from Python
	$(BIN)/pytest bench --override-ini addopts= --benchmark-only --benchmark-columns=min,median,ops
bench-peer: setup ## measure the OpenTelemetry Collector beside reviva, into the same store (needs Go; ARGS=--events, --rounds)
	$(BIN)/python -m bench.peer $(ARGS)
faults: setup ## kill -9 of every role under load, FAULTS=500 times
	REVIVA_FAULTS=$(FAULTS) $(BIN)/pytest tests/faults --timeout 0
fuzz: ## run each fuzz target under AddressSanitizer for SECONDS=60
	.ci/fuzz.sh $(SECONDS)
loom: ## run the journal's signals through every order of their threads' steps
	cargo test --locked --manifest-path engine_rs/loom/Cargo.toml

# --- ship ------------------------------------------------------------------------------------------------------------

.PHONY: wheel clean
wheel: setup ## build dist/*.whl, of reviva and its client, and try them in a fresh environment, away from the checkout
	.ci/wheel.sh
clean: ## remove all that was built
	rm -rf .venv target dist build tests/node/node_modules pyservice/reviva/_engine*.so
	find . -name __pycache__ -prune -exec rm -rf {} +
