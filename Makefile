# make run    set up and run the first scenario
# make test   set up with the test extras and run the tests
# make lint   style and types
# make deep   what is too slow for every commit: long tests, branch coverage over 90 %, speed (PART=NAME: some of it)
# make evidence  what takes hours: all that sim/evidence/kept holds, where the model is another now (PART=NAME: one of it)
# make web    write the model for web pages again, sim/engine/web/model.wasm
# make locks  pin what is installed in locks/ again (UPGRADE=1: newest versions), with a hash of every file
# make test-mesa-page  install the extra of the Mesa page in an environment of its own and test the page in a browser
# make clean  remove the environment and everything that can be remade (results too)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check --no-input -q
# What is installed is what a lock names, to the hash; the package itself comes last and brings nothing more.
LOCKED := $(PIP) install --require-hashes --no-build-isolation -r locks
ITSELF := $(PIP) install --no-deps --no-build-isolation -e .
MESA := $(VENV)/mesa-page

.DEFAULT_GOAL := help
.PHONY: help run test lint deep evidence web locks test-mesa-page clean

help:
	@sed -n 's/^# //p' Makefile | head -9

run: $(VENV)/.installed
	$(BIN)/attune run scenarios/style_pairings.yaml

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

deep: $(VENV)/.installed-test
	$(BIN)/python -m tools.parts deep $(PART)

# Parts that are done are skipped, and one that was killed goes on where it stood: ask again after whatever happened.
evidence: $(VENV)/.installed-test
	$(BIN)/python -m tools.parts evidence $(PART)

web: $(VENV)/.installed-test
	$(BIN)/python -m tools.web

test-mesa-page: $(MESA)/.installed
	$(MESA)/bin/python -m pytest -p no:cacheprovider tests/test_mesa_browser.py

# uv looks at every Python from 3.11 on and every platform at once. What is pinned stays, but for what UPGRADE=1 moves.
COMPILE = echo setuptools | $(VENV)/uv/bin/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-strip-extras \
  $(if $(UPGRADE),--upgrade) pyproject.toml -

locks:
	@$(PYTHON) -m venv --clear $(VENV)/uv
	@$(VENV)/uv/bin/python $(PIP) install uv
	@$(COMPILE) --python-version 3.11 -o locks/run.txt
	@$(COMPILE) --python-version 3.11 -c locks/run.txt --extra test -o locks/test.txt
	@$(COMPILE) --python-version 3.11.5 -c locks/test.txt --extra test --extra mesa-page -o locks/mesa-page.txt

clean:
	rm -rf $(VENV) results build dist *.egg-info .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find sim tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that is there and works is kept; a half-made one is made again.
$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "No '$(PYTHON)' here. Attune needs Python 3.11 or newer (make PYTHON=/path/to/python3 names another)." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$("$(PYTHON)" -V 2>&1); Attune needs Python 3.11 or newer." >&2; \
	  echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) comes without its 'venv' module, so no environment can be made." >&2; \
	  echo "On Debian and Ubuntu: apt install python3-venv    Then run make again." >&2; exit 1; }
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Making $(VENV)"; "$(PYTHON)" -m venv --clear $(VENV); fi
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml locks/run.txt
	@echo "Installing (once; minutes on a slow line)"
	@$(BIN)/python $(LOCKED)/run.txt
	@$(BIN)/python $(ITSELF)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed locks/test.txt
	@echo "Installing the test extras (once)"
	@$(BIN)/python $(LOCKED)/test.txt
	@touch $@

# On top of the usual environment, which stays free of the extra: only what is new is installed here.
$(MESA)/.installed: $(VENV)/.installed-test locks/mesa-page.txt
	@echo "Installing the extra of the Mesa page (once)"
	@$(BIN)/python -m venv --clear --without-pip $(MESA)
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	  > $$($(MESA)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/usual.pth
	@$(MESA)/bin/python $(LOCKED)/mesa-page.txt
	@touch $@
