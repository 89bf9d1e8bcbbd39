# The verbs of this project. A fresh machine needs Python 3.10 or newer and make, nothing else.

PYTHON ?= python3
ARGS ?=
STAGE ?= local

# Whatever starts here would compile everything anew, each time, and each worker of the tests all tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run aws test test-slow simulate chaos growth cold warm cli footprint lint format lock sbom audit clean
.PHONY: bootstrap bootstrap-run
.PHONY: stage deploy rollback doctor failed heartbeats redrive discard logs rotate-token destroy deploy-rehearsal

help: ## Show what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

run: bootstrap-run ## Run Botte on this machine: all doors, a fake AWS and a fake Telegram
	@exec .venv/bin/python -m tools.dev

aws: ## Bring the aws command, as .venv/bin/aws: any other on the PATH does as well
	@$(PYTHON) tools/bootstrap.py aws
	@.venv/bin/aws --version

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
	@PYTHONPATH=botte-app exec .venv/bin/python -m benchmarks.footprint $(ARGS)

lint: bootstrap ## Check style, format and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy --strict botte-app tools benchmarks tests
	.venv/bin/mypy --strict -p botte_http_client -p botte_lambda_client -p botte_dynamodb_client -p botte_sqs_client

format: bootstrap ## Put all code into the project's format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

failed: bootstrap-run ## List the messages that were parked, or given up by AWS: make failed STAGE=prod
	@exec .venv/bin/python -m tools.ops failed --stage "$(STAGE)"

heartbeats: bootstrap-run ## List the heartbeats, and which did not come: make heartbeats STAGE=prod
	@exec .venv/bin/python -m tools.ops heartbeats --stage "$(STAGE)"

redrive: bootstrap-run ## Send those messages again: make redrive STAGE=prod [ID=...]
	@exec .venv/bin/python -m tools.ops redrive --stage "$(STAGE)" $(if $(ID),--id "$(ID)")

discard: bootstrap-run ## Forget one of those messages, or all that cannot be sent: make discard STAGE=prod [ID=...] [YES=1]
	@exec .venv/bin/python -m tools.ops discard --stage "$(STAGE)" $(if $(ID),--id "$(ID)") $(if $(YES),--yes)

stage: bootstrap-run ## Add a stage: make stage NAME=ops [QUEUE=1]; without NAME, write all policies anew from those of prod
	@exec .venv/bin/python -m tools.ops stage $(if $(NAME),--name "$(NAME)") $(if $(QUEUE),--queue)

deploy: bootstrap-run ## Deploy a stage, or go on where it failed: make deploy STAGE=prod [DRY_RUN=1] [YES=1] [RECOVERY=on] [ALARMS=you@example.org]
	@exec .venv/bin/python -m tools.ops deploy --stage "$(STAGE)" $(if $(DRY_RUN),--dry-run) $(if $(YES),--yes) \
	    $(if $(RECOVERY),--recovery "$(RECOVERY)") $(if $(ALARMS),--alarms "$(ALARMS)")

rollback: bootstrap-run ## Bring back the deployment before, by its commit: make rollback STAGE=prod [DRY_RUN=1] [YES=1]
	@exec .venv/bin/python -m tools.ops rollback --stage "$(STAGE)" $(if $(DRY_RUN),--dry-run) $(if $(YES),--yes)

doctor: bootstrap-run ## Check every part of a stage, and tell what mends it: make doctor STAGE=prod
	@exec .venv/bin/python -m tools.ops doctor --stage "$(STAGE)"

rotate-token: bootstrap-run ## Replace the HTTP API token: make rotate-token STAGE=prod [YES=1]
	@exec .venv/bin/python -m tools.ops rotate-token --stage "$(STAGE)" $(if $(YES),--yes)

logs: bootstrap-run ## Show what the functions logged: make logs STAGE=prod [SINCE=2h]
	@exec .venv/bin/python -m tools.ops logs --stage "$(STAGE)" $(if $(SINCE),--since "$(SINCE)")

destroy: bootstrap-run ## Take a stage away, but not its tables: make destroy STAGE=prod [DRY_RUN=1] [TABLE=1] [MESSAGES=1] [YES=1]
	@exec .venv/bin/python -m tools.ops destroy --stage "$(STAGE)" $(if $(DRY_RUN),--dry-run) $(if $(TABLE),--table) \
	    $(if $(MESSAGES),--messages) $(if $(YES),--yes)

deploy-rehearsal: bootstrap ## Watch a stage from deploy to destroy, on this machine, without an account
	@exec .venv/bin/python -m tools.rehearsal

LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate \
    --custom-compile-command "make lock"

lock: bootstrap ## Pin what the requirements-*.in want, as requirements-*.txt; the newest of all: make lock ARGS=--upgrade
	$(LOCK) $(ARGS) requirements-dev.in -o requirements-dev.txt
	$(LOCK) $(ARGS) requirements-run.in -c requirements-dev.txt -o requirements-run.txt
	$(LOCK) $(ARGS) requirements-aws.in -c requirements-dev.txt -o requirements-aws.txt
	echo urllib3 | $(LOCK) $(ARGS) - -c requirements-dev.txt -o botte-app/requirements.txt

# All that the Lambda's zip holds besides Botte itself: its own requirements, and Chalice's runtime.
sbom: bootstrap ## Write what is shipped in the Lambda, as a CycloneDX bill of materials: dist/botte.cdx.json
	@mkdir -p dist
	@{ cat botte-app/requirements.txt; sed -n '/^chalice==/,/[^\\]$$/p' requirements-run.txt; } | \
	    .venv/bin/python -W ignore -m cyclonedx_py requirements - --pyproject pyproject.toml --output-reproducible \
	    --output-file dist/botte.cdx.json
	@echo dist/botte.cdx.json

audit: bootstrap ## Look for known vulnerabilities of all that is pinned: make audit [ARGS="--ignore-vuln ID"]
	@exec .venv/bin/python -m tools.audit $(ARGS)

clean: ## Remove .venv, caches and build results
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis build dist clients/*/build clients/*/src/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

bootstrap:
	@$(PYTHON) tools/bootstrap.py

bootstrap-run:
	@$(PYTHON) tools/bootstrap.py run
