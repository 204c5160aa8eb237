# The words a person types; `make` alone lists them.

# What is compiled on the way is kept outside of the checkout, so that a second clone builds nothing again but the crate
# itself. The programs are its own: one clone's tests never run another one's program.
MERGANSER_CACHE ?= $(HOME)/.cache/merganser
DUCKDB_LIB_DIR ?= $(MERGANSER_CACHE)/libduckdb-1.5.6
CARGO_BUILD_BUILD_DIR ?= $(MERGANSER_CACHE)/target
CARGO_TARGET_DIR := $(CURDIR)/target
MERGANSER_CHECKOUT := $(CURDIR)
# Tests wait for servers now and then: twice as many at once as there are processors.
RUST_TEST_THREADS ?= $(shell expr 2 '*' $$(nproc))
export MERGANSER_CACHE DUCKDB_LIB_DIR CARGO_BUILD_BUILD_DIR CARGO_TARGET_DIR MERGANSER_CHECKOUT RUST_TEST_THREADS

.PHONY: help build demo dist image session test test-dist compare soak fuzz deny bench bench-full bench-peers

help: ## list these words
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

build: ## install what is missing, build target/release/merganser
	@scripts/setup build
	cargo build --release --locked
	@cmp -s "$(DUCKDB_LIB_DIR)/libduckdb.so" target/release/libduckdb.so || install -m 755 "$(DUCKDB_LIB_DIR)/libduckdb.so" target/release/

demo: build ## run the whole pipeline on made-up data, on a private database
	@target/release/merganser demo

dist: ## build what is released: a wheel, an archive, their checksums; into dist/
	@scripts/setup dist
	@scripts/dist

image: dist ## build the container image, without a daemon and without a base image
	@scripts/setup image
	@scripts/image

session: build ## build the second program that docs/session.md plays with
	cargo build --release --locked --example older-merganser
	@install -m 755 target/release/examples/older-merganser target/release/

test: ## install what is missing, check format and lints, run every test
	@scripts/setup test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --features failpoints -- -D warnings
	cargo doc --no-deps --document-private-items --locked --quiet
	cargo test --workspace --locked --features failpoints
	scripts/deny

# The build of this checkout, unless NEW names another program.
compare: $(if $(NEW),,build) ## hold OLD=program against this build: outputs, tables, ledger, objects (some minutes)
	@test -n "$(OLD)" || { echo 'make compare OLD=path of an older merganser [NEW=path]' >&2; exit 2; }
	scripts/compare "$(OLD)" "$(or $(NEW),target/release/merganser)"

test-dist: dist ## try what make dist has built as make test tries its own build, with the real npm
	@scripts/setup test
	MERGANSER_TEST_DIST=dist cargo test --locked --features failpoints --test it released:: -- --nocapture

soak: ## kill runs at random times for ten minutes, look that nothing is lost or half-done
	@scripts/setup test
	MERGANSER_TEST_WRITE_DOCS=1 cargo test --locked --features failpoints --test it random_kills_for_long -- --ignored --nocapture

fuzz: ## fuzz what reads bytes from outside, for five minutes or FUZZ_SECONDS
	@scripts/setup test
	scripts/fuzz

deny: ## check the dependencies for known weaknesses too; needs the network
	@scripts/setup test
	scripts/deny --fetch

bench: build ## measure the pipeline against its floors (some minutes), write docs/performance.md
	cargo bench --locked --bench inner
	cargo bench --locked --bench ratios
	cargo bench --locked --bench ratios -- --crops --scale 0.1
	cargo bench --locked --bench ratios -- --commits
	cargo bench --locked --bench ratios -- --geocode
	cargo bench --locked --bench ratios -- --graph
	cargo bench --locked --bench ratios -- --site
	cargo bench --locked --bench ratios -- --serve --rows 2000000
	@scripts/setup bench
	cargo bench --locked --bench ratios -- --transform

# Its rows: make bench-peers ROWS=1000000.
bench-peers: build ## measure jobs against Dask and Spark with the same function of pandas (needs Java; half a gigabyte)
	@scripts/setup peers
	cargo bench --locked --bench ratios -- --peers $(if $(ROWS),--rows $(ROWS))

bench-full: build ## the same with the whole history: 1.3 million cases (an hour, 40 GB of disk)
	cargo bench --locked --bench ratios -- --full
	cargo bench --locked --bench ratios -- --crops
