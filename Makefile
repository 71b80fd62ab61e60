# Two commands do everything: `make demo` and `make test`. Neither needs more than a Rust toolchain and a C compiler.

CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.PHONY: demo test tools format lint docs deny bench schemas seeds

# Eight tenants from a git commit to confirmed audit entries, against the embedded emulator.
demo: tools
	$(CARGO) run --locked --quiet -- demo

# Everything that has to hold before a change lands.
test: tools format lint docs
	$(CARGO) test --locked --all-targets
	$(CARGO) test --locked --doc
	./scripts/deny.sh

# What the build and the tests need beyond the toolchain: a C compiler, make and perl for the git library's TLS, git itself.
tools:
	@./scripts/install-tools.sh

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --quiet

# Figures, written to docs/benchmarks.md. Takes a while and wants a quiet machine.
bench: tools
	./scripts/bench.sh

# Generated files: a test says when they are out of date.
schemas:
	$(CARGO) run --locked --quiet -- schema --out schemas

# A long night of simulation.
seeds:
	GENESYNC_SEEDS=200000 $(CARGO) test --locked --release --test sim -- --nocapture
