# `make` alone says what there is. Every target first makes .venv ready; further arguments go in ARGS="…".
.PHONY: help run test lint servers bench bench-api faults mutants conformance clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      the whole platform on this machine; ARGS="--help" shows its options'
	@echo 'make test     all tests; ARGS="tests/unit -k judge" some of them'
	@echo 'make lint     ruff, basedpyright, import-linter'
	@echo 'make servers  install mosquitto, Kafka and TimescaleDB into servers/ (Debian, root), for ARGS="--servers local" and the tests'
	@echo 'make bench    measure the whole road on these servers'
	@echo 'make bench-api    measure the SensorThings API; ARGS="--quick" in a minute, ARGS="--compare" with ten times the rows'
	@echo 'make faults   kill, freeze, cut and poison the platform, and prove that no reading is lost; ARGS="--help" shows its options'
	@echo 'make mutants  plant the classic mistakes, each alone, and prove that the tests notice each'
	@echo 'make conformance  run the test suite of OGC against a fresh platform'
	@echo 'make clean    remove what make and the tools made; data (var/) and servers/ stay'

run:
	@scripts/environment run
	@.venv/bin/python -m grenzregion up $(ARGS)

# Without ARGS the whole suite, by two processes (on two cores half the tests only wait); then the pure modules ([tool.coverage]) must be covered to the last branch.
test:
	@scripts/environment test
	@.venv/bin/python -m pytest $(or $(ARGS),--cov -n 2)

lint:
	@scripts/environment dev
	@scripts/check

servers:
	@scripts/environment run
	@.venv/bin/python -m infra.servers.install

bench:
	@scripts/environment run
	@.venv/bin/python -m benchmarks.road $(ARGS)

bench-api:
	@scripts/environment run
	@.venv/bin/python -m benchmarks.api $(ARGS)

faults:
	@scripts/environment dev
	@PYTHONPATH=.:tests .venv/bin/python tests/faults $(ARGS)

mutants:
	@scripts/environment dev
	@.venv/bin/python tests/mutants $(ARGS)

# The suite comes by Maven into servers/ets-sta10.
conformance:
	@scripts/environment run
	@.venv/bin/python -m conformance

clean:
	rm -rf .venv build *.egg-info .coverage .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './servers/*' -not -path './var/*' -prune -exec rm -rf {} +
