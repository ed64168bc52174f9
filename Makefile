# Everything this repository does, by name. `make` alone lists it.
#
# Needs: Python >= 3.10 with pip, make, Node with npm (for the official JavaScript client in the tests).
# Everything else is installed below .venvs/, which git ignores; nothing is installed into the system.

PYTHON ?= python3
VENVS  := .venvs
UV     := $(VENVS)/uv/bin/uv
PY3    := $(VENVS)/airflow3/bin/python
PY2    := $(VENVS)/airflow2/bin/python
LOWEST := $(VENVS)/lowest/bin/python
SDK    := tests/conformance/sdk

# A file's tests stay in one process: they share servers.
PARALLEL := --numprocesses=2 --dist=loadfile

WITH_AIRFLOW := tests/airflow tests/docs tests/unit/airflow

AIRFLOW3 := 3.3.2
AIRFLOW2 := 2.11.2

# uv does not read pip's settings: hand on the two that decide whether a company network lets it through.
PIP_INDEX := $(or $(PIP_INDEX_URL),$(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null))
PIP_CA    := $(or $(PIP_CERT),$(shell $(PYTHON) -m pip config get global.cert 2>/dev/null))
UV_ENV    := $(if $(UV_DEFAULT_INDEX),,$(if $(PIP_INDEX),UV_DEFAULT_INDEX=$(PIP_INDEX)))
UV_ENV    += $(if $(SSL_CERT_FILE),,$(if $(PIP_CA),SSL_CERT_FILE=$(PIP_CA)))
INSTALL    = $(UV_ENV) $(UV) pip install --quiet --compile-bytecode

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- what a newcomer needs

.PHONY: demo
demo: $(VENVS)/airflow3/.installed ## Watch an upload that SIGKILL ends, and its retry (KEEP=1: leave the UI running)
	@$(PY3) -m demo $(if $(KEEP),--keep)

.PHONY: demo-cluster
demo-cluster: $(VENVS)/airflow3/.installed ## Watch two Celery workers upload one file, and one of them killed (KEEP=1)
	@$(PY3) -m demo --cluster $(if $(KEEP),--keep)

.PHONY: demo-export
demo-export: $(VENVS)/airflow3/.installed ## Watch the nightly export of a PostgreSQL table killed and resumed (KEEP=1)
	@$(PY3) -m demo --export $(if $(KEEP),--keep)

.PHONY: demo-stop
demo-stop: ## Stop what `make demo KEEP=1` left running
	@if [ -d .demo ]; then $(PY3) -m demo --stop; fi

.PHONY: test
test: lint types layers node test3 test2 ## Run all checks and all tests except the slow ones, on Airflow 3 and Airflow 2

# ---------------------------------------------------------------- the single checks

.PHONY: lint
lint: $(VENVS)/airflow3/.installed ## Check style (ruff)
	$(VENVS)/airflow3/bin/ruff check --quiet .
	$(VENVS)/airflow3/bin/ruff format --quiet --check .

.PHONY: fmt
fmt: $(VENVS)/airflow3/.installed ## Format the code and fix what ruff can fix
	$(VENVS)/airflow3/bin/ruff check --quiet --fix .
	$(VENVS)/airflow3/bin/ruff format --quiet .

.PHONY: types
types: $(VENVS)/airflow3/.installed ## Check types (mypy --strict)
	$(VENVS)/airflow3/bin/mypy

.PHONY: layers
layers: $(VENVS)/airflow3/.installed ## Check that imports only point down (import-linter)
	$(VENVS)/airflow3/bin/lint-imports --no-logo

# In two processes: Airflow rearranges logging and warnings of the one that it is imported into.
.PHONY: test3
test3: $(VENVS)/airflow3/.installed $(VENVS)/ossfs/.installed node ## Run the tests on Airflow 3, except the slow ones (T=path for some of them)
ifdef T
	$(PY3) -m pytest $(T)
else
	$(PY3) -m pytest $(PARALLEL) -m 'not slow' $(addprefix --ignore=,$(WITH_AIRFLOW))
	$(PY3) -m pytest $(PARALLEL) -m 'not slow' $(WITH_AIRFLOW)
endif

.PHONY: test2
test2: $(VENVS)/airflow2/.installed ## Run the tests that need an Airflow on Airflow 2
	$(PY2) -m pytest $(PARALLEL) -m 'not slow' $(WITH_AIRFLOW)

