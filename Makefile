# Waybill. Everything that a fresh machine needs beside Rust, Python 3.11 and curl is installed here.
#
#   make run         the whole system on this machine, until Ctrl-C
#   make test        every check and every test
#   make demo        some thousand orders and shipments, sent to the running system
#   make clean-data  forget what the local system keeps
#   make fuzz        arbitrary input for an entry point, for SECONDS; wants nightly Rust and cargo-fuzz

SHELL := /bin/bash
.DEFAULT_GOAL := help

WAYBILL_DATA ?= .waybill
VENV := .venv
OUTSIDE := tests/outside
WAYBILL := target/debug/waybill

.PHONY: help run demo test lint test-rust test-outside build clean-data fuzz

# Which entry point `make fuzz` tries: api, bus, body, query or stream.
ENTRY ?= api
SECONDS ?= 60

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

test: lint test-rust test-outside

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings

test-rust:
	cargo test --locked --workspace --no-fail-fast

# The system as its users meet it: HTTP, the AWS protocols, and kill -9.
test-outside: build $(VENV)/ready
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python -m pytest $(OUTSIDE)

$(VENV)/ready: $(OUTSIDE)/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(OUTSIDE)/requirements.txt
	@touch $@
