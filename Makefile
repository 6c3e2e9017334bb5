# Waybill. Everything that a fresh machine needs beside Rust, Python 3.11 and curl is installed here.
#
#   make run         the whole system on this machine, until Ctrl-C
#   make test        every check and every test
#   make demo        some thousand orders and shipments, sent to the running system
#   make audit       ask for known vulnerabilities of what is used; wants the network, and cargo-deny
#   make clean-data  forget what the local system keeps
#   make e2e         deploy to an emulator of AWS, and test what is promised there; logs: target/e2e
#   make fuzz        arbitrary input for an entry point, for SECONDS; wants nightly Rust and cargo-fuzz
#   make bench-peers    requests, units, processor time and speed of a command, beside other event stores
#   make bench-watch    what a search for stalled shipments reads among SHIPMENTS of them
#   make bench-console  pages of the console among ORDERS, beside `curl` of the same data
#   make bench-build-profile  the local system as it is built, beside its dependencies optimised
#   make bench-rebuild  a rebuild of AGGREGATES beside a bare scan, and what commands feel of it
#
# On AWS, with credentials; ENV is dev, staging, prod or such as dev-alice (infra/cdk/environments.toml):
#
#   make bootstrap   once for an account and region: what the CDK itself needs there
#   make deploy      build the functions and deploy the stacks of ENV; ALERT_EMAIL gives that setting
#   make diff        what a deployment of ENV would change
#   make destroy     remove ENV and all its data; refused where data are kept
#   make package     the functions alone, for the architecture that ENV sets: target/lambda
#   make synth       the templates of ENV alone: infra/cdk/cdk.out
#   make bench-cold-start  cold starts and sizes of the functions, beside a bare one
#   make test-cdk    the checks of the stacks; make snapshots writes their templates down anew

SHELL := /bin/bash
.DEFAULT_GOAL := help

WAYBILL_DATA ?= .waybill
VENV := .venv
OUTSIDE := tests/outside
WAYBILL := target/debug/waybill

CDK := infra/cdk
CDK_TOOLS := $(CURDIR)/$(CDK)/.venv/bin
CDK_READY := $(CDK)/.venv/ready

AUDIT := target/audit
AUDIT_READY := $(AUDIT)/pip-audit-2.10.1

.PHONY: help run demo test lint audit test-rust test-outside build clean-data fuzz e2e e2e-binaries
.PHONY: test-console chromium bench-build-profile bench-cold-start bench-console bench-peers
.PHONY: bench-rebuild bench-watch
.PHONY: test-cdk snapshots package bootstrap synth diff deploy destroy

# Which entry point `make fuzz` tries: api, bus, body, query or stream.
ENTRY ?= api
SECONDS ?= 60

# Which environment on AWS, and whom it mails if its settings do not say.
ENV ?= dev
ALERT_EMAIL ?=

help:
	@sed -n 's/^#   //p' Makefile

build:
	cargo build --locked --bin waybill

run: build
	@exec $(WAYBILL) local

demo: build
	@$(WAYBILL) demo

clean-data:
	rm -rf $(WAYBILL_DATA)

fuzz:
	cd tests/fuzz && mkdir -p corpus/$(ENTRY) && cargo +nightly fuzz run --fuzz-dir . -s none \
	  $(ENTRY) corpus/$(ENTRY) seeds/$(ENTRY) -- -max_total_time=$(SECONDS) -max_len=16384

test: lint test-rust test-outside test-console test-cdk e2e

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --locked --workspace --no-deps

# Known vulnerabilities: of crates by RustSec's list on GitHub, of Python's packages by PyPI, of Node's
# by npm's own endpoint. Whoever cannot be asked is a failure, and no pass: so this is no part of
# `make test`, which needs nothing but package registries. Licences, sources and bans are
# (tests/dependencies.rs).
audit: $(VENV)/ready $(CONSOLE_READY) $(CDK_READY) $(AUDIT_READY)
	@failed=; \
	for place in $(VENV) $(CONSOLE_TOOLS) $(CDK)/.venv; do \
	  $(AUDIT)/bin/pip-audit --strict --progress-spinner off --vulnerability-service pypi \
	    --path $$place/lib/python3*/site-packages || failed="$$failed Python:$$place"; \
	done; \
	(cd $(CDK) && PATH="$(CDK_TOOLS):$$PATH" npm audit) || failed="$$failed Node"; \
	cargo deny --locked check advisories || failed="$$failed crates"; \
	[[ -z "$$failed" ]] || { echo "audit: not known to be without vulnerabilities:$$failed"; exit 1; }

