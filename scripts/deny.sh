#!/usr/bin/env bash
# Holds the dependencies against deny.toml: licences, sources, bans. Advisories are reported by
# `cargo deny check advisories` where the advisory database can be fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=target/tools
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -q "$version"; then
    cargo install --locked --quiet --root "$tools" --version "$version" cargo-deny
fi
"$tools/bin/cargo-deny" --locked check --hide-inclusion-graph licenses bans sources
