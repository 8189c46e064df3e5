# The line from sources to book. `make` alone lists the commands.
# Settings: TIER=smoke|cpu|paper, DATA=folder of the CIFAR files, JOBS=2 (chapters or tests at a time),
# PYTHON=python3.12, FORCE=1 (sync: every chapter), UPGRADE=1 (lock: the newest versions); of gpu: BUDGET=20m, AT_ONCE=4
# (runs on one GPU), RUNS (names or patterns), PASS=2 (seconds, of a benchmark), DEVICE=cpu (a rehearsal).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

# Threads that wait should sleep: when they spin, two networks on two cores take five times as long.
export OMP_WAIT_POLICY ?= PASSIVE

TIER ?= smoke
DATA ?=
JOBS ?= 2
PYTHON ?= python3 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Two chapters, or two tests, with a thread each are done sooner than one after the other with two.
ONE_THREAD := OMP_NUM_THREADS=1

SOURCES := $(sort $(wildcard notebooks/[0-9]*.py notebooks/a[0-9]*.py))# chapters, appendices
COMMITTED := $(SOURCES:.py=.ipynb)
EXECUTED := $(SOURCES:notebooks/%.py=build/$(TIER)/%.ipynb)
CHAPTERS := $(EXECUTED)# what the book is rendered of
# What every chapter depends on besides its own source: the package, what it puts into pages, and the recorded runs.
INPUTS := $(sort $(wildcard resnet_book/*.py resnet_book/*/*.py resnet_book/report/*.css resnet_book/report/*.js) \
    $(wildcard resnet_book/report/live/*.* resnet_book/report/live/*/*.* results/*/*.json results/*/*.safetensors))
