# `make` alone lists the targets. Each is one command that can be typed without make.
.DEFAULT_GOAL := help
.PHONY: help setup lock fmt lint type test nightly dev manifest bench screenshots

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## ?/\1\t/' | expand -t 14

setup:  ## install the pinned environment
	uv sync

lock:  ## pin every package of a fresh resolution in pyproject.toml
	uv run --no-sync python .ci/lock.py
	uv lock

fmt:  ## format and fix what can be fixed
	uv run ruff format .
	uv run ruff check --fix .

lint:  ## style, import rules, SQL style
	uv run ruff check .
	uv run ruff format --check .
	uv run lint-imports --no-logo
	uv run sqlfluff lint dbt/models dbt/macros dbt/tests --disable-progress-bar

type:  ## check types
	uv run basedpyright

test:  ## run the tests
	uv run pytest

nightly:  ## compute a night on the packaged data
	uv run taxloom nightly

dev:  ## open the Dagster UI on localhost
	uv run taxloom ui

manifest:  ## parse the dbt project anew
	uv run python -c "from dagster_project.resources.dbt import ensure_manifest as m; from dagster_project.settings import Settings as s; print(m(s.from_env()))"

bench:  ## run all benchmarks
	uv run python -m tests.benchmarks

screenshots:  ## photograph the Dagster UI into docs/img/
	.ci/screenshots
