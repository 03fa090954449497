# Two commands do everything on a fresh machine: `make demo` and `make test`.

.DEFAULT_GOAL := help
SHELL := /bin/bash -euo pipefail
export CARGO_TARGET_DIR := $(CURDIR)/target
# The SDK for Python is carried by the binary: what Python compiles beside it would have the host built anew.
export PYTHONDONTWRITEBYTECODE := 1

plugins := $(filter-out sdk,$(notdir $(patsubst %/Cargo.toml,%,$(wildcard plugins/*/Cargo.toml))))
guests := $(filter-out frame,$(notdir $(patsubst %/Cargo.toml,%,$(wildcard tests/guests/*/Cargo.toml))))
wasm := target/wasm32-wasip2/plugin
# The plugins as native libraries, for their unit tests. Apart from the host: built in one
# go, what the plugins ask of shared dependencies would have the host built anew.
native := -p pixcrawler-sdk -p pixcrawler-delimited $(plugins:%=-p %)
# The compilers of the other languages, and the examples as the projects that `plugin new` would write.
qjs := target/tools/js/node_modules/.bin/componentize-qjs
py := target/tools/python/bin/componentize-py
examples := target/examples/openverse-js/dist/openverse.wasm target/examples/openverse-python/dist/openverse.wasm

.PHONY: help
help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: plugins ## See it work: a crawl of a gallery on this machine, from job to dataset
	cargo build
	cargo run --quiet -- demo

.PHONY: test
test: plugins guests examples lint ## Run every check and test
	cargo test
	cargo test $(native)
	cd plugins/sdk-js && node --test
	cd plugins/sdk-python && PYTHONPATH=$(CURDIR)/target/tools/bindings python3 -m unittest

.PHONY: lint
lint: setup ## Check formatting and lints; dependencies too, where cargo-deny is installed
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --test strangers -- -D warnings
	cargo clippy --all-targets $(native) -- -D warnings
	@# It takes minutes to build, so it is not asked for; the hosted CI has it, and looks at advisories too.
	@if command -v cargo-deny > /dev/null; then cargo deny check bans licenses sources; \
	else echo "licences, bans and origins of dependencies were not checked: cargo install cargo-deny --locked"; fi

# The tool that exports are measured beside.
target/tools/bench/python: host/benches/requirements.txt | setup
	@tests/setup.sh languages
	python3 -m venv --clear $@
	$@/bin/pip install --quiet --requirement $<
	touch $@

.PHONY: strangers
strangers: target/tools/strangers/node_modules target/tools/strangers/python target/tools/nginx ## Ask judges from outside, which are fetched and take long
	@tests/setup.sh browser
	@tests/setup.sh metadata
	cp drizzle/schema.ts tests/strangers/*.json tests/strangers/*.ts tests/strangers/*.mjs target/tools/strangers
	@[ -z "$${PIXCRAWLER_REALTIME-}" ] || tests/setup.sh realtime
	cargo test --test strangers -- --nocapture

.PHONY: fuzz-api
fuzz-api: plugins target/tools/strangers/python ## Fuzz the API against its document with schemathesis, for some minutes
	cargo test --test strangers -- --nocapture the_api_is_fuzzed

target/tools/strangers/node_modules: tests/strangers/package.json | setup
	@tests/setup.sh judges
	mkdir -p target/tools/strangers
	cp tests/strangers/package.json target/tools/strangers
	@# Without a lock file: the tools bring packages for every platform, of which a registry may have few.
	cd target/tools/strangers && npm install --no-package-lock --no-audit --no-fund
	touch $@

# The other judges of pictures and of folders.
target/tools/strangers/python: tests/strangers/requirements.txt | setup
	@tests/setup.sh languages
	python3 -m venv --clear $@
	$@/bin/pip install --quiet --requirement $<
	touch $@

# The proxy of `deploy/`: unpacked and not installed, because then it would run. Else the one on the PATH is asked.
target/tools/nginx:
	@tests/setup.sh proxy $@

.PHONY: plugins
plugins: setup ## Build the bundled sources
	cargo build --target wasm32-wasip2 --profile plugin $(plugins:%=-p %)
	@mkdir -p target/plugins
	@for name in $(plugins); do \
	  built=$(wasm)/$${name//-/_}.wasm; kept=target/plugins/$$name.wasm; \
	  cmp -s $$built $$kept || cp $$built $$kept; \
	done

.PHONY: examples
examples: $(examples) target/tools/bindings ## Build the twins of Openverse in JavaScript and Python

target/examples/openverse-js/dist/openverse.wasm: $(qjs) wit/source.wit $(wildcard plugins/examples/openverse-js/* plugins/sdk-js/src/*) | host
	rm -rf target/examples/openverse-js
	mkdir -p target/examples
	cp -r plugins/examples/openverse-js target/examples
	cp -r plugins/sdk-js/src target/examples/openverse-js/sdk
	cp -r wit target/examples/openverse-js/sdk/wit
	ln -s ../../tools/js/node_modules target/examples/openverse-js
	target/debug/pixcrawler plugin build target/examples/openverse-js

target/examples/openverse-python/dist/openverse.wasm: $(py) wit/source.wit $(wildcard plugins/examples/openverse-python/* plugins/sdk-python/pixcrawler/*) | host
	rm -rf target/examples/openverse-python
	mkdir -p target/examples
	cp -r plugins/examples/openverse-python target/examples
	cp -r plugins/sdk-python/pixcrawler target/examples/openverse-python
	cp -r wit target/examples/openverse-python/pixcrawler/wit
	ln -s ../../tools/python target/examples/openverse-python/.venv
	target/debug/pixcrawler plugin build target/examples/openverse-python

.PHONY: host
host: plugins
	cargo build

$(qjs): plugins/examples/openverse-js/package-lock.json
	@tests/setup.sh languages
	mkdir -p target/tools/js
	cp plugins/examples/openverse-js/package*.json target/tools/js
	cd target/tools/js && npm ci --no-audit --no-fund
	touch $@

$(py): plugins/examples/openverse-python/requirements.txt
	@tests/setup.sh languages
	python3 -m venv --clear target/tools/python
	target/tools/python/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

# What the tests of the SDK for Python hold it against.
target/tools/bindings: $(py) wit/source.wit
	rm -rf $@
	$(py) --quiet --wit-path wit --world plugin bindings $@

.PHONY: table
table: plugins examples ## Write the table of sources in plugins/README.md anew
	PIXCRAWLER_WRITE_TABLE=1 cargo test --test it -- the_table_of_sources_is_true

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
bench: plugins guests target/tools/bench/python ## Measure: a plugin step, a batch of pictures in large datasets, and the whole pipeline on this machine
	cargo bench -p pixcrawler --bench plugin_step --bench look_alikes --bench crawl

.PHONY: soak
soak: plugins ## See whether anybody can hold up the rest: everything at once, with bounds
	cargo bench -p pixcrawler --bench crawl -- --soak
