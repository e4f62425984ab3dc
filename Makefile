# focusgate: `make run` starts the gate on simulated hardware, `make test` checks everything. Both set up what they need.
PYTHON ?= python3
VENV   ?= .venv
PIP     = $(VENV)/bin/python -m pip --disable-pip-version-check

# What decides whether a picture may be taken, and whether it may be called saved: covered by line and branch.
SAFETY_CORE = device/gate.py,device/debounce.py,device/lease.py,device/lamp.py,device/guard_state.py,device/capture.py,device/store/files.py,device/store/writer.py,device/supervision/*.py

.DEFAULT_GOAL := help
DATA ?=

.PHONY: study study-quick figures search help run test faults faults-short mutate sbom audit bench train sign model-check board-test arm-test board-ci arm-count board-results pictures clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.focusgate: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.focusgate-test: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.focusgate

$(VENV)/.focusgate-audit: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --editable '.[audit]'
	@touch $@

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
	$(VENV)/bin/coverage report --include='$(SAFETY_CORE)' --fail-under=100

faults: $(VENV)/.focusgate-test ## every fault suite at full size (hours on two cores), one table, and docs/risk/faults.md
	$(VENV)/bin/python tests/faults/run.py --page docs/risk/faults.md

faults-short: $(VENV)/.focusgate-test ## the same suites at the size of the tests, in some minutes
	$(VENV)/bin/python tests/faults/run.py --short

mutate: $(VENV)/.focusgate-test ## every mutant of the safety core against its nearest tests; writes docs/risk/mutation.md (an hour)
	OMP_NUM_THREADS=1 $(VENV)/bin/python tests/mutation/run.py --page docs/risk/mutation.md

sbom: $(VENV)/.focusgate-audit ## list what runs on a board, from the hash-locked requirements: docs/security/sbom.json (CycloneDX)
	$(VENV)/bin/python docs/security/sbom.py docs/security/sbom.json

audit: $(VENV)/.focusgate-audit ## look for known vulnerabilities of what is locked (needs a network; without one it ends with 75)
	$(VENV)/bin/python docs/security/audit.py

bench: $(VENV)/.focusgate-test ## time the classifier against a memcpy, a Laplacian and the report's CNN, in one run
	$(VENV)/bin/focusgate bench --report-cnn

train: $(VENV)/.focusgate-train ## train the shipped model from nothing and export it
	$(VENV)/bin/focusgate train

sign: $(VENV)/.focusgate ## sign the shipped model after training: make sign KEY=private.pem
	@test -n "$(KEY)" || { echo 'name the private key, as in: make sign KEY=private.pem' >&2; exit 2; }
	$(VENV)/bin/focusgate model sign models/weights/focus-s.json --key $(KEY)

model-check: $(VENV)/.focusgate-train ## prove that the shipped model is what training produced
	$(VENV)/bin/python -m models.training.check

figures: $(VENV)/.focusgate-train ## make every figure of the README and the model card: make figures DATA=folder of test data
	mkdir -p build/figures
	test -d build/baselines || $(VENV)/bin/python -m models.training.baselines --out build/baselines
	test -z "$(DATA)" || $(VENV)/bin/focusgate eval $(DATA) --baselines build/baselines --json > build/figures/eval.json
	test -z "$(DATA)" || $(VENV)/bin/focusgate eval $(DATA)/bbbc006 --json > build/figures/bbbc006.json
	$(VENV)/bin/focusgate scenes --frames 1 --json > build/figures/scenes.json
	$(VENV)/bin/focusgate scenes --frames 1 --any-aperture --json > build/figures/scenes-any.json
	test -f build/figures/generators.json || $(VENV)/bin/python -m models.training.generators --samples 800
	test -f build/figures/parts.json || $(VENV)/bin/python -m models.training.parts
	$(VENV)/bin/focusgate bench --report-cnn --json > build/figures/bench.json
	test ! -f build/search.db || $(VENV)/bin/python -m models.training.search --trials 0 --out build/figures/search.md
	$(VENV)/bin/python -m models.training.card --pictures docs/images README.md models/weights/MODEL_CARD.md

search: $(VENV)/.focusgate-train ## search the size of the network and its training (hours; goes on where it was broken off)
	$(VENV)/bin/python -m models.training.search

STUDY = $(VENV)/bin/focusgate study $(if $(DATA),--real $(DATA)/bbbc006)

study-quick: $(VENV)/.focusgate-train ## the report's experiments on a simulated plate, small; and on real pictures: DATA=folder of test data
	$(STUDY) --quick features
	$(STUDY) --quick & $(STUDY) --quick && wait $$!
	$(STUDY) --quick --no-run --page docs/images/study --fill docs/study.md

study: $(VENV)/.focusgate-train ## the same in full, for a GPU; goes on where it was broken off
	$(STUDY) --page build/study/page

board-test: ## boot the virtual board and let it check the installed device (as root; qemu, some 15 minutes)
	tests/board/board_test.sh

arm-test: $(VENV)/.focusgate-test ## run model and tests with the board's aarch64 wheels as a Cortex-A72 and A76 (as root; qemu, some 15 minutes)
	PYTHON=$(abspath $(VENV)/bin/python) tests/board/arm_test.sh

board-ci: $(VENV)/.focusgate-test ## the short forms of board-test and arm-test, where their tools are (as root; some ten minutes)
	PYTHON=$(abspath $(VENV)/bin/python) tests/board/ci.sh

board-results: ## write what the last board-test and arm-test found into docs/board.md
	out="$${BOARD_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/focusgate-board}/out" && python3 tests/board/results.py --page docs/board.md "$$out/results.jsonl" "$$out/arm.jsonl"

arm-count: ## count the instructions of one frame on a Cortex-A72 and an A76, under emulation (as root)
	tests/board/count_instructions.sh models/weights/focus-s.onnx

pictures: $(VENV)/.focusgate ## make the pictures of the README anew
	rm -rf build/pictures
	$(VENV)/bin/focusgate run --camera simulated --seconds 6 --script docs/images/capture.txt --plain --store build/pictures/first --picture docs/images/gate.svg
	$(VENV)/bin/focusgate run --camera simulated --instant --seconds 3 --script docs/images/partly.txt --store build/pictures/second
	$(VENV)/bin/focusgate captures export build/pictures/captures --store build/pictures/second
	-$(VENV)/bin/focusgate check build/pictures/captures --overlay build/pictures/overlay
	$(VENV)/bin/python docs/images/reduce.py build/pictures/overlay docs/images/overlay.jpg

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage

include systemd/install.mk
