# Every target sets up what it needs; the environment (.venv) is made once, from requirements-dev.txt.
.DEFAULT_GOAL := help
.PHONY: help demo test lint coverage simulate chaos check up down dashboards bench-lived bench-policy bench-wake bench-broker bench-failover lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## See it work in a minute: a real Redis, Flower, Celery and a burst of tasks; no Docker, no root
	@scripts/venv
	@.venv/bin/autoscaler demo

test: ## Lint and every test, on a real Docker engine too (as CI does)
	@scripts/test

lint: ## Style, types and the direction of imports
	@scripts/lint

coverage: ## Every branch of the policy is taken by its own tests
	@scripts/coverage

SEEDS ?= 1000
simulate: ## The daemon in a world of seeded faults: make simulate SEEDS=1000, or SEED=417 to be told one story
	@scripts/venv
	@.venv/bin/python -m tests.simulation $(if $(SEED),--seed $(SEED) $(if $(ONLY),--only $(ONLY)) $(if $(WORK),--work $(WORK)),--seeds $(SEEDS) $(if $(WRITE),--write))

DURATION ?= 240
TASKS ?= 2000
FLEET ?= process
chaos: ## Kill, hang and starve real parts for a while: make chaos DURATION=240, with a Docker engine too: FLEET=docker
	@scripts/venv
	@.venv/bin/python -m tests.chaos --duration $(DURATION) --tasks $(TASKS) --fleet $(FLEET) $(if $(SEED),--seed $(SEED)) $(if $(WRITE),--write)

check: ## Validate config.yaml and try every neighbour that it names
	@scripts/venv
	@.venv/bin/autoscaler check

up: ## Start broker, Flower and autoscaler with Docker Compose, with the example app and the dashboards
	@docker compose --profile example --profile monitoring up --build --detach --wait

down: ## Stop what `make up` started, and the workers that the autoscaler left running
	@scripts/down

dashboards: ## Build grafana/dashboards anew from the Python in grafana/
	@scripts/venv
	@.venv/bin/python grafana/build.py

bench-lived: ## How true the simulator is: a trace on real parts, and simulated: make bench-lived TRACE=file
	@scripts/venv
	@.venv/bin/python benchmarks/lived.py $(TRACE)

bench-policy: ## What deciding costs on real traces, beside rivals and planners: make bench-policy TRACES=folder
	@scripts/venv
	@.venv/bin/python benchmarks/policy.py $(TRACES) --report bench-policy.md

bench-wake: ## From a publish to a started worker while the daemon sleeps, and what the hook costs a producer
	@scripts/venv
	@.venv/bin/python benchmarks/wake.py

bench-broker: ## What an idle installation costs its broker, by Redis' own counters: eleven minutes, into docs/broker-cost.md
	@scripts/venv
	@.venv/bin/python benchmarks/broker_cost.py --report docs/broker-cost.md

bench-failover: ## A quota that ends and is renewed, on two real Redis with TLS: ten minutes, into docs/reliability.md
	@scripts/venv
	@.venv/bin/python -m tests.failover --write

lock: ## Resolve requirements*.txt anew from pyproject.toml (needs uv)
	@scripts/lock

clean: ## Delete everything that the other targets made
	@scripts/engine/down .cache/test-engine
	@rm -rf .venv .cache build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