$(AUDIT_READY):
	python3 -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@touch $@

test-rust:
	cargo test --locked --workspace --no-fail-fast

# The system as its users meet it: HTTP, the AWS protocols, and kill -9.
test-outside: build $(VENV)/ready
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python -m pytest $(OUTSIDE)

$(VENV)/ready: $(OUTSIDE)/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(OUTSIDE)/requirements.txt
	@touch $@

# ---- The console, in a real browser

CONSOLE := tests/console
CONSOLE_TOOLS := target/console
CONSOLE_READY := $(CONSOLE_TOOLS)/ready

test-console: build chromium $(CONSOLE_READY)
	$(CONSOLE_TOOLS)/bin/python -m pytest $(CONSOLE)

# The one on the PATH, or that CHROMIUM names; else Debian's.
chromium:
	@[[ -n "$$CHROMIUM" ]] || command -v chromium >/dev/null || { \
	  as_root=$$([[ $$(id -u) == 0 ]] || echo sudo); \
	  $$as_root apt-get update -qq && \
	  $$as_root apt-get install -y -qq --no-install-recommends chromium; \
	}

$(CONSOLE_READY): $(CONSOLE)/requirements.txt
	python3 -m venv $(CONSOLE_TOOLS)
	$(CONSOLE_TOOLS)/bin/pip install --quiet --disable-pip-version-check -r $(CONSOLE)/requirements.txt
	@touch $@

# ---- Deployed to an emulator of AWS

E2E := tests/e2e
E2E_WORK := target/e2e
E2E_READY := $(E2E_WORK)/ministack/ready

# The real stacks by the real CDK, and the executables as they run in Lambda: once as they are, and
# once with every call checked against the policies of whoever makes it.
e2e: build e2e-binaries $(VENV)/ready $(CDK_READY) $(E2E_READY)
	$(VENV)/bin/python -m pytest $(E2E)
	E2E_IAM=enforced $(VENV)/bin/python -m pytest $(E2E)

# For this machine, whatever the environment's architecture, and built like everything else here, so that
# nothing is compiled twice. Without symbols: the emulator takes a function as one packed file.
e2e-binaries:
	cargo build --locked --bin commands --bin projectors
	for executable in commands projectors; do \
	  install -D -s -m 755 target/debug/$$executable $(E2E_WORK)/binaries/$$executable/bootstrap || exit 1; \
	done

$(E2E_READY): $(E2E)/requirements.txt
	python3 -m venv $(E2E_WORK)/ministack
	$(E2E_WORK)/ministack/bin/pip install --quiet --disable-pip-version-check -r $(E2E)/requirements.txt
	@touch $@

# ---- On AWS

# The settings that the command line gives, and the CDK's own command line with the node of the
# tools: a machine needs none.
SETTINGS := $(if $(ALERT_EMAIL),alert_email=$(ALERT_EMAIL))
CDK_CLI := cd $(CDK) && PATH="$(CDK_TOOLS):$$PATH" node_modules/.bin/cdk
CDK_CONTEXT := -c env=$(ENV) $(addprefix -c ,$(SETTINGS))

test-cdk: $(CDK_READY)
	PATH="$(CDK_TOOLS):$$PATH" $(CDK_TOOLS)/python -m pytest $(CDK)/tests

snapshots: $(CDK_READY)
	PATH="$(CDK_TOOLS):$$PATH" $(CDK_TOOLS)/python -m pytest $(CDK)/tests/test_snapshots.py --write-snapshots

