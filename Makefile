# Two commands do everything on a fresh machine with Python 3.11 or newer: `make run` and `make test`.
# Nothing here reads a file outside this folder.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
CODE := src tests tools
JOBS ?= 2
# make starts programs with the caller's environment: what another project left there must not leak in.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONHASHSEED

.PHONY: help setup run test check format format-check lint types unit map soak mutants coverage mutation bench docs proto lock lock-upgrade \
  calendars tools clean

help:            ## list the commands
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1|/' | awk -F'|' '{printf "make %-14s %s\n", $$1, $$2}'

# --- set-up -----------------------------------------------------------------------------------------

setup: .venv/.setup-done  ## create .venv and install the locked packages and the program

# The first Python that runs, is new enough and can make an environment. A version manager may leave
# a `python3.12` on PATH that only prints an error, so each one is tried, not only looked up.
.venv/.setup-done: requirements/test.txt pyproject.toml
	@python=""; \
	for name in python3 python3.13 python3.12 python3.11; do \
	  if $$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "set-up: no Python 3.11 or newer with venv is on PATH; install python3.11 (on Debian also python3.11-venv) and run make again" >&2; \
	  exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  echo "set-up: creating .venv with $$($$python --version)"; \
	  $$python -m venv --clear .venv; \
	fi
	@echo "set-up: installing the locked packages (about a minute the first time)"
	@$(PIP) --require-hashes --only-binary :all: -r requirements/test.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
	@echo "set-up: done; the program is $(BIN)/jumun"

tools: .venv/.tools-done  ## also install what builds calendars, locks and generic mutants
.venv/.tools-done: .venv/.setup-done requirements/tools.txt
	@$(PIP) --require-hashes --only-binary :all: -r requirements/tools.txt
	@touch $@

# --- the two commands -------------------------------------------------------------------------------

run: setup       ## replay generated prices and signals through the whole system and print the books
	@$(BIN)/jumun demo

test: setup format-check lint types map  ## everything that needs no outside server; the tests come last
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests --ignore=tests/services

# --- while working ----------------------------------------------------------------------------------

check: setup format-check lint types  ## the fast part of `make test`: format, lint, types, unit, contract
	@$(BIN)/python -m pytest -q -n $(JOBS) $(wildcard tests/unit tests/contract)

unit: setup      ## unit tests only
	@$(BIN)/python -m pytest -q tests/unit

format: setup    ## rewrite the code in the house format
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

format-check: setup
	@$(BIN)/ruff format --check --quiet $(CODE) || { echo "format: run \`make format\` and commit what it changed" >&2; exit 1; }

lint: setup
	@$(BIN)/ruff check $(CODE)

types: setup
	@$(BIN)/mypy

map: setup
	@$(BIN)/python tools/requirements_map.py --check
	@$(BIN)/python tools/reference_pages.py --check

# --- longer runs and figures --------------------------------------------------------------------------

soak: setup      ## the long runs: many seeds and many kills
	@$(BIN)/python tools/soak.py $(ARGS)

mutants: setup   ## known bugs, put in one by one; each must be caught
	@$(BIN)/python tools/mutants.py $(ARGS)

coverage: setup  ## branch coverage of the rules and the model by their unit tests; fails below 100 %
	@mkdir -p build
	@$(BIN)/python -m coverage run --data-file=build/.coverage -m pytest -q -p no:cacheprovider tests/unit/rules tests/unit/model
	@$(BIN)/python -m coverage report --data-file=build/.coverage --include='*/jumun/rules/*,*/jumun/model/*' --fail-under=100

mutation: setup  ## small bugs in the rules, one by one; some unit test must go red for each (ten minutes and more)
	@$(BIN)/python -m tools.mutation $(ARGS)

bench: setup     ## measure and append dated tables under bench/: the path, a long run, the door, a neighbour
	@$(BIN)/python -m tools.bench $(ARGS)

# --- what is generated ------------------------------------------------------------------------------

docs: setup      ## regenerate the generated pages under docs/reference
	@$(BIN)/python tools/reference_pages.py
	@$(BIN)/python tools/requirements_map.py

# protoc writes an absolute import of its own file; inside a package it must be relative.
proto: setup     ## regenerate the gRPC code from proto/
	@mkdir -p src/jumun/doors/grpc/gen
	@$(BIN)/python -m grpc_tools.protoc -I proto --python_out=src/jumun/doors/grpc/gen \
	  --pyi_out=src/jumun/doors/grpc/gen --grpc_python_out=src/jumun/doors/grpc/gen $(wildcard proto/*.proto)
	@sed -i.bak -E 's/^import ([a-z_]+_pb2) as/from . import \1 as/' src/jumun/doors/grpc/gen/*_pb2_grpc.py
	@rm -f src/jumun/doors/grpc/gen/*.bak

calendars: tools ## regenerate the session calendars
	@$(BIN)/python tools/make_calendars.py

lock: tools      ## rewrite requirements/*.txt, keeping the versions that still fit
	@$(BIN)/python tools/lock.py

lock-upgrade: tools  ## rewrite requirements/*.txt with the newest versions that fit
	@$(BIN)/python tools/lock.py --upgrade

clean:           ## remove the environment and every cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
