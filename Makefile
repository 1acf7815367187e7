# `make demo` and `make test` each work as the first command in a fresh clone.
#
#   make demo                 set up, run experiments/quickstart.yaml, write reports/quickstart/README.md
#   make test                 set up, check style and types, run the fast tests
#   make test-slow            run the tests marked slow, faults, cluster or browser, but not long
#   make cluster-test         run the tests on several hosts (needs root), and the tests marked long
#   make test-lowest          run the fast tests with the lowest versions that pyproject.toml names (6 GB more)
#   make audit                list known vulnerabilities of the versions in constraints.txt (needs a network)
#   make bench                measure speed next to peers; writes benchmarks/README.md (two hours, idle machine)
#   make faults               inject every fault many times; writes benchmarks/faults.md (two hours)
#   make demo PYTHON=python3  use an interpreter that has the packages; install nothing

VENV := .venv
# Two test files run at the same time if pytest-xdist is installed; tests/conftest.py groups and orders the tests.
PARALLEL = $(shell $(PY) -c 'import xdist' 2>/dev/null && printf -- '-n 2')
ifdef PYTHON
PY := $(PYTHON)
READY :=
export PYTHONPATH := $(CURDIR)
else
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-lowest cluster-test faults bench check audit format packages packages-slow clean

help:
	@sed -n 's/^#  //p' $(MAKEFILE_LIST)

setup: $(READY)

$(VENV)/.ready: pyproject.toml constraints.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (python3)."; exit 2; }
	@echo "Setting up $(VENV): about four minutes and 6 GB the first time."
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	$(PY) -m harness run quickstart

# ruff's rules S are those of bandit: they are the static check for security. bandit itself reported nothing more
# than these rules do (each exception has its reason in the code) and than what is ignored on purpose (assert).
check: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# It uses an environment of its own (.audit), so that pip-audit changes none of the versions that it checks.
audit:
	@python3 .ci/audit.py

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

packages:
	@.ci/system-packages dataset-fashion-mnist

packages-slow:
	@.ci/system-packages dataset-fashion-mnist chromium chromium-driver postgresql openssh-server rsync iproute2

test: setup packages check
	$(PY) -m pytest $(PARALLEL) -m "not slow and not faults and not cluster and not browser"

test-slow: setup packages-slow
	$(PY) -m pytest $(PARALLEL) -m "(slow or faults or cluster or browser) and not long"

# It uses an environment of its own (.lowest), which is made anew when pyproject.toml has changed.
LOWEST := .lowest
test-lowest: $(LOWEST)/.ready packages
	$(LOWEST)/bin/python -m pytest -n 2 -m "not slow and not faults and not cluster and not browser"

$(LOWEST)/.ready: pyproject.toml .ci/lowest.py
	@echo "Setting up $(LOWEST): about ten minutes and 6 GB."
	python3 -m venv --clear $(LOWEST)
	python3 .ci/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(LOWEST)/constraints.txt --editable '.[dev,gpu]'
	@touch $@

cluster-test: setup packages-slow
	$(PY) -m pytest -m "cluster or long"

# A second call continues the first; .faults/sweeps.jsonl lists the finished sweeps.
faults: setup
	DEPTHBENCH_FUZZ_CASES=5000 $(PY) -m pytest tests/specs/test_fuzz.py
	PYTHONPATH=tests $(PY) -m faults

# To run one part alone: python -m benchmarks loops
bench: setup
	$(PY) -m benchmarks

clean:
	rm -rf $(VENV) $(LOWEST) .audit .pytest_cache .mypy_cache .ruff_cache
