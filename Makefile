# Two commands matter: `make demo` and `make test`. They need Python 3.11, make and, the first time, a network.
.POSIX:
.SUFFIXES:
.PHONY: help setup demo test test-slow test-browser lint lock bench bench-ui chaos screens messages train live-check clean-demo install-base install-dev

PYTHON = python3
BIN = .venv/bin
TESTS = tests
BROWSER = tests/browser
BENCH =
CHAOS = --full
CHECK =
# A Python that may not keep what it compiled takes twice as long to start, every time.
RUN = unset PYTHONDONTWRITEBYTECODE; exec env
LOCK = $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-20s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  make demo PORT=9000 VERBOSE=1      another port; show what the processes write'
	@echo '  make test TESTS=tests/orgs         some of the tests'
	@echo '  make chaos CHAOS="--seeds 1"       a small run instead of two hours; --bugs puts known mistakes back'

demo: install-base ## Set up and start everything; prints the address and how to sign in (Ctrl-C stops it)
	@$(RUN) ENVIRONMENT=development $(BIN)/python -m sdr.local.supervisor demo

test: install-dev ## Run the tests
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m pytest -n auto --dist worksteal $(TESTS)

test-slow: install-dev ## Run the tests that take minutes
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m pytest -n0 tests/slow

test-browser: install-dev ## Drive the pages in a browser, with accessibility checks (needs Debian's chromium)
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m pytest -n0 $(BROWSER)

setup: install-base ## Install only: .venv with the locked packages

lint: install-dev ## Check style, types, templates and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/lint-imports
	$(RUN) ENVIRONMENT=test $(BIN)/mypy

bench: install-dev ## Measure; the figures belong in docs/performance.md
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m tests.bench $(BENCH)

bench-ui: install-dev ## Measure the inbox with 100,000 conversations, and 1,000 live streams
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m tests.bench.ui

chaos: install-dev ## Kill and freeze everything while leads write, and compare with what their phones show
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m tests.chaos $(CHAOS)

screens: install-dev ## Take the pictures of docs/screens anew
	@$(RUN) ENVIRONMENT=test $(BIN)/python -m tests.browser.screens

messages: install-dev ## Collect the texts to translate and compile the translations
	@$(RUN) ENVIRONMENT=test $(BIN)/python manage.py messages

train: install-dev ## Fit the offline brain's weights anew from tests/evals and the training phrases
	@$(RUN) OMP_NUM_THREADS=1 $(BIN)/python -m conversations.playbook.training

live-check: install-base ## Let 20 simulated leads talk with the real Gemini (needs GEMINI_API_KEY; costs a few cents)
	@$(RUN) ENVIRONMENT=development $(BIN)/python manage.py live_check $(CHECK)

lock: install-dev ## Write requirements/ anew from pyproject.toml
	$(LOCK) pyproject.toml -o requirements/base.txt
	$(LOCK) pyproject.toml --extra dev -c requirements/base.txt -o requirements/dev.txt
	echo uv | $(LOCK) - -o requirements/uv.txt

clean-demo: ## Remove the demo's database, files and logs
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m sdr.local.supervisor clean; \
	else exec $(PYTHON) -m sdr.local.supervisor clean; fi

install-base:
	@$(PYTHON) sdr/local/install.py base

install-dev:
	@$(PYTHON) sdr/local/install.py dev
