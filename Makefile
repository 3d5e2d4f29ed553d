# The doors of this house: `make help` lists them.

# The first Python that is new enough and can make environments; or say which: make install PYTHON=/path/to/python3
PYTHON ?= $(shell for one in python3.13 python3.12 python3.11 python3; do \
	if "$$one" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo "$$one"; break; fi; done)

BIN := .venv/bin
STAMP := .venv/.installed
PO := $(wildcard hub/locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)
BENCHES := $(filter-out bench/__init__.py,$(wildcard bench/*.py))
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help install check lint types floors house test test-all prove demo run migrate bench mutants docs screenshots wheel catalogues lock

help: ## List the doors
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) $(MO) ## Make .venv with Relais and all that its tests need

$(STAMP): requirements-dev.lock requirements.lock pyproject.toml hatch_build.py
	@if [ -z "$(PYTHON)" ]; then echo "Relais needs Python 3.11 or newer with its venv module (on Debian: python3-venv). \
	Say where it is: make install PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(BIN)/python -c 'import pip' 2>/dev/null || { echo "Making .venv ..."; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing what Relais needs into .venv ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

%.mo: %.po $(STAMP)
	@$(BIN)/python -c 'from pathlib import Path; from hatch_build import compile_catalogues as go; go(Path.cwd())'
	@touch $(MO)

check: lint types floors house ## Style, types, floors, catalogue, and no address or path that does not belong here

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

floors: install
	@$(BIN)/lint-imports

house: install
	@$(BIN)/pytest -m "not slow" tests/house

# Every test has a database of its own: in memory, where the machine has room for that, none waits for a disk.
MEMORY := $(shell if [ -w /dev/shm ] && [ "$$(df -Pk /dev/shm | awk 'NR == 2 { print $$4 }')" -gt 3000000 ]; \
	then echo /dev/shm; fi)

test: install ## Run every test (more: make test ARGS="-k portal")
	@PYTEST_DEBUG_TEMPROOT=$(MEMORY) $(BIN)/pytest -n 2 --dist worksteal $(ARGS)

test-all: wheel ## The same with branch coverage measured, and the wheel in an environment of its own
	@PYTEST_DEBUG_TEMPROOT=$(MEMORY) $(BIN)/pytest -n 2 --dist worksteal --cov --cov-report= $(ARGS)
	@echo "Branch coverage: $$($(BIN)/coverage report --format=total) %"

prove: install ## Prove at full length, in hours, that no delivery is sent twice or lost (CI has a short size of each)
	@RELAIS_PROVE=1 PYTEST_DEBUG_TEMPROOT=$(MEMORY) $(BIN)/pytest -n 2 --dist worksteal -m proof $(ARGS)

demo: install ## A country to play with: our own Facebook and X, three weeks of posts (options: ARGS="--port 8001")
	@$(BIN)/relais demo $(ARGS)

run: install ## Make or update the database here, then serve
	@$(BIN)/relais init
	@$(BIN)/relais serve $(ARGS)

migrate: install ## Bring the database here up to this version (the same as: relais init)
	@$(BIN)/relais init

bench: install ## Measure (ratios, see bench/README.md)
	@for file in $(BENCHES); do $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done
	@if [ -z "$(BENCHES)" ]; then echo "There is no bench yet; bench/README.md says how to write one."; fi

# Of hub/services/delivering.py, what an answer means and what becomes of it; of the other rooms, all (docs/mutants.md).
OUTCOMES := outcome_of record _close _linked_elsewhere _late_answer _alarm _alarm_if_said_before apply note_account \
	note_failed_reading show_to_people readable
MUTANTS := 'hub.domain.delivery.*' 'hub.services.attempting.*' 'hub.services.reconciling.*' 'channels.*' \
	$(OUTCOMES:%='hub.services.delivering.x_%__mutmut_*')

mutants: install ## Change what must never be wrong, bit by bit, and count what no test notices (an hour; docs/mutants.md)
	@mkdir -p build
	@folder=$$(mktemp -d); export TEMPLATE_FOLDER=$$folder PYTEST_DEBUG_TEMPROOT=$(MEMORY); \
		$(BIN)/mutmut run --max-children 2 $(if $(ARGS),$(ARGS),$(MUTANTS)) >build/mutants.log; told=$$?; rm -r $$folder; exit $$told
	@$(BIN)/mutmut results --all true | grep -v 'not checked' | awk -F ': ' \
		'{ sub(/^ */, "", $$1); if ($$2 != "killed") print $$1 ": " $$2; sub(/\.[^.]*$$/, "", $$1); all[$$1]++; \
		if ($$2 == "killed" || $$2 == "timeout") well[$$1]++ } \
		END { for (one in all) printf "%-28s %4d of %4d noticed\n", one, well[one], all[one] }'

docs: install ## Draw again what the docs show of the code: the road, the states, the commands
	@$(BIN)/python -m tests.house.drawn

screenshots: install ## Take every page of the demo into build/screenshots (for README and tour too: ARGS=--chosen)
	@$(BIN)/python -m docs.pictures.screenshots $(ARGS)

wheel: install ## Build the wheel, install it into an empty environment, and run it from elsewhere
	@rm -rf build/wheel dist/*.whl
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	@$(PYTHON) -m venv build/wheel
	@build/wheel/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements.lock
	@build/wheel/bin/python -m pip --disable-pip-version-check -qq install --no-deps dist/*.whl
	@here=$$PWD; cd / && "$$here/build/wheel/bin/relais" --help >/dev/null
	@ls dist/*.whl

catalogues: install ## Gather the messages to translate, keep what is translated, compile
	@mkdir -p build
	@$(BIN)/pybabel -q extract -F babel.cfg --no-default-keywords -k _ -k N_ -k ngettext:1,2 --no-location --sort-output \
		--project relais --version hub --msgid-bugs-address "see CONTRIBUTING.md" \
		--copyright-holder "The Relais maintainers" -o build/relais.pot .
	@$(BIN)/pybabel -q update -i build/relais.pot -d hub/locale -D relais -l fr --init-missing --no-fuzzy-matching \
		--ignore-obsolete --ignore-pot-creation-date --width 120
	@$(BIN)/python -c 'from pathlib import Path; from hatch_build import compile_catalogues as go; go(Path.cwd())'

lock: install ## Pin every dependency again, with hashes
	@$(BIN)/$(COMPILE) pyproject.toml -o requirements.lock
	@$(BIN)/$(COMPILE) --extra dev pyproject.toml -o requirements-dev.lock
