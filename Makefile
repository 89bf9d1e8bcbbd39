# The verbs of this project. A fresh machine needs Python 3.10 or newer and make, nothing else.

PYTHON ?= python3
ARGS ?=
STAGE ?= local

# Whatever starts here would compile everything anew, each time, and each worker of the tests all tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-slow chaos growth cold warm cli footprint lint format clean bootstrap
.PHONY: deploy doctor failed redrive discard logs rotate-token destroy deploy-rehearsal

help: ## Show what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

run: bootstrap ## Run Botte on this machine: all doors, a fake AWS and a fake Telegram
	@exec .venv/bin/python -m tools.dev

test: bootstrap ## Run the tests; options for pytest: make test ARGS="-k outbox"
	@exec .venv/bin/python -m pytest -m "not slow" $(ARGS)

test-slow: bootstrap ## Run the tests that take long: deployments, installations, many processes (about six minutes)
	@exec .venv/bin/python -m pytest -m slow $(ARGS)

simulate: bootstrap ## Prove the promise in simulated worlds: make simulate [RUNS=10000] [SEED=1] [ARGS="worlds" or "mutations"]
	@exec .venv/bin/python -m tests.simulation $(if $(SEED),--seed "$(SEED)") $(if $(RUNS),--runs "$(RUNS)") $(ARGS)

chaos: bootstrap ## Prove that no message is lost: kill the handlers while Telegram fails (about ten minutes)
	@exec .venv/bin/python -m benchmarks.chaos $(ARGS)

growth: bootstrap ## Measure what a run of the schedule costs as the backlog grows (about two minutes)
	@PYTHONPATH=botte-app exec .venv/bin/python -m benchmarks.growth

cold: bootstrap ## Measure the first answer of a new process, as deployed: make cold [ARGS="--doors http --memory 128,256,512"]
	@PYTHONPATH=botte-app exec .venv/bin/python -m benchmarks.cold $(ARGS)

warm: bootstrap ## Measure the answers of a warm process, one message and batches (about ten minutes)
	@PYTHONPATH=botte-app exec .venv/bin/python -m benchmarks.warm $(ARGS)

cli: bootstrap ## Compare botte send with other programs that send a message: make cli [ARGS="--rounds 20"]
	@exec .venv/bin/python -m benchmarks.cli $(ARGS)

footprint: bootstrap ## Count sizes, modules, calls and costs; the imports of a cold start: make footprint ARGS=--imports
	@exec .venv/bin/python -m benchmarks.footprint $(ARGS)

lint: bootstrap ## Check style, format and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy --strict botte-app tools benchmarks tests clients/*/src/*
	.venv/bin/python tools/sync_contract.py --check

format: bootstrap ## Put all code into the project's format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

failed: bootstrap ## List the messages that were parked, or given up by AWS: make failed STAGE=prod
	@exec .venv/bin/python -m tools.ops failed --stage "$(STAGE)"

redrive: bootstrap ## Send those messages again: make redrive STAGE=prod [ID=...]
	@exec .venv/bin/python -m tools.ops redrive --stage "$(STAGE)" $(if $(ID),--id "$(ID)")

discard: bootstrap ## Forget one of those messages, or all that cannot be sent: make discard STAGE=prod [ID=...] [YES=1]
	@exec .venv/bin/python -m tools.ops discard --stage "$(STAGE)" $(if $(ID),--id "$(ID)") $(if $(YES),--yes)

deploy: bootstrap ## Deploy a stage, or go on where it failed: make deploy STAGE=prod [DRY_RUN=1] [RECOVERY=on] [ALARMS=you@example.org]
	@exec .venv/bin/python -m tools.ops deploy --stage "$(STAGE)" $(if $(DRY_RUN),--dry-run) \
	    $(if $(RECOVERY),--recovery "$(RECOVERY)") $(if $(ALARMS),--alarms "$(ALARMS)")

doctor: bootstrap ## Check every part of a stage, and tell what mends it: make doctor STAGE=prod
	@exec .venv/bin/python -m tools.ops doctor --stage "$(STAGE)"

rotate-token: bootstrap ## Replace the HTTP API token: make rotate-token STAGE=prod [YES=1]
	@exec .venv/bin/python -m tools.ops rotate-token --stage "$(STAGE)" $(if $(YES),--yes)

logs: bootstrap ## Show what the functions logged: make logs STAGE=prod [SINCE=2h]
	@exec .venv/bin/python -m tools.ops logs --stage "$(STAGE)" $(if $(SINCE),--since "$(SINCE)")

destroy: bootstrap ## Take a stage away, but not its tables: make destroy STAGE=prod [TABLE=1] [YES=1]
	@exec .venv/bin/python -m tools.ops destroy --stage "$(STAGE)" $(if $(TABLE),--table) $(if $(YES),--yes)

deploy-rehearsal: bootstrap ## Watch a stage from deploy to destroy, on this machine, without an account
	@exec .venv/bin/python -m tools.rehearsal

clean: ## Remove .venv, caches and build results
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

bootstrap:
	@$(PYTHON) tools/bootstrap.py
