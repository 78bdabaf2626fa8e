# The same commands for a person, a hook and CI. Needs Python 3.11 and make; everything else lands in .venv.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: demo test lint types imports bench review clean help

VENV := .venv
BIN := $(VENV)/bin
# `make test PYTEST_ARGS="tests/unit -x"` narrows a run; CONFIG and RUN choose another main job and its folder.
PYTEST_ARGS ?=
# Test files are shared among so many processes, each of one thread.
N_WORKERS ?= 2
CONFIG ?= pipelines/configs/demo.yaml
RUN ?= runs/demo

# The first interpreter of this list that runs and is of a supported version; `make PYTHON=/path/to/python3.11` decides.
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
FIND_PYTHON = for candidate in python3.11 python3 python3.12; do \
	"$$candidate" -c "$(IS_SUPPORTED)" 2>/dev/null && command -v "$$candidate" && break; done
PYTHON ?= $(shell $(FIND_PYTHON))

PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

demo: $(VENV)/.installed ## train, calibrate, evaluate, report and explain on the synthetic corpus (3 minutes on 2 cores)
	$(BIN)/screening run --config $(CONFIG)
	$(BIN)/screening explain $(RUN) --limit 8

test: $(VENV)/.installed-dev ## the whole test suite (under ten minutes on two cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(N_WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## mypy
	$(BIN)/mypy

imports: $(VENV)/.installed-dev ## import contracts between and inside the packages
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev ## every benchmark against its peer; not objectives.py, which trains for days
	@set -e; for script in $(filter-out benchmarks/objectives%,$(wildcard benchmarks/*.py)); do \
	  [ -e "$$script" ] || { echo "no benchmark found under benchmarks/"; exit 2; }; \
	  echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script"; done

review: $(VENV)/.installed ## open the reviewer app on the scored posts of RUN (default runs/demo)
	$(BIN)/screening review demo --run $(RUN)

clean: ## remove caches and build outputs; keeps .venv, runs/ and mlflow.db
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c "$(IS_SUPPORTED)"; then \
	  echo "Expected Python 3.11 (3.12 works too); found: $$("$(PYTHON)" -V 2>&1 || echo none)." >&2; \
	  echo "Install Python 3.11, or name it: make demo PYTHON=/path/to/python3.11" >&2; exit 2; fi
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python has no working venv module; on Debian and Ubuntu: apt install python3.11-venv" >&2; exit 2; }

# Stamps: installed again only when the pins or the project's own requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing pinned dependencies into $(VENV) (a few minutes the first time)"
	$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing pinned dependencies and development tools into $(VENV) (a few minutes the first time)"
	$(PIP_INSTALL) -e ".[dev]"
	@touch $@ $(VENV)/.installed
