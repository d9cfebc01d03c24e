# Two commands do it all on a fresh machine: `make demo` and `make test`.
# Everything is installed into .venv; Debian packages are installed where we are root, named where not.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# opencv-python needs libGL and GLib, pyrealsense2 needs libusb, GigE Vision needs Aravis; the tests
# compile a video device of their own and open pages in a browser.
DEMO_PACKAGES := libgl1 libglib2.0-0
TEST_PACKAGES := $(DEMO_PACKAGES) libusb-1.0-0 gir1.2-aravis-0.8 python3-gi gcc libc6-dev chromium

DEMO_EXTRAS := all
TEST_EXTRAS := all,dev
# All but gige, which compiles against headers that few machines have; `make test-extras EXTRAS=gige`
# tries it where they are.
EXTRAS := record preprocess models annotate train fast plot demo

OUT ?= demo-study

# That run the tests, each some files at a time; 0 runs them in this one.
PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers check-docs pytest bench soak test-extras test-pythons constraints clean

help:  ## show what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## the whole journey on simulated subjects, no hardware; prints where the report is
	$(BIN)/mavfer demo --out $(OUT)

test: $(VENV)/.test lint types layers pytest  ## lint, types, layers, schemas, tests and docs, as CI runs them

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

layers: $(VENV)/.test
	$(BIN)/lint-imports

# The processes share the cores, so none starts threads of its own accord; and Python keeps what it
# compiles, even where it is told not to, as tests start many processes that import all of us.
pytest: export OMP_NUM_THREADS := 1
pytest: export OPENCV_FOR_THREADS_NUM := 1
pytest: export PYTHONDONTWRITEBYTECODE :=
pytest: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses $(PROCESSES)

bench: $(VENV)/.test  ## every benchmark in its quick form, one JSON line each
	@for script in benchmarks/*.py; do $(BIN)/python $$script --quick || exit 1; done

soak: $(VENV)/.test  ## the long tests: many kills, long takes
	$(BIN)/python -m pytest --soak

test-extras: $(VENV)/.test  ## a fresh environment for each extra, and one without any
	$(BIN)/python tests/extras.py base $(EXTRAS)

test-pythons: $(VENV)/.test  ## the core's tests on every Python 3.11 to 3.14 that is installed here
	$(BIN)/python tests/pythons.py

constraints: $(VENV)/.test  ## rewrite constraints.txt from what is installed
	$(BIN)/python tests/freeze.py > constraints.txt.part && mv constraints.txt.part constraints.txt

clean:  ## remove the environment and the demo's study
	rm -rf $(VENV) demo-study build *.egg-info

$(VENV)/bin/python:
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 is needed: install it, or run make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@sh tests/system_packages.sh $(DEMO_PACKAGES)
	$(PIP_INSTALL) -e '.[$(DEMO_EXTRAS)]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	@sh tests/system_packages.sh $(TEST_PACKAGES)
	$(PIP_INSTALL) torch==2.13.0
	$(PIP_INSTALL) -e '.[$(TEST_EXTRAS)]'
	@touch $@