PAGES := $(sort $(wildcard book/*.md book/*.yml book/_templates/* book/*.bib book/_static/*)) $(wildcard book/*.py) pyproject.toml
BOOK := book/_build/html/index.html

# A relative folder means the same from notebooks/ as from here. Recipes read both names from the environment, so that
# a folder may have spaces and quotes in its name.
absolute = $(if $(filter /%,$(firstword $(1))),$(1),$(CURDIR)/$(1))
ifneq ($(DATA),)
override DATA := $(call absolute,$(DATA))
export DATA
endif
ifneq ($(RESNET_BOOK_DATA),)
override RESNET_BOOK_DATA := $(call absolute,$(RESNET_BOOK_DATA))
export RESNET_BOOK_DATA
endif

ifeq ($(filter $(TIER),smoke cpu paper),)
$(error TIER=$(TIER) is unknown: choose smoke, cpu or paper)
endif

.PHONY: help env book pages pdf check test lint gpu data lab address sync lock clean distclean FORCE_CHECK
.DEFAULT_GOAL := help

help:  ## list these commands
	@echo "Usage: make COMMAND [TIER=smoke|cpu|paper] [DATA=folder]"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	    printf '  make %-10s %s\n' "$$name" "$$text"; done

env: $(INSTALLED)  ## make the environment in .venv

$(INSTALLED): requirements.lock pyproject.toml
	@found=; for each in $(PYTHON); do \
	    if "$$each" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then \
	        found="$$each"; break; fi; done; \
	if [ -z "$$found" ]; then \
	    echo "No Python from 3.11 to 3.13 was found (tried: $(PYTHON))." \
	        "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "$$found cannot make environments: install its venv package (Debian: apt-get install python3-venv)." >&2; \
	    exit 1; fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then \
	    "$$found" -m venv --clear $(VENV); fi; \
	echo "Installing into $(VENV) with $$($(BIN)/python --version): about 6 GB, some minutes the first time."
	@bar=off; if [ -t 1 ]; then bar=on; fi; \
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar $$bar \
	    --require-hashes -r requirements.lock \
	    | { grep -Ev '^(Requirement already satisfied|Ignoring )' || true; }
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

# A folder that is named has to be there, and that is said before the work.
NAMED = @if [ -n "$${DATA:-}" ] && [ ! -d "$$DATA" ]; then echo "DATA=$$DATA: there is no such folder." >&2; exit 1; fi

book: $(INSTALLED)  ## execute the chapters, render the book, print the page to open
	$(NAMED)
	@+$(MAKE) $(QUIETLY) $(BOOK)
	@$(SHOW)

pages: $(INSTALLED)  ## render the book of the notebooks as they are committed; executes nothing
	@+$(MAKE) $(QUIETLY) $(BOOK) TIER=smoke CHAPTERS='$(COMMITTED)'
	@$(SHOW)

pdf: $(INSTALLED)  ## the same, with one PDF of the whole book, where there is a Chromium
	@+$(MAKE) $(QUIETLY) $(BOOK) TIER=smoke CHAPTERS='$(COMMITTED)' PDF=--pdf
	@$(SHOW)

# Several chapters at a time, each message in one piece, unless `make -j` was told how many.
QUIETLY = --no-print-directory --output-sync=line $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

SHOW = page="file://$(CURDIR)/$(BOOK)"; \
	if [ -e build/.rendered ]; then rm build/.rendered; echo "The book is made. Open $$page"; \
	else echo "Nothing to do: the book is up to date. Open $$page"; fi

$(BOOK): $(CHAPTERS) $(PAGES) $(INPUTS) build/rendered-settings
	@$(if $(SOURCES),,echo "There are no chapters in notebooks/." >&2; exit 1;) \
	echo "book: rendering the pages, which takes a minute or two"
	@$(BIN)/python book/build.py render --tier $(TIER) $(PDF) $(CHAPTERS)
	@touch build/.rendered

$(EXECUTED): build/$(TIER)/%.ipynb: notebooks/%.py $(INPUTS) build/$(TIER)/settings $(INSTALLED)
	@echo "$*: executing at tier $(TIER)"
	@$(ONE_THREAD) $(BIN)/python book/build.py execute $< $@ --tier $(TIER) --data "$${DATA:-}"

# Remember what cannot be seen from the age of a file, and change only when it does.
define remember
	@mkdir -p $(@D); { $(1); } > $@.new; \
	if cmp --silent $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef

# Which data there is: a chapter falls back on the built-in images without it.
build/$(TIER)/settings: FORCE_CHECK
	$(call remember,echo '$(INPUTS)'; root="$${DATA:-$${RESNET_BOOK_DATA:-data}}"; echo "$$root"; \
	    ls "$$root"/cifar-10-batches-bin/test_batch.bin "$$root"/cifar-100-binary/test.bin 2> /dev/null || true)

build/rendered-settings: FORCE_CHECK
	$(call remember,echo '$(TIER) $(PDF) $(CHAPTERS) $(PAGES)')

FORCE_CHECK:

PYTEST = $(ONE_THREAD) "$(CURDIR)/$(BIN)/python" -m pytest -p no:cacheprovider --numprocesses $(JOBS)

check: lint  ## style, types and the fast tests, for daily work
	$(PYTEST) tests --dist worksteal -m "not slow"

# The notebooks are tested as somebody has them who installed the wheel alone.
test: lint  ## style, types, the notebooks as tests, all tests, the rendered book in a browser
	@$(BIN)/python book/build.py outside build/outside
	cd build/outside/notebooks && PYTHONPATH="$(CURDIR)/build/outside/installed" \
	    $(PYTEST) --nbval . --dist loadfile --quiet
	@+$(MAKE) $(QUIETLY) pdf
	$(PYTEST) tests --dist worksteal

lint: $(INSTALLED)  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo --no-cache

BUDGET ?= 20m
AT_ONCE ?= 4
RUNS ?= --missing
PASS ?= 2
DEVICE ?= cuda
BENCHMARK = $(BIN)/python benchmarks/$(1).py --device $(DEVICE) --seconds $(PASS) --repeats 3 $(if $(DATA),--data "$$DATA")

# Each run is recorded as soon as it is done; what the budget cuts short goes on next time. One network of this size leaves
# a GPU mostly idle, so several are trained at once, side by side where CUDA's Multi-Process Service is installed.
gpu: $(INSTALLED)  ## on a GPU: its tests, the benchmarks, then what has no record, the paper's networks first
	$(NAMED)
	$(BIN)/python -m pytest -p no:cacheprovider --quiet tests/test_cuda_graph.py tests/test_augment.py
	$(call BENCHMARK,training)
	@if command -v nvidia-cuda-mps-control > /dev/null; then \
	    export CUDA_MPS_PIPE_DIRECTORY="$$(mktemp -d)"; export CUDA_MPS_LOG_DIRECTORY="$$CUDA_MPS_PIPE_DIRECTORY"; \
	    nvidia-cuda-mps-control -d; trap 'echo quit | nvidia-cuda-mps-control' EXIT; \
	else echo "There is no nvidia-cuda-mps-control: the runs take turns on the GPU."; fi; \
	$(call BENCHMARK,whole_machine); \
	$(BIN)/python -m resnet_book run $(RUNS) --device $(DEVICE) --jobs $(AT_ONCE) --budget $(BUDGET) \
	    $(if $(DATA),--data "$$DATA")

data: $(INSTALLED)  ## fetch CIFAR-10 and CIFAR-100 into data/ or DATA, checked
	$(BIN)/python -m resnet_book data cifar10 cifar100 $(if $(DATA),--data "$$DATA")

lab: $(INSTALLED)  ## open the notebooks in JupyterLab
	$(NAMED)
	$(if $(DATA),RESNET_BOOK_DATA="$$DATA") $(BIN)/jupyter lab --notebook-dir=notebooks

address: $(INSTALLED)  ## set the address of the repository: REPOSITORY=https://github.com/owner/name (SITE=: of the book)
	@$(BIN)/python book/build.py address $(if $(REPOSITORY),"$(REPOSITORY)" $(if $(SITE),"$(SITE)"))

# One after the other: some chapters measure times.
sync: $(INSTALLED)  ## regenerate the .ipynb from the .py, executed (FORCE=1: all of them)
	@$(ONE_THREAD) $(BIN)/python book/build.py sync $(if $(FORCE),--force) $(SOURCES)

lock: $(INSTALLED)  ## compile requirements.lock from pyproject.toml, keeping what still fits; UPGRADE=1: the newest
	@mkdir -p build && cp requirements.lock build/requirements.lock
	@test -x build/uv/bin/uv || { $(BIN)/python -m venv build/uv && build/uv/bin/pip install --quiet uv; }
	@env -u PIP_FIND_LINKS -u UV_FIND_LINKS build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
	    --no-header --no-emit-index-url --no-emit-find-links --generate-hashes $(if $(UPGRADE),--upgrade) \
	    --output-file build/requirements.lock pyproject.toml
	@{ echo '# Exact versions of everything and the SHA-256 of their files, for Python 3.11 to 3.13 on every system:'; \
	    echo '# `make lock` compiles this file from pyproject.toml, `make env` installs it.'; \
	    cat build/requirements.lock; } > build/requirements.lock.new
	@mv build/requirements.lock.new requirements.lock; rm build/requirements.lock

clean:  ## remove what was built; keep .venv, data and runs
	rm -rf build book/_build book/chapters book/_generated .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean  ## remove .venv too
	rm -rf $(VENV) resnet_book.egg-info