.PHONY: test-slow
test-slow: $(VENVS)/airflow3/.installed ## Run the tests that kill often, move millions of rows or start a cluster
	$(PY3) -m pytest -m slow --timeout=1800

# The engine's tests and those of what reads Airflow's settings: what a version too old would break.
.PHONY: test-lowest
test-lowest: $(VENVS)/lowest/.installed ## Run the unit and engine tests on the lowest versions that pyproject.toml allows
	$(LOWEST) -m pytest --quiet tests/lowest_versions.py
	$(LOWEST) -m pytest $(PARALLEL) -m 'not slow' tests/unit tests/server --ignore=tests/unit/airflow
	$(LOWEST) -m pytest tests/unit/airflow

.PHONY: coverage
coverage: $(VENVS)/airflow3/.installed node ## Run the tests without an Airflow and show the lines that they do not reach
	$(PY3) -m pytest --cov --cov-report=term $(addprefix --ignore=,$(WITH_AIRFLOW))

.PHONY: soak
soak: $(VENVS)/airflow3/.installed ## Kill and simulate for longer (UPLOADS=100 STORIES=5000 SEED=…)
	SOAK_UPLOADS=$(or $(UPLOADS),100) SOAK_STORIES=$(or $(STORIES),5000) SOAK_SEED=$(or $(SEED),0) \
	  $(PY3) -m pytest -s --timeout=3600 tests/crash tests/properties/test_upload_simulation.py
	SOAK_OUTAGE=30 $(PY3) -m pytest tests/airflow/test_outage.py

.PHONY: bench
bench: $(VENVS)/airflow3/.bench go-peers ## Compare CPU and wall time with the official clients, and exports with COPY, in five minutes
	$(PY3) -m benchmarks

.PHONY: bench-full
bench-full: $(VENVS)/airflow3/.bench node go-peers ## Measure everything that docs/performance.md shows, in half an hour
	$(PY3) -m benchmarks --full

.PHONY: bench-export
bench-export: $(VENVS)/airflow3/.installed ## Compare exports with COPY on a real PostgreSQL (ROWS=10000000 for the large table)
	$(PY3) -m benchmarks.sql_export $(ROWS)

.PHONY: bench-shards
bench-shards: $(VENVS)/airflow3/.installed ## Compare four shards with one, each limited to 32 MiB/s
	$(PY3) -m benchmarks.shards

.PHONY: go-peers
go-peers: $(if $(shell command -v go),$(VENVS)/go-peers) ## Build the clients of the official Go SDKs for `make bench`, if go is on PATH

