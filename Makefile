# make train [ARGS='architecture=conv ...']   a fresh clone to a trained model
# make test                                   a fresh clone to a passed suite
# make coverage                               the same, with the lines counted that were run; it takes half as long again
# make check                                  linters, types, import contracts
# make clean                                  what the others made, but for outputs/

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
ARGS ?=

.PHONY: train test coverage check clean

train: $(VENV)/.installed
	$(BIN)/python scripts/train.py $(ARGS)

# As many tests at once as there are cores, each with one thread: two threads beside another busy process crawl.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist worksteal

test: $(VENV)/.installed-for-tests
	$(PYTEST) $(ARGS)

coverage: $(VENV)/.installed-for-tests
	$(PYTEST) --cov --cov-report=term $(ARGS)

check: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(INSTALL) --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
