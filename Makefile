# `make demo` and `make test` need Python 3.11 or later and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow bounds lint format coverage docs clean

demo: $(VENV)/installed
	$(BIN)/inrcodec demo

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

bounds: $(VENV)/installed
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest tests/test_fuzz.py -k changed_files

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python formats/check_digest.py
	$(BIN)/python formats/seals.py
	$(BIN)/python docs/draw_architecture.py --check
	$(BIN)/python docs/make_manual.py --check

coverage: $(VENV)/installed
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html

docs: $(VENV)/installed
	rm -rf build/docs build/doctrees
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky -c docs -d build/doctrees . build/docs
	@echo build/docs/index.html

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "inrcodec needs Python 3.11 or later; name one with: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo build dist *.egg-info .coverage coverage.xml htmlcov
