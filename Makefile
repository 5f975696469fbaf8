# Each does all of its own set-up. What is neither `run` nor `test` is a part of `make test` by itself,
# or takes longer than that may. What a shell may have set for another project must not reach this one.
# `make run UP='--port 8001'` gives `up` more to go by.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX VIRTUAL_ENV
export PYTHONNOUSERSITE = 1

.DEFAULT_GOAL := help
.PHONY: help run test looks check format lint security types contracts tests bench faults chaos fuzz newcomer upgrade audit sbom fix texts lock set-up

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 - \2/p' Makefile

run: set-up ## Start everything on this machine, with an invented lead to look at
	@exec .venv/bin/marketplace up --demo $(UP)

test: set-up ## Everything that has to pass
	@$(MAKE) --no-print-directory --jobs 2 --output-sync check
	@$(MAKE) --no-print-directory tests

check: format lint security types contracts ## What can be seen without running anything

format: set-up ## Is everything formatted?
	.venv/bin/ruff format --check .

lint: set-up ## Rules of style, and common mistakes
	.venv/bin/ruff check .

security: set-up ## Code that opens a door
	.ci/security

types: set-up ## Strict types
	.venv/bin/mypy

contracts: set-up ## Imports run downwards only
	.venv/bin/lint-imports

tests: set-up ## The tests, on servers of their own, file by file on every core
	@.ci/browser
	@.ci/deploy-tools
	@.ci/network
	.venv/bin/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

looks: set-up ## Pictures of every page, on a phone and at a desk, in build/screenshots
	@.ci/browser
	LOOKS=yes .venv/bin/pytest -n0 tests/browser/test_looks.py

bench: set-up ## Speed, as ratios to floors measured in the same run (`make bench BENCH=--help`)
	@.venv/bin/python -m tests.bench $(BENCH)

faults: set-up ## Hundreds of leads while everything fails in turn (`make faults FAULTS=--help`)
	@.venv/bin/python -m tests.faults.campaign $(FAULTS)

upgrade: set-up ## From the version before to this one and back, with leads under way (`make upgrade UPGRADE=--help`)
	@.venv/bin/python -m tests.upgrades $(UPGRADE)

chaos: set-up ## Hosts are cut off while leads are under way (`make chaos CHAOS=--help`)
	@.ci/network
	@.venv/bin/python -m tests.chaos $(CHAOS)

newcomer: set-up ## The README of config/deploy followed on a bare Debian (as root, some minutes)
	@.venv/bin/python -m tests.deploy.newcomer

audit: set-up ## Is anything known against what requirements.lock names? (needs the network)
	@.venv/bin/python -m tests.supply.audit

sbom: set-up ## What it is made of, for whoever asks (build/sbom.json, CycloneDX)
	@.venv/bin/python -m tests.supply.sbom

fuzz: set-up ## Everything that tries to break in, for long (`make fuzz FUZZ=--help`)
	@.venv/bin/python -m tests.fuzz $(FUZZ)

fix: set-up ## Format, and mend what can be mended by itself
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

TEXTS = marketplace/web/translations/messages.pot
texts: set-up ## Gather every text of the pages, for translators (README.md, Languages)
	@mkdir -p $(dir $(TEXTS))
	@.venv/bin/pybabel --quiet extract --mapping pyproject.toml --project marketplace \
		--keyword "Conflict Gone NotAllowed NotFound NotSignedIn Unavailable FieldError:2 Told" \
		--sort-by-file --output $(TEXTS) marketplace

lock: set-up ## Pin the newest versions that pyproject.toml allows
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header --no-emit-index-url \
		--no-emit-find-links --extra dev --python-version 3.11 --output-file requirements.lock \
		pyproject.toml

set-up: ## Make .venv as requirements.lock says
	@.ci/set-up
