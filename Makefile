.PHONY: bench

# Measures the release build and writes docs/benchmarks.md; never part of a test. See that page.
BENCH_TOOLS := target/bench-tools

bench: $(BENCH_TOOLS)/bin/oha $(BENCH_TOOLS)/peer/node_modules
	@command -v wrk >/dev/null || apt-get install -y wrk || echo "wrk is not installed: its figure will be missing"
	# Builds the program like a release, too.
	cargo bench --bench fleet

$(BENCH_TOOLS)/bin/oha:
	cargo install oha --version 1.16.0 --locked --root $(BENCH_TOOLS)

$(BENCH_TOOLS)/peer/node_modules: benches/peer/package.json benches/peer/package-lock.json benches/peer/validate.mjs
	@command -v npm >/dev/null || apt-get install -y nodejs npm
	mkdir -p $(BENCH_TOOLS)/peer
	cp $^ $(BENCH_TOOLS)/peer/
	npm ci --prefix $(BENCH_TOOLS)/peer --no-audit --no-fund
	touch $@
