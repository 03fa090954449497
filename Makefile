# Two commands do everything on a fresh machine: `make demo` and `make test`.

.DEFAULT_GOAL := help
SHELL := /bin/bash -euo pipefail
export CARGO_TARGET_DIR := $(CURDIR)/target

plugins := $(filter-out sdk,$(notdir $(patsubst %/Cargo.toml,%,$(wildcard plugins/*/Cargo.toml))))
guests := $(filter-out frame,$(notdir $(patsubst %/Cargo.toml,%,$(wildcard tests/guests/*/Cargo.toml))))
wasm := target/wasm32-wasip2/plugin
# The plugins as native libraries, for their unit tests. Apart from the host: built in one
# go, what the plugins ask of shared dependencies would have the host built anew.
native := -p pixcrawler-sdk $(plugins:%=-p %)

.PHONY: help
help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: plugins ## See it work: a crawl of a gallery on this machine, from job to dataset
	cargo build
	cargo run --quiet -- demo

.PHONY: test
test: plugins guests lint ## Run every check and test
	cargo test
	cargo test $(native)

.PHONY: lint
lint: setup ## Check formatting and lints
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --all-targets $(native) -- -D warnings

.PHONY: plugins
plugins: setup ## Build the bundled sources
	cargo build --target wasm32-wasip2 --profile plugin $(plugins:%=-p %)
	@mkdir -p target/plugins
	@for name in $(plugins); do \
	  built=$(wasm)/$${name//-/_}.wasm; kept=target/plugins/$$name.wasm; \
	  cmp -s $$built $$kept || cp $$built $$kept; \
	done

.PHONY: guests
guests: setup ## Build the misbehaving plugins of the tests
	cargo build --target wasm32-wasip2 --profile plugin $(guests:%=-p guest-%)
	@mkdir -p target/guests
	@for name in $(guests); do cp $(wasm)/guest_$${name//-/_}.wasm target/guests/$$name.wasm; done
	cargo build --target wasm32-wasip2 -p guest-trap # with debug information
	@mkdir -p target/guests/debug
	@cp target/wasm32-wasip2/debug/guest_trap.wasm target/guests/debug/trap.wasm

.PHONY: setup
setup:
	@tests/setup.sh

.PHONY: bench
bench: plugins guests ## Measure: a plugin step, and the whole pipeline on this machine
	cargo bench -p pixcrawler --bench plugin_step --bench crawl
