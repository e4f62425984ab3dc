# focusgate: `make run` starts the gate on simulated hardware, `make test` checks everything. Both set up what they need.
PYTHON ?= python3
VENV   ?= .venv
PIP     = $(VENV)/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test lint types bench train model-check eval clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.focusgate: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.focusgate-test: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.focusgate

$(VENV)/.focusgate-train: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[train]'
	@touch $@

run: $(VENV)/.focusgate ## start the gate on the simulated colposcope, with its live display
	$(VENV)/bin/focusgate run --camera simulated

test: $(VENV)/.focusgate-test ## lint, types, import contracts and tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pytest --cov=device --cov=models --cov=calibration --cov-report=term:skip-covered
	$(VENV)/bin/coverage report --include='device/gate.py,device/debounce.py,device/lease.py,device/lamp.py' --fail-under=100

bench: $(VENV)/.focusgate ## time the classifier against a memcpy and a Laplacian, in one run
	$(VENV)/bin/focusgate bench

train: $(VENV)/.focusgate-train ## train the shipped model from nothing and export it
	$(VENV)/bin/focusgate train

model-check: $(VENV)/.focusgate-train ## prove that the shipped model is what training produced
	$(VENV)/bin/python -m models.training.check

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
