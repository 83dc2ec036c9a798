# make train [ARGS='architecture=conv ...']   a fresh clone to a trained model
# make test                                   a fresh clone to a passed suite
# make test-all                               also every combination of architecture, bottleneck, loss and noise
# make coverage                               the suite with line coverage; takes half as long again
# make check                                  linters, types, import contracts
# make clean                                  remove everything the others made, except outputs/
#
# Without an NVIDIA GPU, TORCH_INDEX=URL avoids 5 GB of CUDA packages: make train TORCH_INDEX=URL takes torch and
# torchvision from the package index at URL. The installation page of pytorch.org names the one for CPUs (after
# --index-url). It counts only for the first command, which installs; make clean first to change it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Compiling all of torch would take a minute or two. Python compiles the modules that it imports.
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-compile --constraint constraints.txt
ARGS ?=
TORCH_INDEX ?=

.PHONY: help train test test-all coverage check clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

train: $(VENV)/.installed
	$(BIN)/python scripts/train.py $(ARGS)

# One test process per core, with one thread each: two threads next to another busy process are many times slower.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist worksteal

test: $(VENV)/.installed-for-tests
	$(PYTEST) $(ARGS)

test-all: $(VENV)/.installed-for-tests
	$(PYTEST) -m "" $(ARGS)

coverage: $(VENV)/.installed-for-tests
	$(PYTEST) --cov --cov-report=term $(ARGS)

check: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX),)
	$(INSTALL) --no-deps --index-url $(TORCH_INDEX) torch torchvision
endif
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(INSTALL) --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
