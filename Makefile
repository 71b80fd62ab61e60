# Two commands do everything. `make demo` needs a Rust toolchain and what a build needs; `make test` also needs what the tests start.

CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto
# Property tests of `make test` try the same inputs every time. Without it, as in `cargo test`, they try new ones.
SEED ?= 1

.PHONY: demo test build-tools test-tools format lint docs browser deny bench schemas examples messages seeds kills reliability

# Ten tenants from a git commit to confirmed audit entries, against the embedded emulator.
demo: build-tools
	@echo "Building genesync and its libraries: some minutes the first time, seconds after that."
	@$(CARGO) build --locked
	@$(CARGO) run --locked --quiet -- demo

# Everything that has to hold before a change lands.
test: test-tools format lint docs browser
	PROPTEST_RNG_SEED=$(SEED) $(CARGO) test --locked
	./scripts/deny.sh

# What a build needs beyond the toolchain: a C compiler, and make and perl for the TLS of the git library.
build-tools:
	@./scripts/install-tools.sh build

# What the tests start: git, database servers, a browser.
test-tools:
	@./scripts/install-tools.sh build test

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

# The pages that are checked in, in a real browser: a test says when they are not what the program makes.
BROWSER := target/browser

browser: test-tools $(BROWSER)/node_modules
	cp tests/browser/check.mjs $(BROWSER)/
	node $(BROWSER)/check.mjs examples/review/outputs/*.html

$(BROWSER)/node_modules: tests/browser/package.json tests/browser/package-lock.json
	mkdir -p $(BROWSER)
	cp $^ $(BROWSER)/
	npm ci --prefix $(BROWSER) --no-audit --no-fund --silent
	touch $@

# Measures the release build and writes docs/benchmarks.md; never part of a test. Takes a while and wants a quiet machine.
BENCH_TOOLS := target/bench-tools

bench: test-tools $(BENCH_TOOLS)/bin/oha $(BENCH_TOOLS)/peer/node_modules
	@command -v wrk >/dev/null || apt-get install -y wrk || echo "wrk is not installed: its figure will be missing"
	$(CARGO) bench --locked --bench fleet

$(BENCH_TOOLS)/bin/oha:
	$(CARGO) install oha --version 1.16.0 --locked --root $(BENCH_TOOLS)

$(BENCH_TOOLS)/peer/node_modules: benches/peer/package.json benches/peer/package-lock.json benches/peer/validate.mjs
	@command -v npm >/dev/null || apt-get install -y nodejs npm
	mkdir -p $(BENCH_TOOLS)/peer
	cp $^ $(BENCH_TOOLS)/peer/
	npm ci --prefix $(BENCH_TOOLS)/peer --no-audit --no-fund
	touch $@

# Generated files: a test says when they are out of date.
schemas:
	$(CARGO) run --locked --quiet -- schema --out schemas

# What examples/review shows: a test says when it is out of date.
examples:
	GENESYNC_EXAMPLES=1 $(CARGO) test --locked --test it -- examples::

# The table of all messages: a test says when it is out of date.
messages:
	GENESYNC_MESSAGES=1 $(CARGO) test --locked --test it -- messages::

# A long night of simulation.
seeds:
	GENESYNC_SEEDS=200000 $(CARGO) test --locked --release --test sim -- --nocapture

# Ten thousand kills at random times, in a quarter of an hour; GENESYNC_SEED repeats a run.
kills: test-tools
	GENESYNC_KILLS=10000 $(CARGO) test --locked --test crash -- --nocapture kills_at_random

# Breaks everything that can be broken, and writes docs/reliability.md. Takes ten minutes.
reliability: test-tools
	GENESYNC_RELIABILITY=1 $(CARGO) test --locked --test crash -- --nocapture the_report_has