$(VENVS)/go-peers: $(wildcard benchmarks/peers/go/*)
	@echo "building the clients of the Go SDKs"
	@cd benchmarks/peers/go && CGO_ENABLED=0 go build -o $(abspath $@) .

.PHONY: bench-cluster
bench-cluster: $(VENVS)/airflow3/.installed ## Measure one upload by several Celery workers, in eight minutes
	$(PY3) -m benchmarks.cluster

# The picture's library is large and nothing else needs it.
$(VENVS)/airflow3/.bench: $(VENVS)/airflow3/.installed
	@$(INSTALL) --python $(PY3) --constraints constraints/airflow-$(AIRFLOW3).txt --group bench
	@touch $@

# ---------------------------------------------------------------- installing

.PHONY: install
install: $(VENVS)/airflow3/.installed $(VENVS)/airflow2/.installed $(VENVS)/ossfs/.installed node ## Install everything, run nothing

# pip --target needs neither venv nor ensurepip, which Debian packs separately; uv makes the environments.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "Python 3.10 or later is needed; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 \
	  || { echo "pip is missing. On Debian or Ubuntu: apt-get install python3-pip"; exit 1; }
	@echo "installing uv"
	@$(PYTHON) -m pip install --quiet --root-user-action=ignore --target $(VENVS)/uv uv
	@touch $@

$(VENVS)/airflow3/.installed: $(UV) pyproject.toml constraints/airflow-$(AIRFLOW3).txt
	@echo "installing Airflow $(AIRFLOW3) and the tools (minutes)"
	@test -x $(PY3) || $(UV_ENV) $(UV) venv --quiet --python $(PYTHON) $(VENVS)/airflow3
	@$(INSTALL) --python $(PY3) --constraints constraints/airflow-$(AIRFLOW3).txt \
	  apache-airflow==$(AIRFLOW3) --group test --group lint --editable '.[devserver,export]'
	@touch $@

# Apart from the environment, whose other tests show that oss:// works without it; a test adds the folder to its path.
$(VENVS)/ossfs/.installed: $(VENVS)/airflow3/.installed constraints/ossfs.txt
	@echo "installing ossfs"
	@$(INSTALL) --python $(PY3) --no-deps --target $(VENVS)/ossfs --requirements constraints/ossfs.txt
	@touch $@

# Airflow 2.11 ends at Python 3.12.
$(VENVS)/airflow2/.installed: $(UV) pyproject.toml constraints/airflow-$(AIRFLOW2).txt
	@echo "installing Airflow $(AIRFLOW2)"
	@test -x $(PY2) || $(UV_ENV) $(UV) venv --quiet --python '>=3.10,<3.13' $(VENVS)/airflow2 \
	  || { echo "Airflow 2.11 needs Python 3.10, 3.11 or 3.12 beside $$($(PYTHON) -V)."; exit 1; }
	@$(INSTALL) --python $(PY2) --constraints constraints/airflow-$(AIRFLOW2).txt \
	  apache-airflow==$(AIRFLOW2) --group airflow-tests --group source-tests --editable '.[devserver]'
	@touch $@

# In one step: a second one, with other constraints, would upgrade what the first installed.
$(VENVS)/lowest/.installed: $(UV) pyproject.toml constraints/lowest.txt
	@echo "installing the lowest versions"
	@test -x $(LOWEST) || $(UV_ENV) $(UV) venv --quiet --python '>=3.10,<3.13' $(VENVS)/lowest \
	  || { echo "Airflow 2.11 needs Python 3.10, 3.11 or 3.12 beside $$($(PYTHON) -V)."; exit 1; }
	@$(INSTALL) --python $(LOWEST) --resolution lowest-direct --constraints constraints/lowest.txt \
	  --group unit-tests --editable '.[devserver,export]'
	@touch $@

.PHONY: node
node: $(if $(wildcard $(SDK)/package.json),$(SDK)/node_modules/.installed) ## Install the official JavaScript client and Azurite

$(SDK)/node_modules/.installed: $(SDK)/package.json
	@command -v npm >/dev/null || { echo "npm is missing. On Debian or Ubuntu: apt-get install nodejs npm"; exit 1; }
	@echo "installing the official JavaScript client and Azurite"
	@npm install --prefix $(SDK) --no-package-lock --no-audit --no-fund --silent
	@touch $@

# Plain name==version lines, no markers and no addresses: usable by pip, uv and any mirror.
COMPILE = $(UV_ENV) $(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.10 \
  --upgrade --no-strip-markers --no-header --no-annotate --no-emit-index-url --extra devserver --extra export
PLAIN   = sed -E 's/ *;.*//'
# Each floor as name==version: the newest version of another distribution may ask for more than the floor.
# Airflow 2.11.0 does not say that its ObjectStoragePath needs a universal-pathlib below 0.3; 2.11.1 does.
FLOORS  = sed -nE '/^dependencies = /,/^\]/s/^ +"([a-z0-9-]+)>=([0-9.]+)".*/\1==\2/p' pyproject.toml

.PHONY: constraints
constraints: $(UV) ## Resolve constraints/ again, to the newest compatible versions
	echo apache-airflow==$(AIRFLOW3) | $(COMPILE) --group test --group lint --group bench pyproject.toml - \
	  | $(PLAIN) > constraints/airflow-$(AIRFLOW3).txt
	echo apache-airflow==$(AIRFLOW2) | $(COMPILE) --group airflow-tests --group source-tests pyproject.toml - \
	  | $(PLAIN) > constraints/airflow-$(AIRFLOW2).txt
	{ $(FLOORS); echo 'universal-pathlib<0.3'; } | $(UV_ENV) $(UV) pip compile --quiet --python-version 3.10 --resolution lowest-direct --upgrade \
	  --no-header --no-annotate --no-emit-index-url --extra devserver --extra export --group unit-tests pyproject.toml - > constraints/lowest.txt

.PHONY: clean
clean: ## Remove what make installed and built
	rm -rf $(VENVS) .demo $(SDK)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