# Fat LTO takes minutes. Built twice, the bytes are the same, so that nothing is deployed that has not
# changed. Without the variable, the first TLS handshake of a function costs 30 ms more.
package: $(CDK_READY)
	@architecture=$$(cd $(CDK) && $(CDK_TOOLS)/python -m stacks.config $(ENV) architecture $(SETTINGS)) && \
	case $$architecture in \
	  arm64) target=aarch64-unknown-linux-gnu flag=--arm64 ;; \
	  *) target=x86_64-unknown-linux-gnu flag=--x86-64 ;; \
	esac && \
	rustup target add $$target && \
	PATH="$(CDK_TOOLS):$$PATH" CARGO_TARGET_DIR="$(CURDIR)/target" AWS_LC_SYS_NO_JITTER_ENTROPY=1 \
	  cargo lambda build --locked --profile lambda $$flag --bin commands --bin projectors

# Not where the stacks are described: it would ask for them, and for the functions.
bootstrap: $(CDK_READY)
	region=$$(cd $(CDK) && $(CDK_TOOLS)/python -m stacks.config $(ENV) region $(SETTINGS)) && \
	cd "$$(mktemp -d)" && PATH="$(CDK_TOOLS):$$PATH" AWS_REGION=$$region \
	  $(CURDIR)/$(CDK)/node_modules/.bin/cdk bootstrap

synth: $(CDK_READY)
	$(CDK_CLI) synth --quiet $(CDK_CONTEXT)

diff: package
	$(CDK_CLI) diff $(CDK_CONTEXT)

deploy: package
	$(CDK_CLI) deploy --all --outputs-file cdk.out/outputs.json $(CDK_CONTEXT)

destroy: $(CDK_READY)
	@read -r -p "This removes $(ENV) and all its data. Its name, to go on: " name && [[ "$$name" == "$(ENV)" ]]
	cd $(CDK) && .venv/bin/python empty.py $(ENV)
	$(CDK_CLI) destroy --all --force $(CDK_CONTEXT)

$(CDK_READY): $(CDK)/requirements.txt $(CDK)/package-lock.json
	python3 -m venv $(CDK)/.venv
	$(CDK_TOOLS)/pip install --quiet --disable-pip-version-check -r $(CDK)/requirements.txt
	cd $(CDK) && PATH="$(CDK_TOOLS):$$PATH" npm ci --no-audit --no-fund --silent
	@touch $@

# ---- Benchmarks

# As `make run` is built, system and rebuild on one machine.
AGGREGATES ?= 100000

bench-rebuild: $(VENV)/ready
	cargo build --locked --workspace --bin waybill --bin bare-scan
	$(VENV)/bin/python tests/bench/rebuild.py --aggregates $(AGGREGATES)

# System, console and `curl` on one machine.
ORDERS ?= 100000

bench-console: build $(VENV)/ready
	$(VENV)/bin/python tests/bench/console.py --orders $(ORDERS)

# The first run builds the rival: some ten minutes on two cores.
ROUNDS ?= 5

bench-build-profile: build $(VENV)/ready
	$(VENV)/bin/python tests/bench/build_profile.py --rounds $(ROUNDS)

# Loads the embedded DynamoDB with rows of shipments, and counts what a run of the watcher reads.
SHIPMENTS ?= 1000000

bench-watch:
	SHIPMENTS=$(SHIPMENTS) cargo test --locked -p system-tests --test projections \
	  watch_many -- --ignored --nocapture

# Waybill's way of a command beside cqrs-es with dynamo-es and event-store-adapter-rs, which nobody else
# compiles: they have a lock file of their own. ROUNDS and AGGREGATES may be given.
bench-peers:
	cargo run --locked --release --manifest-path tests/bench/peers/Cargo.toml --target-dir target/bench

# Of a function that does one GetItem and nothing else, and of the functions as they are deployed. The
# target is named so that the executables do not lie where `make package` puts its folders.
bench-cold-start:
	host=$$(rustc -vV | sed -n 's/^host: //p') && \
	AWS_LC_SYS_NO_JITTER_ENTROPY=1 cargo build --locked --profile lambda --target $$host \
	  --bin bare --bin commands --bin projectors && \
	python3 tests/bench/cold_start.py target/$$host/lambda
