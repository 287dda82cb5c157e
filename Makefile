# What a person needs; `make help` lists it. Each line is a command that works without make, too.
.DEFAULT_GOAL := help
.PHONY: help serve test bench check format openapi clean

help: ## list what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read name text; do \
		printf '  make %-8s  %s\n' "$$name" "$$text"; done

serve: ## set up, start the server and a local runner with demo data
	scripts/serve

test: ## set up and run the tests but the slow ones
	scripts/test

bench: ## measure every GET on the small database; docs/benchmarks.md
	scripts/bench measure --size small

check: .setup ## linter, format, types and import rules
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	PYTHONPATH=clients/python .venv/bin/lint-imports

format: .setup ## format the code and mend what the linter can mend
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

openapi: .setup ## write openapi-ci-api.yaml anew from the code
	.venv/bin/python -m scripts.openapi

clean: ## remove .venv and caches; data in instance/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: .setup
.setup:
	@scripts/setup test
