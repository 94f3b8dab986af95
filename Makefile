# The front door: what a newcomer, a reviewer and the continuous integration type. The work itself is in
# CMakePresets.json (builds) and scripts/. Each target brings what the machine lacks before it starts.

.DEFAULT_GOAL := help
.PHONY: demo test test-quick check-clang check-arm bench format lint clean help

JOBS := $(shell nproc)

demo: ## fit a model to three million flights, and show where the time went
	@scripts/bootstrap.sh demo
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target tuff_cli example_logistic
	@scripts/demo.sh

test: ## build and run all tests, then those that suit the sanitizers
	@scripts/bootstrap.sh test
	@scripts/run_tests.sh

test-quick: ## build and run the release tests of what changed
	@scripts/bootstrap.sh test
	@scripts/run_tests.sh --changed

check-clang: ## build everything with Clang 14 and 16 as well, and run the tests of these builds
	@scripts/bootstrap.sh test clang
	@scripts/run_tests.sh clang-14 clang-16

check-arm: ## build the library for 64-bit ARM, and run the tests of its lower half in an emulator
	@scripts/bootstrap.sh arm
	@scripts/run_tests.sh arm

bench: ## BENCH=<folder of bench/>: run one question against its rivals (BENCH_QUICK=1: under a minute)
	@test -n "$(BENCH)" || { echo "usage: make bench BENCH=<question>, one folder of bench/"; exit 2; }
	@scripts/bootstrap.sh bench
	@cmake --preset bench >/dev/null
	@cmake --build --preset bench -j $(JOBS)
	@if [ "$(BENCH)" = glm ]; then scripts/get_flights.sh; fi
	@.cache/bench-venv/bin/python bench/run.py $(BENCH)

format: ## rewrite every C and C++ file in the project's format
	@scripts/bootstrap.sh dev
	@git ls-files -z -- '*.h' '*.cpp' '*.c' | xargs -0r clang-format -i

lint: ## check format, layers and clang-tidy on what changed (ALL=1: on everything)
	@scripts/bootstrap.sh dev
	@scripts/lint.sh $(if $(ALL),all)

clean: ## remove every build, and keep the Python environments
	@rm -rf build

help: ## print this list
	@sed -n 's/^\([a-z-]*\): ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
	  while IFS="$$(printf '\t')" read -r target what; do printf 'make %-11s %s\n' "$$target" "$$what"; done
